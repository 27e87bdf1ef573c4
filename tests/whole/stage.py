"""What the scenarios on a real engine share: a deployment of their own, what is asked of it, and how it is told. All of it is taken down
at the end. They ask the engine that DOCKER_HOST names."""

import atexit
import http.client
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request


class Stage:
    """A deployment called after `what`, in a folder that is gone at the end; the model lies in it, since nothing below a home folder is
    mounted into a container."""

    def __init__(self, what, binary, model):
        self.what, self.binary = what, os.path.abspath(binary)
        self.name = f"ct{what}{os.getpid()}"
        self.passed = self.failed = 0
        self.kept = tempfile.TemporaryDirectory(prefix=f"ct-{what}-")
        self.folder = pathlib.Path(self.kept.name)
        self.folder.chmod(0o755)
        self.profile = self.folder / "profile.toml"
        self.model = self.folder / "model.gguf"
        shutil.copy(model, self.model)
        atexit.register(lambda: self.ask("down", "--data", "--yes"))

    def write(self, services, more=""):
        """The profile: these services, and `more` of what belongs to the deployment."""
        self.profile.write_text(f"""
name = "{self.what}"
[deployment]
name = "{self.name}"
deadline = "3min"
{more}
[memory]
reserve = "512MiB"
{services}""")

    def small_model(self, context, threads):
        """Its service. It has no chat template of its own, so its server's command is written out."""
        command = ["llama-server", "--host", "0.0.0.0", "--port", "8080", "--model", "/models/model.gguf", "--ctx-size", str(context),
                   "--parallel", "1", "--threads", str(threads), "--no-jinja", "--chat-template", "gemma"]
        return f"""[services.llm]
role = "llama-server"
memory = "1500MiB"
pids = 128
command = {json.dumps(command)}
volumes = ["{self.model}:/models/model.gguf:ro"]"""

    def check(self, what, good, told=""):
        self.passed, self.failed = self.passed + bool(good), self.failed + (not good)
        print(f"{'ok  ' if good else 'FAIL'}  {what}{'' if good else f': {told}'}", flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(bool(self.failed))

    def ask(self, *args, **more):
        return subprocess.run([self.binary, "--profile", str(self.profile), *args], capture_output=True, **{"text": True, **more})

    def tune(self, *args, status=0):
        done = self.ask(*args)
        if done.returncode != status:
            print(done.stdout[-3000:], done.stderr[-3000:], flush=True)
            self.check(f"civicum-tune {' '.join(args)}", False, f"status {done.returncode}")
            self.end()
        return done.stdout

    def inspect(self, service, what):
        return docker("inspect", "--format", "{{" + what + "}}", f"{self.name}-{service}")

    def pid(self, service):
        return int(self.inspect(service, ".State.Pid") or 0)

    def main_of(self, service):
        """The program behind the engine's own first process."""
        first = self.pid(service)
        children = pathlib.Path(f"/proc/{first}/task/{first}/children").read_text().split()
        return int(children[0]) if children else first

    def queue(self, *args):
        return docker("exec", f"{self.name}-worker", "civicum-tune", "queue", *args)

    def documents(self):
        return json.loads(self.queue("list", "--format", "json", "--most", "500"))["documents"]

    def until(self, what, good, seconds=30):
        """Waits until it is so; how long that took, in seconds."""
        begun = time.monotonic()
        while time.monotonic() - begun < seconds:
            try:
                if good():
                    return time.monotonic() - begun
            except (OSError, ValueError, LookupError, http.client.HTTPException):
                pass
            time.sleep(0.05)
        self.check(what, False, f"not within {seconds} s")
        return None


def docker(*args):
    return subprocess.run(["docker", *args], capture_output=True, text=True).stdout.strip()


class Supervisor:
    """The supervisor in the foreground; what it tells is read as it comes."""

    def __init__(self, stage):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.events = []
        self.process = subprocess.Popen([stage.binary, "--profile", str(stage.profile), "--format", "json", "supervise", "--listen",
                                         f"127.0.0.1:{self.port}"], stdout=subprocess.PIPE, text=True)
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
