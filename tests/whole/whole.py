#!/usr/bin/env python3
"""whole.py BINARY MODEL DOCUMENTS: the whole of it on a real engine: images are made, database, model, worker, API and proxy come up,
documents of every kind go in through the proxy, and what comes out is compared with what they say. It asks the engine that
DOCKER_HOST names, under a deployment name of its own, and takes it all down at the end.

DOCUMENTS is the folder that tests/ocr/documents.py writes."""

import hashlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

from stage import Stage, docker

binary, model, documents = sys.argv[1:4]
documents = pathlib.Path(documents)
stage = Stage("whole", binary, model)
check, tune, end, name, folder = stage.check, stage.tune, stage.end, stage.name, stage.folder

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
# Short enough for a model of 270 million parameters, which would go on for ever in a longer one.
schemas = folder / "schemas"
schemas.mkdir()
(schemas / "breve.json").write_text(json.dumps({
    "type": "object", "required": ["materia", "rut"], "additionalProperties": False,
    "properties": {"materia": {"type": "string", "maxLength": 40}, "rut": {"type": ["string", "null"], "maxLength": 12}}}))
stage.write(f"""
[services.postgres]
memory = "512MiB"
pids = 128
[services.postgres.settings]
work_mem = "8MB"
{stage.small_model(4096, 2)}
[services.worker]
memory = "1100MiB"
pids = 128
schemas = "{schemas}"
[services.worker.extraction]
predict = 256
deadline = "5min"
[services.worker.retention]
reviewed = 30
[services.api]
memory = "64MiB"
pids = 64
schemas = "{schemas}"
[services.proxy]
memory = "64MiB"
pids = 64
publish = ["127.0.0.1:{port}:8080"]
""")

begun = time.monotonic()
tune("deploy", "--yes")
print(f"      up after {time.monotonic() - begun:.0f} s")
status = json.loads(tune("status", "--format", "json"))
check("all five are healthy", [s["health"] for s in status["services"]] == ["healthy"] * 5, status["services"])
tune("plan", "--containers")
check("and nothing is left to do", True)
token = pathlib.Path(f"/var/lib/civicum-tune/secrets/{name}/api-token").read_text().strip()


def ask(method, path, body=None, headers=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, {"Authorization": f"Bearer {token}", **(headers or {})},
                                     method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(errors="replace")


def send(path, **query):
    return ask("POST", "/v1/documents?" + urllib.parse.urlencode({"name": path.name, **query}), path.read_bytes())


def distance(one, other):
    """Levenshtein's, with a row at a time."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


check("nobody without the token", ask("GET", "/v1/documents", headers={"Authorization": "Bearer no"})[0] == 401)
code, told = ask("POST", "/v1/documents", b"%PDF-" + bytes(8 << 20), {"Authorization": "Bearer no"})
check("nor before a large body is taken", code == 401, told)
code, told = ask("POST", "/v1/documents", b"%PDF-" + bytes(51 << 20))
check("nothing larger than 50 MiB", code == 413, told)
for path, status in [("empty.pdf", 400), ("text.pdf", 415)]:
    found = send(documents / path)
    check(f"{path} is refused at the door", found[0] == status, found)
sent = {}
for path in sorted(documents.iterdir()):
    if path.suffix == ".txt" or path.name in ("empty.pdf", "text.pdf", "pages"):
        continue
    query = {"schema": "breve"} if path.name in ("letter.png", "text-layer.pdf") else {}
    # A name with a line break is no name at the door.
    query["name"] = path.name.replace("\n", " ")
    found = send(path, **query)
    check(f"{path.name!r} is taken in", found[0] == 202, found[1] if found[0] != 202 else "")
    sent[path.name] = found[1]["id"]
begun, ended, known = time.monotonic(), ("done", "failed", "quarantined", "cancelled"), {}
while time.monotonic() - begun < 900 and len(known) < len(sent):
    for path, number in sent.items():
        if path not in known:
            found = ask("GET", f"/v1/documents/{number}")[1]
            if found["state"] in ended:
                known[path] = found
    time.sleep(1)
print(f"      all ended after {time.monotonic() - begun:.0f} s")
check("every document has ended", len(known) == len(sent), [path for path in sent if path not in known])

# What they say, and how much of it may be misread, in per cent.
for path, most in [("letter.png", 2), ("scan.pdf", 2), ("fax.tiff", 4), ("text-layer.pdf", 0.5), ("twenty.pdf", 0.5), ("skewed.jpg", 6), ("noisy.jpg", 8)]:
    truth = " ".join((documents / path).with_suffix(".txt").read_text().split())
    code, result = ask("GET", f"/v1/documents/{sent[path]}/result/ocr")
    if code != 200:
        check(f"{path}: it was read", False, result)
        continue
    text = " ".join(result["text"].split())
    # The long one is compared by its words alone: letter by letter it would take minutes.
    wrong = 100 * (1 - len(set(truth.split()) & set(text.split())) / len(set(truth.split()))) if len(truth) > 5000 else \
        100 * distance(truth, text) / len(truth)
    engines = sorted({page["engine"] for page in result["pages"]})
    check(f"{path}: {wrong:.2f} % misread by {', '.join(engines)}", wrong <= most)
code, result = ask("GET", f"/v1/documents/{sent['letter.png']}/result/ocr")
check("its RUT is found, and its check digit right", any(r["rut"] == "12345678-5" and r["valid"] for r in result["ruts"]), result["ruts"])
for path, why in [("encrypted.pdf", "encrypted"), ("broken.pdf", "damaged"), ("many-pages.pdf", "too_many_pages"),
                  ("large-page.pdf", "too_many_pixels"), ("large.png", "too_many_pixels")]:
    found = known.get(path, {})
    check(f"{path} ends as {why}", found.get("state") == "failed" and str(found.get("error")).startswith(why), found.get("error"))
for path in ("letter.png", "text-layer.pdf"):
    code, result = ask("GET", f"/v1/documents/{sent[path]}/result/extract")
    # A model of 270 million parameters: that its answer has the schema's shape is all that can be asked of it.
    error = known.get(path, {}).get("error")
    check(f"{path}: the model's answer has the schema's shape", code == 200 and set(result["value"]) == {"materia", "rut"}, result if code == 200 else error)
status = json.loads(tune("status", "--format", "json"))
check("nothing was killed or started anew", not any(s["restarts"] or s["oom_kills"] for s in status["services"]))
check("the worker left no file behind", docker("exec", f"{name}-worker", "ls", "-A", "/tmp") == "", docker("exec", f"{name}-worker", "ls", "-A", "/tmp"))
# The same questions from the host, which reaches no database: they are asked through the engine.
inside = json.loads(docker("exec", f"{name}-worker", "civicum-tune", "--format", "json", "queue", "list", "--most", "3"))
check("the host's own queue list is the worker's", json.loads(tune("--format", "json", "queue", "list", "--most", "3")) == inside, inside)
check("and in the language that is asked for", "DOCUMENTO" in tune("--lang", "es", "queue", "list", "--state", "failed"))
odd = pathlib.Path(folder, "$(touch x) -ñ; 'a\".png")
shutil.copy(documents / "letter.png", odd)
shutil.copy(documents / "text-layer.pdf", f"{folder}/segundo.pdf")
found = json.loads(tune("--format", "json", "queue", "enqueue", "--priority", "3", str(odd), f"{folder}/segundo.pdf"))["documents"]
sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (documents / "letter.png", documents / "text-layer.pdf")]
check("two files go in from the host, whatever they are called", [d["sha256"] for d in found] == sums and found[0]["name"] == odd.name, found)
large = folder / "large.pdf"
large.write_bytes(b"%PDF-1.4\n" + os.urandom(40 << 20))
number = int(tune("queue", "enqueue", "--key", "grande", str(large)))
known = json.loads(tune("--format", "json", "queue", "show", str(number)))["document"]
check("and one of 40 MiB, whole", known["bytes"] == large.stat().st_size and known["sha256"] == hashlib.sha256(large.read_bytes()).hexdigest(), known)
check("the same key is the same document", int(tune("queue", "enqueue", "--key", "grande", str(large))) == number)
tune("queue", "enqueue", "--most", "1", str(large), status=2)
tune("queue", "enqueue", "--schema", "--help", str(odd), status=2)
before = json.loads(tune("--format", "json", "queue", "list", "--most", "1"))["documents"][0]["id"]
cut = docker("exec", "-i", f"{name}-worker", "civicum-tune", "queue", "enqueue", "--bytes", "999", "-")
check("what breaks off on its way is no document", json.loads(tune("--format", "json", "queue", "list", "--most", "1"))["documents"][0]["id"] == before)
typed = stage.ask("queue", "enqueue", "--name", "typed", "-", input=large.read_bytes()[:1000], text=False)
check("one from standard input", typed.returncode == 0 and typed.stdout.strip().isdigit(), typed)
gone = stage.ask("queue", "show", "999999")
check("its complaints and its status come through", gone.returncode == 2 and "999999" in gone.stderr and gone.stdout == "", gone)
tune("queue", "cancel", str(number))
check("stats, through the engine", "ocr" in tune("queue", "stats"))
tune("queue", "review", "--accept", "--by", "Ana", "--note", "$(touch x) \"visto\"", str(sent["scan.pdf"]))
review = ask("GET", f"/v1/documents/{sent['scan.pdf']}")[1]
check("a review from the host", review["state"] == "accepted" and review["review"]["note"] == "$(touch x) \"visto\"", review)
code, review = ask("POST", f"/v1/documents/{sent['twenty.pdf']}/review", b'{"verdict": "rejected", "reviewer": "Luis"}')
check("and one through the proxy", code == 200 and review["state"] == "rejected", review)
tune("queue", "review", "--accept", "--by", "Ana", str(sent["broken.pdf"]), status=1)
tune("queue", "delete", "--yes", str(sent["twenty.pdf"]))
gone = ask("GET", f"/v1/documents/{sent['twenty.pdf']}")[1]
check("who is asked to delete a document can", gone["state"] == "deleted" and not gone["name"], gone)
check("and its result is gone", ask("GET", f"/v1/documents/{sent['twenty.pdf']}/result/ocr")[0] == 410)
docker("stop", f"{name}-worker")
check("without a worker the API's container is asked", "DOCUMENT" in tune("queue", "list"))
docker("stop", f"{name}-api")
gone = stage.ask("queue", "list")
check("without both it says how to go on", gone.returncode == 2 and "deploy" in gone.stderr and "--database" in gone.stderr, gone)
begun = time.monotonic()
code, told = ask("GET", "/v1/documents")
took = time.monotonic() - begun
check(f"the door says so after {took:.1f} s, as the API would", code == 503 and json.loads(told)["status"] == 503 and took < 10, (code, told))
docker("start", f"{name}-worker", f"{name}-api")

# A limit alone changes while the worker runs.
written = stage.profile.read_text()
stage.profile.write_text(written.replace('memory = "1100MiB"', 'memory = "1200MiB"'))
changes = json.loads(tune("deploy", "--dry-run", "--format", "json", status=1))["changes"]
check("another memory limit is an update", [(c["kind"], c["target"]) for c in changes if c["kind"] != "await"] == [("update", f"{name}-worker")], changes)
stage.profile.write_text(written)


def log_of(service):
    return subprocess.run(["docker", "logs", f"{name}-{service}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


log = log_of("worker") + log_of("api") + log_of("proxy")
check("and no log tells anything of them", not any(word in log for word in ("12.345.678", "12345678", "Peñalolén", "letter.png")))
way_out = docker("exec", f"{name}-worker", "bash", "-c", "for a in 8.8.8.8 1.1.1.1; do timeout 2 bash -c \"exec 3<>/dev/tcp/$a/53\" 2>/dev/null && echo out; done; true")
check("and it has no way out", way_out == "", way_out)
end()
