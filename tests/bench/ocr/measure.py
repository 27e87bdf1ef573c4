"""Carries out what run.sh prepared, and prints a table.

usage: measure.py PROGRAM MODELS PAGES ROUNDS THREADS
Itself again with `--rapidocr matched|default|installed`: one run of RapidOCR in a process of its own.
"""

import json
import os
import re
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

# Of these, only the last takes as many threads as it likes: that is what a user gets who sets nothing.
KINDS = {"RapidOCR, matched": "matched", "RapidOCR, default but for the threads": "default", "RapidOCR, as installed": "installed"}
ACCENTS = "áéíóúüñÁÉÍÓÚÜÑ¿¡"


def rapidocr(kind, threads, pages):
    """Reads pages, and prints what a run of ours does: seconds and text of each."""
    from rapidocr import RapidOCR

    settings = {"Global.log_level": "critical"}
    if kind != "installed":
        settings["EngineConfig.onnxruntime.intra_op_num_threads"] = threads
    if kind == "matched":
        # The size at which ours looks for lines, one line at a time, no classifier of directions, and no smaller picture.
        settings |= {"Global.use_cls": False, "Det.limit_side_len": 960, "Det.limit_type": "max", "Rec.rec_batch_num": 1,
                     "Global.max_side_len": 4000, "EngineConfig.onnxruntime.inter_op_num_threads": 1}
    engine, read = RapidOCR(params=settings), []
    for page in pages:
        begin = time.perf_counter()
        found = engine(page)
        seconds = time.perf_counter() - begin
        lines = [(box[:, 0].min(), box[:, 1].min(), box[:, 0].max(), box[:, 1].max(), text) for box, text in zip(found.boxes, found.txts)]
        read.append((seconds, "\n".join(" ".join(line[4] for line in sorted(row)) for row in rows(lines))))
    print(json.dumps({"pages": read, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))


def rows(lines):
    """The rows in which ours puts lines, too, so that what is compared is the reading: (left, top, right, bottom, text)."""
    found = []
    for line in sorted(lines, key=lambda line: line[1] + line[3]):
        height = lambda other: min(line[3] - line[1], other[3] - other[1])
        for row in found[:-4:-1]:
            last = min(row, key=lambda other: abs(other[0] - line[0]))
            level = 2 * (min(last[3], line[3]) - max(last[1], line[1])) >= height(last)
            if level and all(2 * (min(o[2], line[2]) - max(o[0], line[0])) <= height(o) for o in row):
                row.append(line)
                break
        else:
            found.append([line])
    return found


def processor():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run(name, program, models, pages, threads):
    """One run over all pages: seconds of each, text of each, peak memory, processor seconds."""
    begin = processor()
    if name.startswith("RapidOCR"):
        kind = KINDS[name]
        out = subprocess.run([sys.executable, __file__, "--rapidocr", kind, str(threads), *map(str, pages)], capture_output=True, check=True).stdout
        found = json.loads(out)
        return [s for s, _ in found["pages"]], [t for _, t in found["pages"]], found["peak"], processor() - begin
    command = [program, "ocr", "--format", "json", "--policy", name, "--threads", str(threads), "--text-layer", "never"]
    environment = {"PATH": os.environ["PATH"], "CIVICUM_TUNE_OCR_MODELS": models}
    document = json.loads(subprocess.run(command + [pages[0].parent / "all.tiff"], env=environment, capture_output=True, check=True).stdout)
    read = document["pages"]
    return [p["seconds"] for p in read], [p["text"] for p in read], document["peak_memory_bytes"], processor() - begin


def plain(text):
    return re.sub(r"\s+", " ", text).strip()


def errors(truth, read):
    """Wrong characters, characters, accents that were read, accents."""
    from rapidfuzz.distance import Levenshtein

    truth, read = plain(truth), plain(read)
    edits = Levenshtein.editops(truth, read)
    lost = sum(edit.tag in ("replace", "delete") and truth[edit.src_pos] in ACCENTS for edit in edits)
    accents = sum(c in ACCENTS for c in truth)
    return len(edits), len(truth), accents - lost, accents


def main():
    program, models, folder, rounds, threads = sys.argv[1:6]
    folder, rounds, threads = Path(folder), int(rounds), int(threads)
    pages = sorted(folder.glob("easy-*.png")) + sorted(folder.glob("hard-*.png"))
    truths = [page.with_suffix(".txt").read_text() for page in pages]
    from PIL import Image

    pictures = [Image.open(page).convert("L") for page in pages]
    pictures[0].save(folder / "all.tiff", save_all=True, append_images=pictures[1:], compression="tiff_lzw", dpi=(200, 200))
    names = ["pp-ocr", *KINDS, "auto", "tesseract"]
    seconds, cpu, peaks, texts = {n: [] for n in names}, {n: [] for n in names}, {n: [] for n in names}, {}
    for turn in range(rounds):
        for name in names[turn % 2 :] + names[: turn % 2]:
            took, texts[name], peak, used = run(name, program, models, pages, threads)
            seconds[name].append(took)
            cpu[name].append(used / len(pages))
            peaks[name].append(peak)
            print(f"  {name}: {sum(took) / len(took):.2f} s a page, {used / len(pages):.2f} s of processor", file=sys.stderr)
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"{len(pages)} pages, {rounds} rounds in turns, {threads} thread(s), load {load}; medians\n")
    print("| | s a page | pages/min | processor s a page | peak MiB | CER easy | CER hard | CER all | accents |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in names:
        # The median of each page, so that a burst of the neighbours' spoils one page of one round.
        page = statistics.mean(statistics.median(column) for column in zip(*seconds[name]))
        found = [errors(truth, text) for truth, text in zip(truths, texts[name])]
        rate = lambda part: 100 * sum(f[0] for f in part) / sum(f[1] for f in part)
        easy = [f for f, p in zip(found, pages) if p.name.startswith("easy")]
        hard = [f for f, p in zip(found, pages) if p.name.startswith("hard")]
        accents = f"{sum(f[2] for f in found)}/{sum(f[3] for f in found)}"
        print(f"| {name} | {page:.2f} | {60 / page:.1f} | {statistics.median(cpu[name]):.2f} | {statistics.median(peaks[name]) / 2**20:.0f} "
              f"| {rate(easy):.2f} % | {rate(hard):.2f} % | {rate(found):.2f} % | {accents} |")
    for name in names:
        rates = [f"{100 * e / n:.2f}" for e, n, _, _ in (errors(t, x) for t, x in zip(truths, texts[name]))]
        print(f"\n{name}, by page: {' '.join(rates)}", end="")
    print()
    if os.environ.get("KEEP"):
        Path(os.environ["KEEP"]).write_text(json.dumps(texts))


if sys.argv[1] == "--rapidocr":
    rapidocr(sys.argv[2], int(sys.argv[3]), sys.argv[4:])
else:
    main()
