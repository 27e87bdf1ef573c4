#!/usr/bin/env python3
"""supervise.py BINARY MODEL [LEAKS] [EVENTS]: the supervisor on a real engine, beside a real database, model and worker. Containers are
killed, taken away, driven into their limits and into a loop; the supervisor is killed, the engine is started anew under it. It asks
the engine that DOCKER_HOST names, under a deployment name of its own, and takes it all down at the end.

CIVICUM_TUNE_ENGINE is the command that ends that engine and starts it again, CIVICUM_TUNE_ENGINE_CRASH the one that kills it and does so;
without the first that part is left out."""

import http.client
import os
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import time
import zlib

from stage import Stage, Supervisor, docker

binary, model = sys.argv[1:3]
leaks, burst = (int(number) for number in (sys.argv[3:] + ["3", "2000"][len(sys.argv) - 3:]))
stage = Stage("super", binary, model)
check, until, tune, end, name = stage.check, stage.until, stage.tune, stage.end, stage.name
pid, main_of, inspect, folder = stage.pid, stage.main_of, stage.inspect, stage.folder
inbox = folder / "inbox"
inbox.mkdir()
# 72 MiB for the worker: it reads small pages in that, and a large one drives it into its limit.
stage.write(f"""
[services.postgres]
memory = "512MiB"
pids = 128
{stage.small_model(1024, 1)}
[services.worker]
memory = "72MiB"
memory_swap = "72MiB"
pids = 128
volumes = ["documents:/var/lib/civicum/documents", "{inbox}:/inbox:ro"]
[services.worker.reading]
policy = "tesseract"
memory = "1GiB"
[services.api]
memory = "64MiB"
pids = 64
""")
tune("deploy", "--yes")


def enqueue(path, number):
    """The same page again is the same document: a comment in it makes it another one."""
    copy = inbox / f"{number}-{path.name}"
    copy.write_bytes(path.read_bytes() + b"\n%" + str(number).encode())
    told = subprocess.run(["docker", "exec", f"{name}-worker", "civicum-tune", "queue", "enqueue", f"/inbox/{copy.name}"],
                          capture_output=True, text=True)
    if told.returncode:
        check(f"{copy.name} is enqueued", False, told.stderr)
    copy.unlink()


supervisor = Supervisor(stage)
until("it sees the worker", lambda: supervisor.state()["services"]["worker"]["runs"])
until("the worker says what it does", lambda: supervisor.state()["waiting"] is not None)
others = {service: (pid(service), main_of(service)) for service in ("postgres", "llm")}
check("one supervisor for a deployment", "supervised already" in stage.ask("supervise").stderr)

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

# A signal through the engine has it take the next death for a wish, and start nothing again.
mark = len(supervisor.events)
docker("kill", "--signal", "SIGUSR2", f"{name}-worker")
time.sleep(1)
os.kill(main_of("worker"), signal.SIGKILL)
took = until("who was sent a signal and died is back", lambda: supervisor.of("started", "worker", mark), 60)
check(f"who died after somebody's signal is back after {took or 99:.1f} s", took is not None, supervisor.events[mark:])
until("the worker answers", lambda: supervisor.state()["services"]["worker"]["healthy"], 60)

# Leaks: each document drives what reads it over the worker's limit; the document comes back.
# A white page of 19 million pixels.
large = folder / "large.png"
rows = zlib.compress((b"\0" + b"\xff" * 4400) * 4400, 1)
part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
large.write_bytes(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", 4400, 4400, 8, 0, 0, 0, 0)) + part(b"IDAT", rows) + part(b"IEND", b""))
mark = len(supervisor.events)


for number in range(leaks):
    before = len(supervisor.of("killed", "worker", mark))
    enqueue(large, number)
    until(f"leak {number + 1} is told", lambda: len(supervisor.of("killed", "worker", mark)) > before, 60)
    # With room, it is read the second time.
    docker("update", "--memory", "800m", "--memory-swap", "800m", f"{name}-worker")
    until(f"document {number + 1} is read in the end", lambda: not {row["state"] for row in stage.documents()} & {"queued", "reading"}, 120)
    docker("update", "--memory", "72m", "--memory-swap", "72m", f"{name}-worker")
kills = supervisor.of("killed", "worker", mark)
limit = 72 << 20
good = [e for e in kills if e["what"]["killed"]["short"] == {"of": "container", "limit": limit} and not e["what"]["killed"]["whole"]]
check(f"{len(kills)} kills, each told with its limit", len(good) == len(kills) >= leaks, [e for e in kills if e not in good][:2])
ids = {row["id"] for row in stage.documents()}
untold = [e for e in kills if len(e["what"]["documents"]) != 1 or e["what"]["documents"][0]["document"] not in ids]
check("and each with its document", not untold and {e["what"]["documents"][0]["document"] for e in kills} == ids, untold[:2])
check("the database and the model did not notice", others == {service: (pid(service), main_of(service)) for service in others})
states = [row["state"] for row in stage.documents()]
check(f"{leaks} leaks: none lost, none doubled ({', '.join(f'{states.count(s)} {s}' for s in sorted(set(states)))})", states == ["done"] * leaks, states)
docker("update", "--memory", "800m", "--memory-swap", "800m", f"{name}-worker")

# A supervisor that is killed and comes again touches nothing.
pids = {service: pid(service) for service in ("postgres", "llm", "worker")}
supervisor.process.send_signal(signal.SIGKILL)
supervisor.process.wait()
supervisor = Supervisor(stage)
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

# The engine starts anew under it. It takes its whole patience to stop a worker that is frozen, long after the others ended. After the signals
# above it takes the model's end for a wish, as it does that of the API, which somebody did stop; only one of them is to come back.
if os.environ.get("CIVICUM_TUNE_ENGINE"):
    until("the worker is started again", lambda: supervisor.of("started", "worker", mark), 60)
    until("the worker answers", lambda: supervisor.state()["services"]["worker"]["healthy"], 60)
    docker("kill", f"{name}-api")
    until("its end is told", lambda: supervisor.of("stopped", "api", mark))
    time.sleep(1)
    os.kill(main_of("worker"), signal.SIGSTOP)
    mark, begun = len(supervisor.events), time.monotonic()
    subprocess.run(os.environ["CIVICUM_TUNE_ENGINE"], shell=True, check=True, stdout=subprocess.DEVNULL)
    away = time.monotonic() - begun
    until("it is away, and back", lambda: supervisor.of("engine-away", None, mark) and supervisor.of("engine-back", None, mark), 60)
    rest = lambda: [service for what, service in supervisor.state()["services"].items() if what != "api"]
    took = until("all of it runs", lambda: all(service["runs"] and service["healthy"] for service in rest()), 120)
    check(f"the engine started anew in {away:.0f} s, and all runs again after {took or 0:.0f} s", took is not None, supervisor.events[mark:])
    time.sleep(10)
    check("but for whom somebody had stopped", not supervisor.state()["services"]["api"]["runs"], supervisor.of("started", "api", mark))

    # It crashes. When it begins again it ends what it finds alive, and takes that for a wish.
    mark = len(supervisor.events)
    subprocess.run(os.environ["CIVICUM_TUNE_ENGINE_CRASH"], shell=True, check=True, stdout=subprocess.DEVNULL)
    until("it is away, and back", lambda: supervisor.of("engine-away", None, mark) and supervisor.of("engine-back", None, mark), 60)
    took = until("all of it runs", lambda: all(service["runs"] and service["healthy"] for service in rest()), 120)
    check(f"the engine crashed, and all runs again after {took or 0:.0f} s", took is not None, supervisor.events[mark:])
    check("but for whom somebody had stopped", not supervisor.state()["services"]["api"]["runs"], supervisor.of("started", "api", mark))

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
if leaks >= 50:
    until("and runs again after its minute", lambda: pid("worker"), 90)
    until("it is stopped", lambda: docker("kill", f"{name}-worker") and pid("worker") == 0)
text = supervisor.get("/metrics")
check("the metrics tell", f'civicum_service_up{{service="worker"}} 0' in text and 'civicum_service_up{service="postgres"} 1' in text, text[-2000:])
check(f"at most {supervisor.rss():.1f} MiB of memory", supervisor.rss() < 20)

supervisor.process.terminate()
check("it ends well", supervisor.process.wait(timeout=30) == 0)
history = tune("history", "--events", "-n", "1000")
check("its history is kept", "dies again and again" in history and "the supervisor ended" in history, history[-1500:])
end()
