#!/usr/bin/env python3
"""worker.py BINARY URL: the worker itself: from enqueue to start when idle, CPU while it waits, and back in the queue after kill -9."""

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time

binary, server = sys.argv[1:3]
name = "ct_worker_speed"
url = server.rsplit("/", 1)[0] + "/" + name


def sql(text, database=url):
    return subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", database, "-c", text], check=True, capture_output=True,
                          text=True).stdout.strip()


sql(f"drop database if exists {name} with (force)", server)
sql(f"create database {name}", server)
folder = tempfile.TemporaryDirectory(prefix="ct-documents-")
env = dict(os.environ, CIVICUM_TUNE_DATABASE=url, CIVICUM_TUNE_DOCUMENTS=folder.name)
subprocess.run([binary, "queue", "migrate"], env=env, check=True, stderr=subprocess.DEVNULL)
# A document that takes next to no time: there is nothing to read behind its first bytes.
empty = os.path.join(folder.name, "empty.pdf")
with open(empty, "w") as file:
    file.write("%PDF-1.4\n")


def worker():
    return subprocess.Popen([binary, "worker"], env=env, stderr=subprocess.DEVNULL)


def enqueue():
    subprocess.run([binary, "queue", "enqueue", empty], env=env, check=True, stdout=subprocess.DEVNULL)


def cpu(process):
    fields = open(f"/proc/{process.pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


one = worker()
time.sleep(12)
for _ in range(300):
    enqueue()
    time.sleep(0.05)
time.sleep(2)
# The row's own times, by the server's clock: made when its statement began, started when its claim did.
waits = sorted(float(x) for x in sql("select extract(epoch from started_at - created_at) * 1000 from civicum.job_archive").splitlines())
print(f"enqueue to start, idle, {len(waits)} documents: p50 {statistics.median(waits):.2f} ms, p99 {waits[int(len(waits) * 0.99)]:.2f} ms, "
      f"longest {waits[-1]:.2f} ms")
time.sleep(2)
before, begun = cpu(one), time.monotonic()
time.sleep(60)
used = cpu(one) - before
print(f"a waiting worker: {used / (time.monotonic() - begun) * 100:.3f} % of one CPU over 60 s")

# A second worker finds what the first one, killed in the middle, had.
times = []
for _ in range(5):
    sql("insert into civicum.job (queue, document_id, status, worker_id, lease_until, deadline, attempt, fence) "
        "select 'ocr', (select min(id) from civicum.document), 'running', max(id), now() + interval '60 s', now() + interval '1 h', 1, 1 "
        "from civicum.worker where lost_at is null")
    other = subprocess.Popen([binary, "worker", "--ocr-jobs", "0"], env=env, stderr=subprocess.DEVNULL)
    time.sleep(2)
    one.send_signal(signal.SIGKILL)
    one.wait()
    begun = time.monotonic()
    while sql("select count(*) from civicum.job where status = 'running'") != "0" and time.monotonic() - begun < 90:
        time.sleep(0.02)
    times.append(time.monotonic() - begun)
    sql("delete from civicum.job")
    one, other = other, None
one.kill()
one.wait()
print("back in the queue after kill -9: " + ", ".join(f"{t:.2f}" for t in times) + " s")
