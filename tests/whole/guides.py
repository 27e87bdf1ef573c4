#!/usr/bin/env python3
"""guides.py BINARY MODEL DOCUMENTS: what the guides do with a deployment is done with one. Five services and the supervisor are brought up by the
guides' own commands; documents go in through the proxy and from the shell, are reviewed, kill their reader and are tried again; a dump goes back;
all is lost, and comes back from the backup; all of it is taken down. It asks the engine that DOCKER_HOST names, under a deployment name of its
own.

Of a guide it carries out the blocks `console engine` and `sh deployed`, line by line. Replaced are what the deployment is called, its ports, the
schema (one that is short enough for a small model), where the profile and the backup lie, and what a guide makes up (FILE.sql, document 12). Left
out is `images build`, which needs the mirrors: run.sh has done it. tests/guides.rs compares the two languages, so it reads the English ones."""

import os
import pathlib
import pty
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time

from stage import Stage, Supervisor, docker

binary, model, documents = sys.argv[1:4]
os.environ.setdefault("USER", "root")     # as a login shell has it
documents = pathlib.Path(documents)
pages = pathlib.Path(__file__).resolve().parents[2] / "docs/guides"
dumps = pathlib.Path("/var/lib/civicum-tune/dumps")
stage = Stage("guides", binary, model)
check, until, name, folder = stage.check, stage.until, stage.name, stage.folder
shutil.copy(documents / "text-layer.pdf", folder / "letter.pdf")
schemas = folder / "schemas"
schemas.mkdir()
(schemas / "breve.json").write_text("""{"type": "object", "required": ["materia", "rut"], "additionalProperties": false,
"properties": {"materia": {"type": "string", "maxLength": 40}, "rut": {"type": ["string", "null"], "maxLength": 12}}}""")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]


def profile(work_mem):
    stage.write(f"""
[services.postgres]
memory = "512MiB"
pids = 128
[services.postgres.settings]
work_mem = "{work_mem}"
{stage.small_model(4096, 2)}
[services.worker]
memory = "1100MiB"
pids = 128
schemas = "{schemas}"
[services.worker.reading]
policy = "tesseract"
[services.worker.extraction]
predict = 256
deadline = "5min"
[services.api]
memory = "64MiB"
pids = 64
schemas = "{schemas}"
[services.proxy]
memory = "64MiB"
pids = 64
publish = ["127.0.0.1:{port}:8080"]
""")


supervisor, quarantined, done = None, None, set()


def newest_dump():
    return max(dumps.glob(f"{name}-postgres-*.sql"), key=lambda path: path.stat().st_mtime, default=dumps / "none.sql")


def here(line):
    """A guide's line as it has to be for this deployment."""
    for service in ("worker", "api", "postgres", "documents"):
        line = re.sub(rf"\bcivicum-{service}\b", f"{name}-{service}", line)
    line = line.replace("/secrets/civicum/", f"/secrets/{name}/").replace("127.0.0.1:8080", f"127.0.0.1:{port}")
    line = line.replace("schema=carta", "schema=breve").replace("--schema carta", "--schema breve")
    line = line.replace(f"{dumps}/FILE.sql", str(newest_dump())).replace("/root/backup", str(folder / "backup"))
    line = line.replace("/etc/civicum-tune/profile.toml", str(stage.profile))
    if supervisor:
        line = line.replace("127.0.0.1:9465", f"127.0.0.1:{supervisor.port}")
    if quarantined:
        line = re.sub(r"\b12\b", str(quarantined), line)
    # A host on which tests run is busy, and curl counts what a server refuses as an answer.
    line = line.replace("bench llm --quick", "bench llm --quick --force-under-load")
    return line.replace("sudo ", "").replace("curl ", "curl -sS --fail-with-body ")


def settled():
    """Nothing waits or is in work. Where a guide's reader has to wait, the guide's own lines do."""
    until("the documents have ended", lambda: not {row["state"] for row in stage.documents()} & {"queued", "reading", "read", "extracting"}, 600)


def blocks(page):
    return re.findall(r"^```(console engine|sh deployed)\n(.*?)^```", (pages / page).read_text(), re.M | re.S)


def tell(line, good, answer):
    done.add(line)
    check(line, good, f"status {answer.returncode}: {(answer.stdout + answer.stderr)[-1500:]}")


def session(line):
    words = shlex.split(here(line))[1:]
    if words[:2] == ["images", "build"]:
        print(f"left  {line}", flush=True)
        return
    if "--watch" in words:
        # It has no end of its own, and wants a terminal.
        ours, theirs = pty.openpty()
        watch = subprocess.Popen([binary, "--profile", str(stage.profile), *words], stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        time.sleep(5)
        shown = os.read(ours, 65536).decode(errors="replace")
        check(line, watch.poll() is None and "worker" in shown, shown[-500:])
        watch.terminate()
        watch.wait(timeout=30)
        os.close(ours)
        done.add(line)
        return
    if words[0] in ("deploy", "down"):
        words.append("--yes")
    answer = stage.ask(*words, cwd=folder)
    good = (0, 1) if words[0] in ("plan", "doctor") else (0,)
    tell(line, answer.returncode in good, answer)


def script(text):
    before = "set -euo pipefail\n"
    # A line that ends with a pipe goes on in the next one.
    for line in text.replace("|\n", "| ").splitlines():
        if not line or line.startswith("#"):
            continue
        # The program that is tested, with the deployment's profile; in a container it is the container's.
        line_here = re.sub(r"(^|\buntil )civicum-tune\b", rf"\1{stage.binary} --profile {stage.profile}", here(line))
        # `timeout`: what a guide waits for comes, or the guide waits for the wrong thing.
        words = ["timeout", "600", "bash", "-c", before + line_here]
        answer = subprocess.run(words, capture_output=True, text=True, cwd=folder)
        tell(line, answer.returncode == 0, answer)
        # What one line sets, the next ones use.
        if re.match(r"\w+=", line):
            before += line_here + "\n"


def follow(page, after=lambda line: None):
    print(f"==> {page}", flush=True)
    for kind, text in blocks(page):
        if kind == "sh deployed":
            script(text)
        else:
            for line in text.splitlines():
                if line.startswith("$ "):
                    session(line[2:])
        after(text)


def states():
    return {row["id"]: row["state"] for row in stage.documents()}


def kill_the_reader():
    """As the kernel does it that is out of memory."""
    for line in docker("top", f"{name}-worker", "-eo", "pid,args").splitlines():
        pid, arguments = line.split(None, 1)
        if " ocr --format json " in arguments:
            os.kill(int(pid), signal.SIGKILL)
            return True
    return False


profile("8MB")
follow("first-document.md")
check("the two documents are reviewed, as the guide says", states() == {1: "accepted", 2: "rejected"}, states())

quarantined = int(stage.tune("queue", "enqueue", str(documents / "scan.pdf")))
for time_of_two in ("once", "twice"):
    until(f"its reader is killed {time_of_two}", kill_the_reader, 60)
until("what kills its reader twice is put aside", lambda: states().get(quarantined) == "quarantined", 60)
supervisor = Supervisor(stage)
until("the supervisor sees the worker", lambda: supervisor.state()["services"]["worker"]["runs"])
until("the worker says what it does", lambda: supervisor.state()["waiting"] is not None)
follow("after-an-oom.md")
settled()
check("it is read when it is tried again", states().get(quarantined) == "done", states())
follow("security-model.md")

# A limit and a setting differ, as in the guide; the setting makes a new container, and a dump before it.
profile("6MB")
in_the_dump = states()
in_the_backup = {}


def step(text):
    """After the deploy that made the dump one more document comes; after a restore whoever was stopped is down still. When the dump went
    back, the server is lost: containers, volumes, secrets."""
    if "deploy" in text and not step.later:
        until("the worker answers", lambda: stage.inspect("worker", ".State.Health.Status") == "healthy", 120)
        check("the database was dumped", newest_dump().exists(), newest_dump())
        step.later = int(stage.tune("queue", "enqueue", "--key", "later", str(folder / "letter.pdf")))
        settled()
    elif "pg_dumpall" in text:
        in_the_backup.update(states())
    elif "DROP DATABASE" in text:
        down = [stage.inspect(service, ".State.Running") for service in ("worker", "api")]
        check("whom somebody stopped stays down", down == ["false", "false"], down)
        step.is_stopped = True
    elif step.is_stopped:
        until("the worker answers", lambda: stage.inspect("worker", ".State.Health.Status") == "healthy", 120)
        until("the API answers again", lambda: stage.inspect("api", ".State.Health.Status") == "healthy", 120)
        wanted = in_the_backup if step.restored else in_the_dump
        check("the database has what it had then, and nothing later", states() == wanted, (states(), wanted))
        check("the documents' results are there as well", stage.tune("queue", "show", "1", "--text").strip() != "")
        step.is_stopped = False
        step.restored += 1
        if step.restored == 1:
            stage.tune("down", "--data", "--yes")
            left = docker("volume", "ls", "-q", "--filter", f"label=civicum-tune.deployment={name}")
            check("the server is lost", left == "" and not secrets.exists(), left)
    elif "status --watch" in text:
        check("the documents' results are still there", stage.tune("queue", "show", "1", "--text").strip() != "")


step.later, step.restored, step.is_stopped = 0, 0, False
secrets = pathlib.Path("/var/lib/civicum-tune/secrets") / name
follow("day-2.md", step)
check("the restore was reached, and the new server", step.restored == 2, step.restored)
check("nothing runs any more", docker("ps", "-q", "--filter", f"label=civicum-tune.deployment={name}") == "")
supervisor.process.terminate()
supervisor.process.wait(timeout=30)
# Each kind of thing was there to be done, so that a guide that lost its blocks does not pass.
for word in ("curl -H", "until curl", "until civicum-tune queue", "queue show 2 --text", "queue review 1 --accept", "queue review 12 --reject",
             "queue retry 12", "docker stop", "DROP DATABASE", "docker exec -i", "pg_dumpall", "documents.tar", "backup/secrets", "ALTER ROLE",
             "bench llm", "/metrics", "civicum-tune down"):
    check(f"some guide has `{word}`", any(word in line for line in done))
for path in dumps.glob(f"{name}-*.sql"):
    path.unlink()
stage.end()
