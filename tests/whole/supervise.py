#!/usr/bin/env python3
"""supervise.py BINARY MODEL [LEAKS] [EVENTS]: the supervisor on a real engine, beside a real database, model and worker. Containers are
killed, taken away, driven into their limits and into a loop; the supervisor is killed, the engine is started anew under it. It asks
the engine that DOCKER_HOST names, under a deployment name of its own, and takes it all down at the end.

CIVICUM_TUNE_ENGINE is the command that starts that engine again, once this has ended it; without it that part is left out."""

import atexit
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import zlib

binary, model = (os.path.abspath(path) for path in sys.argv[1:3])
leaks, burst = (int(number) for number in (sys.argv[3:] + ["3", "2000"][len(sys.argv) - 3:]))
name = f"ctsuper{os.getpid()}"
passed = failed = 0


def check(what, good, told=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok  ' if good else 'FAIL'}  {what}{'' if good else f': {told}'}", flush=True)


def tune(*args, status=0):
    done = subprocess.run([binary, "--profile", str(profile), *args], capture_output=True, text=True)
    if done.returncode != status:
        print(done.stdout[-3000:], done.stderr[-3000:], flush=True)
        check(f"civicum-tune {' '.join(args)}", False, f"status {done.returncode}")
        end()
    return done.stdout


def docker(*args):
    return subprocess.run(["docker", *args], capture_output=True, text=True).stdout.strip()


def end():
    print(f"{passed} passed, {failed} failed")
    sys.exit(bool(failed))


def inspect(service, what):
    return docker("inspect", "--format", "{{" + what + "}}", f"{name}-{service}")


def pid(service):
    return int(inspect(service, ".State.Pid") or 0)


def main_of(service):
    """The program behind the engine's own first process."""
    first = pid(service)
    children = pathlib.Path(f"/proc/{first}/task/{first}/children").read_text().split()
    return int(children[0]) if children else first


def until(what, good, seconds=30):
    """Waits until it is so; how long that took, in seconds."""
    begun = time.monotonic()
    while time.monotonic() - begun < seconds:
        try:
            if good():
                return time.monotonic() - begun
        except (OSError, ValueError, LookupError, http.client.HTTPException):
            pass
        time.sleep(0.05)
    check(what, False, f"not within {seconds} s")
    return None


class Supervisor:
    """The supervisor in the foreground; what it tells is read as it comes."""

    def __init__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.events = []
        self.process = subprocess.Popen([binary, "--profile", str(profile), "--format", "json", "supervise", "--listen", f"127.0.0.1:{self.port}"],
                                        stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self.read, daemon=True).start()
        atexit.register(self.process.kill)

    def read(self):
        for line in self.process.stdout:
            event = json.loads(line)
            event["heard"] = time.monotonic()
            self.events.append(event)

    def of(self, kind, service=None, after=0):
        return [e for e in self.events[after:] if e["what"]["kind"] == kind and service in (None, e.get("service"))]

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def state(self):
        return json.loads(self.get("/state"))

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss(self):
        return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{self.process.pid}/status").read_text())[1]) / 1024


folder = tempfile.TemporaryDirectory(prefix="ct-super-")
profile = pathlib.Path(folder.name, "super.toml")
shutil.copy(model, f"{folder.name}/model.gguf")
os.chmod(folder.name, 0o755)
inbox = pathlib.Path(folder.name, "inbox")
inbox.mkdir()
# 72 MiB for the worker: it reads small pages in that, and a large one drives it into its limit.
profile.write_text(f"""
name = "super"
[deployment]
name = "{name}"
deadline = "3min"
[memory]
reserve = "512MiB"
[services.postgres]
memory = "512MiB"
pids = 128
[services.llm]
role = "llama-server"
memory = "1500MiB"
pids = 128
command = ["llama-server", "--host", "0.0.0.0", "--port", "8080", "--model", "/models/model.gguf", "--ctx-size", "1024",
  "--parallel", "1", "--threads", "1", "--chat-template", "gemma"]
volumes = ["{folder.name}/model.gguf:/models/model.gguf:ro"]
[services.worker]
memory = "72MiB"
memory_swap = "72MiB"
pids = 128
volumes = ["documents:/var/lib/civicum/documents", "{inbox}:/inbox:ro"]
[services.worker.reading]
policy = "tesseract"
memory = "1GiB"
""")
atexit.register(lambda: subprocess.run([binary, "--profile", str(profile), "down", "--data", "--yes"], capture_output=True))
tune("deploy", "--yes")


def queue(*args):
    return docker("exec", f"{name}-worker", "civicum-tune", "queue", *args)


def enqueue(path, number):
    """The same page again is the same document: a comment in it makes it another one."""
    copy = inbox / f"{number}-{path.name}"
    copy.write_bytes(path.read_bytes() + b"\n%" + str(number).encode())
    told = subprocess.run(["docker", "exec", f"{name}-worker", "civicum-tune", "queue", "enqueue", f"/inbox/{copy.name}"],
                          capture_output=True, text=True)
    if told.returncode:
        check(f"{copy.name} is enqueued", False, told.stderr)
    copy.unlink()


supervisor = Supervisor()
until("it sees the worker", lambda: supervisor.state()["services"]["worker"]["runs"])
others = {service: (pid(service), main_of(service)) for service in ("postgres", "llm")}
check("one supervisor for a deployment", "supervised already" in subprocess.run(
    [binary, "--profile", str(profile), "supervise"], capture_output=True, text=True).stderr)

# Calm: what it costs.
time.sleep(5)
before, begun = supervisor.cpu(), time.monotonic()
time.sleep(20)
cpu = 100 * (supervisor.cpu() - before) / (time.monotonic() - begun)
check(f"calm, it takes {cpu:.2f} % of a CPU", cpu < 0.5)

# A worker that dies is back soon, and the supervisor says so.
mark, begun = len(supervisor.events), time.monotonic()
os.kill(main_of("worker"), signal.SIGKILL)
took = until("the worker runs again", lambda: supervisor.state()["services"]["worker"]["runs"] and supervisor.of("started", "worker", mark)
             and docker("exec", f"{name}-worker", "bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/9000 && echo ok") == "ok")
check(f"from the kill to a worker that answers: {took or 99:.2f} s", (took or 99) < 5)
died = supervisor.of("stopped", "worker", mark)
check("its death is told", died and died[0]["what"]["how"] == "died" and died[0]["what"]["status"] == 137, supervisor.events[mark:])

# One that was taken away is made again.
mark = len(supervisor.events)
docker("rm", "-f", f"{name}-worker")
took = until("a container that is gone is made again", lambda: pid("worker") and supervisor.of("mended", None, mark), 60)
print(f"      after {took or 0:.1f} s")

# One that somebody stopped stays so.
until("the worker answers", lambda: supervisor.state()["services"]["worker"]["healthy"], 60)
mark = len(supervisor.events)
docker("stop", f"{name}-worker")
until("its end is told", lambda: supervisor.of("stopped", "worker", mark))
time.sleep(3)
check("whom somebody stopped stays down", pid("worker") == 0 and supervisor.of("stopped", "worker", mark)[0]["what"]["how"] == "by-hand",
      supervisor.events[mark:])
docker("start", f"{name}-worker")
until("the worker answers", lambda: supervisor.state()["services"]["worker"]["healthy"], 60)

# Leaks: each document drives what reads it over the worker's limit; the document comes back.
# A white page of 19 million pixels.
large = pathlib.Path(folder.name, "large.png")
rows = zlib.compress((b"\0" + b"\xff" * 4400) * 4400, 1)
part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
large.write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", 4400, 4400, 8, 0, 0, 0, 0)) + part(b"IDAT", rows) + part(b"IEND", b""))
mark = len(supervisor.events)


def rows():
    return json.loads(queue("list", "--format", "json", "--most", "500"))["documents"]


for number in range(leaks):
    before = len(supervisor.of("killed", "worker", mark))
    enqueue(large, number)
    until(f"leak {number + 1} is told", lambda: len(supervisor.of("killed", "worker", mark)) > before, 60)
    # With room, it is read the second time.
    docker("update", "--memory", "800m", "--memory-swap", "800m", f"{name}-worker")
    until(f"document {number + 1} is read in the end", lambda: not {row["state"] for row in rows()} & {"queued", "reading"}, 120)
    docker("update", "--memory", "72m", "--memory-swap", "72m", f"{name}-worker")
kills = supervisor.of("killed", "worker", mark)
limit = 72 << 20
good = [e for e in kills if e["what"]["killed"]["short"] == {"of": "container", "limit": limit} and not e["what"]["killed"]["whole"]]
named = sum(bool(e["what"]["documents"]) for e in kills)
check(f"{len(kills)} kills, each told with its limit, {named} with their document", len(good) == len(kills) >= leaks, [e for e in kills if e not in good][:2])
check("the database and the model did not notice", others == {service: (pid(service), main_of(service)) for service in others})
states = [row["state"] for row in rows()]
check(f"{leaks} leaks: none lost, none doubled ({', '.join(f'{states.count(s)} {s}' for s in sorted(set(states)))})", states == ["done"] * leaks, states)
docker("update", "--memory", "800m", "--memory-swap", "800m", f"{name}-worker")

# A supervisor that is killed and comes again touches nothing.
pids = {service: pid(service) for service in ("postgres", "llm", "worker")}
supervisor.process.send_signal(signal.SIGKILL)
supervisor.process.wait()
supervisor = Supervisor()
until("the new one sees the worker", lambda: supervisor.state()["services"]["worker"]["runs"])
time.sleep(8)
check("a new supervisor touches no container", pids == {service: pid(service) for service in pids})
check("its limit is put right again", inspect("worker", ".HostConfig.Memory") == str(limit), inspect("worker", ".HostConfig.Memory"))

# A burst of events.
mark, begun, before = len(supervisor.events), time.monotonic(), supervisor.cpu()
engine = os.environ["DOCKER_HOST"].removeprefix("unix://")
pipe = socket.socket(socket.AF_UNIX)
pipe.connect(engine)
connection = http.client.HTTPConnection("engine")
connection.sock = pipe
for _ in range(burst):
    connection.request("POST", f"/containers/{name}-llm/kill?signal=SIGURG")
    connection.getresponse().read()
sent = time.monotonic() - begun
os.kill(main_of("worker"), signal.SIGKILL)
killed = time.monotonic()
until("a death behind the burst is heard", lambda: supervisor.of("stopped", "worker", mark))
heard = supervisor.of("stopped", "worker", mark)
check(f"{burst} events in {sent:.1f} s; the death behind them is heard {heard[0]['heard'] - killed if heard else 99:.2f} s later, for "
      f"{supervisor.cpu() - before:.2f} s of CPU", heard and heard[0]["heard"] - killed < 2)

# The engine starts anew under it.
if os.environ.get("CIVICUM_TUNE_ENGINE"):
    until("the worker answers", lambda: supervisor.state()["services"]["worker"]["healthy"], 60)
    mark = len(supervisor.events)
    subprocess.run(os.environ["CIVICUM_TUNE_ENGINE"], shell=True, check=True, stdout=subprocess.DEVNULL)
    until("it is away, and back", lambda: supervisor.of("engine-away", None, mark) and supervisor.of("engine-back", None, mark), 60)
    until("all of it runs", lambda: all(s["healthy"] for n, s in supervisor.state()["services"].items()), 120)
    check("the engine started anew, and all runs again", all(s["runs"] for s in supervisor.state()["services"].values()), supervisor.state()["services"])

# A loop is broken.
mark = len(supervisor.events)
for _ in range(8):
    if supervisor.of("loop", "worker", mark):
        break
    until("the worker runs", lambda: pid("worker"), 60)
    try:
        os.kill(main_of("worker"), signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError, PermissionError):
        pass
    time.sleep(1)
looped = supervisor.of("loop", "worker", mark)
check("a loop is broken for a minute", looped and looped[0]["what"]["pause_ms"] == 60000, supervisor.events[mark:])
until("it is stopped", lambda: pid("worker") == 0)
text = supervisor.get("/metrics")
check("the metrics tell", f'civicum_service_up{{service="worker"}} 0' in text and 'civicum_service_up{service="postgres"} 1' in text, text[-2000:])
check(f"at most {supervisor.rss():.1f} MiB of memory", supervisor.rss() < 20)

supervisor.process.terminate()
check("it ends well", supervisor.process.wait(timeout=30) == 0)
history = subprocess.run([binary, "history", "--events", "-n", "1000"], capture_output=True, text=True).stdout
check("its history is kept", "dies again and again" in history and "the supervisor ended" in history, history[-1500:])
end()
