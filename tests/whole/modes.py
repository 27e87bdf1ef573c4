#!/usr/bin/env python3
"""modes.py BINARY MODEL DOCUMENTS [ROUNDS]: no core stands idle, and nobody who asks the model pays for it. The same documents are read, and
the same questions asked, first under the static limits of a usual compose file (half of the CPUs for the worker, as much for the model as
leaves one half of one free), then as civicum-tune shares the host out. Prints pages a minute while nobody asks the model, and its tokens a
second while all that can be read is being read.

DOCUMENTS is the folder that tests/ocr/documents.py writes."""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from stage import Stage, Supervisor, docker

binary, model, documents = sys.argv[1:4]
rounds = int((sys.argv[4:] + ["1"])[0])
stage = Stage("modes", binary, model)
check, until, tune, name = stage.check, stage.until, stage.tune, stage.name
cores = len(os.sched_getaffinity(0))
inbox = stage.folder / "inbox"
inbox.mkdir()
page = (pathlib.Path(documents) / "letter.png").read_bytes()

# 3 of 4 CPUs for the model and 2 of 4 for the worker, which reads two at a time in 1750 MiB: for as many CPUs as there are here.
hands = max(1, cores // 2)
STATIC = {"llm": f"cpus = {cores * 0.75}", "worker": f"cpus = {cores * 0.5}\nmemory = \"{875 * hands}MiB\""}
OURS = {"llm": f"cpus = {max(1, cores - 1)}\ncpu_weight = 200\nmemory_reading = \"800MiB\"",
        "worker": f"cpus = {cores}\ncpu_weight = 50\nmemory = \"{875 * hands}MiB\"\nmemory_reading = \"{875 * hands + 700}MiB\""}


def deploy(what):
    stage.write(f"""
[services.postgres]
memory = "512MiB"
pids = 128
cpu_weight = 300
{stage.small_model(2048, max(1, cores - 1))}
{what["llm"]}
[services.worker]
pids = 256
volumes = ["documents:/var/lib/civicum/documents", "{inbox}:/inbox:ro"]
{what["worker"]}
[services.worker.reading]
policy = "pp-ocr"
""")
    tune("validate", str(stage.profile))
    tune("deploy", "--yes")


number = 0


def enqueue(count):
    """The same page again is the same document: a comment behind its end makes it another one."""
    global number
    names = []
    for _ in range(count):
        number += 1
        (inbox / f"{number}.png").write_bytes(page + str(number).encode())
        names.append(f"/inbox/{number}.png")
    told = subprocess.run(["docker", "exec", f"{name}-worker", "civicum-tune", "queue", "enqueue", *names], capture_output=True, text=True)
    if told.returncode:
        check("documents are enqueued", False, told.stderr)


def done():
    return sum(row["state"] == "done" for row in stage.documents())


def empty():
    return not {row["state"] for row in stage.documents()} & {"queued", "reading"}


def pages_a_minute(left):
    """From the next document that ends until so many are left."""
    first = done()
    until("a document is read", lambda: done() > first, 60)
    begun, before = time.monotonic(), done()
    until("they are read", lambda: time.sleep(1) or sum(row["state"] in ("queued", "reading") for row in stage.documents()) <= left, 300)
    return 60 * (done() - before) / (time.monotonic() - begun)


def ask(tokens):
    """How many tokens a second the model's server says that it made. The host has no way to it: another container asks."""
    body = json.dumps({"prompt": "Escriba una carta larga sobre la municipalidad.", "n_predict": tokens, "ignore_eos": True, "cache_prompt": False})
    request = f"POST /completion HTTP/1.0\r\nHost: llm\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    told = subprocess.run(["docker", "exec", "-i", f"{name}-worker", "bash", "-c", "exec 3<>/dev/tcp/llm/8080; cat >&3; cat <&3"],
                          input=request, capture_output=True, text=True, timeout=180)
    return json.loads(told.stdout.split("\n\n", 1)[1])["timings"]["predicted_per_second"]


def tokens_a_second():
    ask(20)
    return [ask(200) for _ in range(5)]


def worker_says():
    return json.loads(docker("exec", f"{name}-worker", "bash", "-c",
                             "exec 3<>/dev/tcp/127.0.0.1/9000; printf 'GET /state HTTP/1.0\\r\\n\\r\\n' >&3; sed '1,/^\\r$/d' <&3"))


def modes(supervisor, to):
    return [e for e in supervisor.of("mode") if e["what"]["to"] == to]


def limits():
    return [stage.inspect(s, ".HostConfig.Memory") for s in ("llm", "worker")]


FULL = [str(1500 << 20), str((875 * hands) << 20)]


def complaints():
    told = json.loads(stage.ask("doctor", "--only", "CONT", "--format", "json").stdout)
    return sorted((one["id"], one["subject"] or "") for one in told["checks"] if one["status"] == "fail")


speeds = {"static": [], "ours": []}
pages = {"static": [], "ours": []}
for one in range(rounds):
    deploy(STATIC)
    enqueue(30 * hands)
    until("it reads", lambda: not empty())
    speeds["static"] += tokens_a_second()
    pages["static"].append(pages_a_minute(2 * hands))
    until("all are read", empty, 300)

    deploy(OURS)
    supervisor = Supervisor(stage)
    until("it sees the worker", lambda: supervisor.state()["services"]["worker"]["runs"])
    enqueue(75 * hands)
    until("it reads", lambda: not empty())
    speeds["ours"] += tokens_a_second()
    before = complaints()
    took = until("nobody asks the model, and it makes room", lambda: modes(supervisor, "reading"), 90)
    print(f"      after {took or 0:.0f} s")
    check("the worker has the memory", stage.inspect("worker", ".HostConfig.Memory") == str((875 * hands + 700) << 20), stage.inspect("worker", ".HostConfig.Memory"))
    check("the model sleeps", stage.inspect("llm", ".State.Status") == "paused" and stage.inspect("llm", ".HostConfig.Memory") == str(800 << 20))
    tune("plan", "--containers")
    tune("deploy", "--yes")
    check("a plan has nothing against it, and a deploy leaves it so", stage.inspect("llm", ".State.Status") == "paused")
    check("status says so", json.loads(tune("status", "--format", "json"))["supervisor"]["mode"] == "reading", tune("status"))
    check("doctor has no other complaint than before", complaints() == before, complaints())
    until("more are read at a time", lambda: len(worker_says()["in_work"]) > hands)
    pages["ours"].append(pages_a_minute(6 * hands))
    begun = time.monotonic()
    ask(20)
    print(f"      somebody asks the sleeping model, with documents in work: the whole answer is there after {time.monotonic() - begun:.1f} s")
    until("it is told", lambda: modes(supervisor, "answering"))
    check("both have their limits again", limits() == FULL)
    until("all are read", empty, 300)
    check("nothing was killed", not supervisor.of("killed") and not supervisor.of("stopped"), supervisor.of("stopped"))
    if one == 0:
        # Whatever happens to a model that sleeps, it has its memory back soon.
        enqueue(120 * hands)
        until("it makes room again", lambda: len(modes(supervisor, "reading")) == 2, 90)
        docker("unpause", f"{name}-llm")
        took = until("a model that was woken by somebody has its memory back", lambda: limits() == FULL, 120)
        print(f"      after {took or 0:.1f} s")
        until("it makes room once more", lambda: len(modes(supervisor, "reading")) == 3, 120)
        docker("stop", f"{name}-worker")
        took = until("without a worker the model wakes up", lambda: stage.inspect("llm", ".State.Status") == "running", 120)
        print(f"      after {took or 0:.1f} s")
        docker("start", f"{name}-worker")
        until("it makes room the fourth time", lambda: len(modes(supervisor, "reading")) == 4, 120)
        asleep = limits()
        supervisor.process.kill()
        supervisor.process.wait()
        supervisor = Supervisor(stage)
        until("a new supervisor sees that the model sleeps", lambda: supervisor.state()["mode"] == "reading")
        time.sleep(8)
        check("and leaves all of it as it is", limits() == asleep != FULL and stage.inspect("llm", ".State.Status") == "paused", limits())
    supervisor.process.terminate()
    check("it ends well", supervisor.process.wait(timeout=90) == 0)
    if one == 0:
        check("its end wakes the model", stage.inspect("llm", ".State.Status") == "running" and limits() == FULL, limits())
        check("and lets the worker read on", not worker_says()["paused"])
    until("all are read", empty, 600)

states = [row["state"] for row in stage.documents()]
check(f"{number} documents, all read", states.count("done") == len(states), {s: states.count(s) for s in set(states)})
for what, found, unit in [("reading while nobody asks the model", pages, "pages/min"), ("the model while all is read that can be", speeds, "tokens/s")]:
    static, ours = statistics.median(found["static"]), statistics.median(found["ours"])
    spread = " and ".join(f"{min(found[k]):.1f} to {max(found[k]):.1f}" for k in ("static", "ours"))
    print(f"      {what}: {static:.1f} {unit} under static limits, {ours:.1f} as shared out here: {ours / static:.2f} × ({spread}; {cores} CPUs)")
stage.end()
