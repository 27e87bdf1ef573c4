#!/usr/bin/env python3
"""chaos.py BINARY [JOBS] [KILLS] [RESTARTS]: thousands of documents, while workers are killed -9 at random, the database is restarted, and its
connections are cut. At the end every document has exactly one result: none is lost, none is stored twice.

It starts a PostgreSQL server of its own, and kills only workers that it started. The documents are PDFs with a text layer, so that one
takes some 50 ms; the readers are the real ones."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

binary = os.path.abspath(sys.argv[1])
jobs, kills, restarts = (int(sys.argv[i]) if len(sys.argv) > i else default for i, default in ((2, 10_000), (3, 200), (4, 5)))
start = Path(__file__).resolve().parents[2] / "postgres/start.sh"
folder = tempfile.TemporaryDirectory(prefix="ct-chaos-")
os.chmod(folder.name, 0o755)
server = subprocess.run([start, f"{folder.name}/pg"], check=True, capture_output=True, text=True).stdout.strip()
store = Path(folder.name, "documents")
store.mkdir()
env = dict(os.environ, CIVICUM_TUNE_DATABASE=server, CIVICUM_TUNE_DOCUMENTS=str(store))
random.seed(7)


def sql(text, fails=False):
    done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", server, "-c", text], capture_output=True, text=True)
    if done.returncode and not fails:
        raise SystemExit(done.stderr)
    return done.stdout.strip()


def pdf(number):
    content = "BT /F1 12 Tf " + "".join(f"1 0 0 1 72 {760 - 30 * line} Tm (Estimado vecino, su solicitud {number} fue acogida.) Tj " for line in range(20)) + "ET"
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", "<< /Type /Pages /Count 1 /Kids [ 4 0 R ] >>",
               "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
               "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 3 0 R >> >> /Contents 5 0 R >>",
               f"<< /Length {len(content)} >>\nstream\n{content}\nendstream"]
    out, at = "%PDF-1.4\n", []
    for i, text in enumerate(objects, 1):
        at.append(len(out))
        out += f"{i} 0 obj\n{text}\nendobj\n"
    table = "".join(f"{a:010} 00000 n \n" for a in at)
    return out + f"xref\n0 6\n0000000000 65535 f \n{table}trailer << /Size 6 /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF\n"


def pg(*args):
    data, bins = f"{folder.name}/pg/data", sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
    drop = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run([*drop, str(bins / "pg_ctl"), "-D", data, "-l", f"{folder.name}/pg/server.log", *args],
                          stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SystemExit(Path(folder.name, "pg/server.log").read_text()[-2000:])


def worker():
    return subprocess.Popen([binary, "worker", "--ocr-jobs", "2", "--ocr-policy", "tesseract"], env=env, stderr=subprocess.DEVNULL)


workers = []
try:
    subprocess.run([binary, "queue", "migrate"], env=env, check=True, stderr=subprocess.DEVNULL)
    # Killed at random, documents are innocent: they are not put into quarantine for it.
    sql("alter table civicum.job alter max_crashes set default 1000; alter table civicum.job alter max_attempts set default 1000")
    samples = []
    for number in range(20):
        path = Path(folder.name, f"{number}.pdf")
        path.write_text(pdf(number))
        samples.append(path)
    subprocess.run([binary, "queue", "enqueue", *samples], env=env, check=True, stdout=subprocess.DEVNULL)
    sql(f"""with more as (insert into civicum.document (sha256, bytes, name) select sha256, bytes, name from civicum.document,
        generate_series(1, {jobs // 20 - 1}) returning id) insert into civicum.job (queue, document_id) select 'ocr', id from more""")
    total = int(sql("select count(*) from civicum.document"))
    begun = time.monotonic()
    workers = [worker() for _ in range(3)]
    killed = restarted = cut = 0
    last = 0.0
    while True:
        time.sleep(random.uniform(0.2, 1.0))
        left = sql("select count(*) from civicum.job", fails=True)
        if left == "0":
            break
        share = 1 - int(left or total) / total
        # Spread over the whole of the run, whatever it takes.
        if killed < kills and (share >= killed / kills or time.monotonic() - last > 5):
            victim = random.randrange(len(workers))
            workers[victim].send_signal(signal.SIGKILL)
            workers[victim].wait()
            workers[victim] = worker()
            killed += 1
            last = time.monotonic()
        if restarted < restarts and share > (restarted + 1) / (restarts + 1):
            pg("-m", random.choice(["immediate", "fast"]), "-w", "restart")
            restarted += 1
        if random.random() < 0.05:
            cut += int(sql("select count(pg_terminate_backend(pid)) from pg_stat_activity where application_name = 'civicum-tune'", fails=True) or 0)
        for i, one in enumerate(workers):
            if one.poll() is not None:
                workers[i] = worker()
    # Jobs may be left that the last kills took; the rest of the kills finds nothing to do.
    took = time.monotonic() - begun
    results = int(sql("select count(*) from civicum.result"))
    done = int(sql("select count(*) from civicum.job_archive where state = 'done'"))
    doubled = int(sql("select count(*) from (select document_id from civicum.job_archive where state = 'done' group by 1 having count(*) > 1) as d"))
    lost = int(sql("select count(*) from civicum.document d where not exists (select from civicum.result r where r.document_id = d.id)"))
    again = sql("select coalesce(sum(attempt - 1), 0), max(attempt) from civicum.job_archive")
    print(f"{total} documents in {took:.0f} s, {killed} workers killed -9, the database restarted {restarted} times, {cut} connections cut")
    print(f"results {results}, done {done}, lost {lost}, doubled {doubled}; attempts more than one each, and the most of one: {again}")
    sys.exit(0 if (results, done, lost, doubled) == (total, total, 0, 0) else 1)
finally:
    for one in workers:
        one.kill()
        one.wait()
    subprocess.run([start, "--stop", f"{folder.name}/pg"], check=False)
