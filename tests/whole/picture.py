#!/usr/bin/env python3
"""picture.py BINARY MODEL DOCUMENTS: brings the five services and the supervisor up, gives them documents, and has the picture of `status`
made of what it says then (docs/pictures/status.svg). It needs cargo."""

import os
import pathlib
import subprocess
import sys

from stage import Stage, Supervisor

binary, model, documents = sys.argv[1:4]
stage = Stage("picture", binary, model)
# What is seen of it is its name alone.
stage.name = "demo"
stage.write(f"""
[services.postgres]
memory = "1000MiB"
pids = 128
{stage.small_model(4096, 1)}
[services.worker]
memory = "1750MiB"
pids = 128
[services.api]
memory = "64MiB"
pids = 64
[services.proxy]
memory = "256MiB"
pids = 64
publish = ["127.0.0.1:8080:8080"]
""")
stage.tune("deploy", "--yes")
supervisor = Supervisor(stage)
stage.until("the worker says what it does", lambda: supervisor.state()["waiting"] is not None)
pages = [str(pathlib.Path(documents, name)) for name in ("twenty.pdf", "scan.pdf", "letter.png", "fax.tiff")]
stage.tune("queue", "enqueue", *pages)
stage.until("documents are read", lambda: supervisor.state()["in_work"])
top = pathlib.Path(__file__).resolve().parents[2]
made = subprocess.run(["cargo", "test", "--quiet", "--test", "pictures", "the_status_of_a_deployment_that_is_there"], cwd=top,
                      env={**os.environ, "CIVICUM_TUNE_PICTURE_PROFILE": str(stage.profile)})
stage.check("the picture is made", made.returncode == 0)
supervisor.process.terminate()
supervisor.process.wait(timeout=30)
stage.end()
