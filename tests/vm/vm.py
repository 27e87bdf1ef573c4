"""A virtual server under QEMU: boots from an overlay on the image, runs commands over ssh, loses its power."""

import atexit
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

START = time.monotonic()
# Emulation works everywhere. CIVICUM_TUNE_ACCEL=kvm is for machines whose /dev/kvm carries a Linux: not each that opens does.
KVM = os.environ.get("CIVICUM_TUNE_ACCEL") == "kvm"
ACCEL = ["-accel", "kvm", "-cpu", "host"] if KVM else ["-accel", "tcg,thread=multi", "-cpu", "max"]
MACHINES = []


def ended(*_):
    """A polite kill ends the machines too, whatever other threads are at."""
    for machine in MACHINES:
        machine.close()
    os._exit(143)


signal.signal(signal.SIGTERM, ended)


def say(text):
    print(f"[{time.monotonic() - START:6.1f} s] {text}", flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Vm:
    """One machine. Its disk is a qcow2 overlay, so that nothing of it stays."""

    def __init__(self, image, *, base=None, memory=1024, cache="unsafe", second_disk=None, name="vm"):
        self.image = Path(image)
        self.memory, self.cache, self.name = memory, cache, name
        self.folder = Path(tempfile.mkdtemp(prefix=f"civicum-tune-{name}-"))
        self.disk = self.folder / "disk.qcow2"
        base = Path(base) if base else self.image / "disk.img"
        kind = "qcow2" if base.suffix == ".qcow2" else "raw"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base, "-F", kind, self.disk], check=True)
        self.more = []
        if second_disk:
            # A drive of its own, /dev/vdb, empty.
            second = self.folder / "second.qcow2"
            subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", second, second_disk], check=True)
            self.more = ["-drive", f"file={second},if=virtio,format=qcow2,cache={cache}"]
        self.qemu = None
        self.port = None
        MACHINES.append(self)
        atexit.register(self.close)

    def start(self):
        self.port = free_port()
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", *ACCEL, "-m", str(self.memory), "-smp", os.environ.get("CIVICUM_TUNE_VCPUS", "2"),
             "-display", "none", "-nodefaults", "-no-reboot",
             "-chardev", f"file,id=s0,path={self.folder}/serial.log,append=on", "-serial", "chardev:s0",
             "-drive", f"file={self.disk},if=virtio,format=qcow2,cache={self.cache},discard=unmap", *self.more,
             "-nic", f"user,model=virtio-net-pci,hostfwd=tcp:127.0.0.1:{self.port}-:22", "-device", "virtio-rng-pci"],
            stdin=subprocess.DEVNULL, start_new_session=True)
        return self

    def boot(self, deadline=600):
        """Starts the machine and waits until a command runs on it."""
        begin = time.monotonic()
        self.start()
        self.wait(deadline)
        say(f"{self.name}: booted in {time.monotonic() - begin:.0f} s")
        return self

    def wait(self, deadline=600):
        """Waits until the machine runs a command. A connection gets longer each time: a slow machine needs seconds for one,
        and one that was begun before the network was up may never come to anything."""
        until = time.monotonic() + deadline
        patience = 5
        while time.monotonic() < until:
            if self.qemu.poll() is not None:
                raise RuntimeError(f"qemu ended with status {self.qemu.returncode}\n{self.serial()}")
            if self.run("true", timeout=patience)[0] == 0:
                return
            self.disconnect()
            patience = min(patience * 1.3, 60)
            time.sleep(0.5)
        raise RuntimeError(f"no ssh within {deadline} s\n{self.serial()}")

    def serial(self, lines=25):
        log = self.folder / "serial.log"
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""

    def ssh(self):
        return ["ssh", "-p", str(self.port), "-i", str(self.image / "key"), "-o", "StrictHostKeyChecking=no",
                "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=60",
                "-o", "BatchMode=yes", "-o", "ControlMaster=auto", "-o", "ControlPersist=600",
                "-o", f"ControlPath={self.folder}/ssh-{self.port}", "root@127.0.0.1"]

    def run(self, command, timeout=240, stdin=None):
        """Runs a shell command; its status (255: no connection, 124: too slow) and all that it printed."""
        try:
            done = subprocess.run(self.ssh() + [command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                                  stdin=stdin or subprocess.DEVNULL, check=False)
            return done.returncode, done.stdout.decode(errors="replace")
        except subprocess.TimeoutExpired:
            return 124, f"no end within {timeout} s"

    def output(self, command, timeout=240):
        """What a command prints that must end well. It has to be one that may run twice: a lost connection is made anew."""
        until = time.monotonic() + timeout
        while True:
            status, text = self.run(command, max(until - time.monotonic(), 1))
            if status == 0:
                return text.strip()
            if status != 255 or time.monotonic() > until - 2:
                raise RuntimeError(f"{command}: status {status}\n{text}\n{self.serial()}")
            say(f"{self.name}: connection lost, once more: {text.strip()}")
            self.disconnect()
            time.sleep(1)

    def push(self, source, target, mode="755"):
        with open(source, "rb") as data:
            status, text = self.run(f"cat >{target} && chmod {mode} {target}", timeout=600, stdin=data)
        if status:
            raise RuntimeError(f"push {target}: {text}")

    def reboot(self, deadline=600):
        """In order, as an administrator does it. QEMU ends with the reset and is started anew: under emulation a second
        processor can miss its call in a warm start, and the firmware then waits for it for ever."""
        begin = time.monotonic()
        while self.qemu.poll() is None:
            if time.monotonic() > begin + deadline:
                raise RuntimeError(f"not down within {deadline} s\n{self.serial()}")
            # Twice does no harm, should the connection have been lost before the word came through.
            self.run("systemctl reboot", timeout=60)
            self.disconnect()
            try:
                self.qemu.wait(timeout=90)
            except subprocess.TimeoutExpired:
                pass
        self.start()
        self.wait(deadline)
        say(f"{self.name}: rebooted in {time.monotonic() - begin:.0f} s")

    def disconnect(self):
        (self.folder / f"ssh-{self.port}").unlink(missing_ok=True)

    def shutdown(self):
        self.run("systemctl poweroff", timeout=60)
        self.disconnect()
        self.qemu.wait(timeout=600)

    def power_cut(self):
        """What was not on the disk is lost."""
        self.qemu.send_signal(signal.SIGKILL)
        self.qemu.wait()
        self.disconnect()

    def copy_disk(self, target):
        """The disk as a power cut would leave it at this moment. QEMU is stopped as by a kill, but can go on; what the guest
        has not flushed is still in QEMU's memory (cache=writeback) and not in the copy."""
        os.kill(self.qemu.pid, signal.SIGSTOP)
        try:
            tasks = Path(f"/proc/{self.qemu.pid}/task")
            while any(stat.read_text().rpartition(")")[2].split()[0] != "T" for stat in tasks.glob("*/stat")):
                time.sleep(0.005)
            shutil.copyfile(self.disk, target)
        finally:
            os.kill(self.qemu.pid, signal.SIGCONT)

    def close(self):
        if self.qemu and self.qemu.poll() is None:
            self.power_cut()
        shutil.rmtree(self.folder, ignore_errors=True)


class Checks:
    """Counts what was as expected, and shows both sides of each."""

    def __init__(self):
        self.passed = self.failed = 0
        self.lock = threading.Lock()

    def equal(self, what, found, wanted):
        self._count(found == wanted, what, found, wanted)

    def has(self, what, found, wanted):
        """Wherever the lines are broken."""
        self._count(" ".join(wanted.split()) in " ".join(found.split()), what, found, f"… {wanted} …")

    def _count(self, good, what, found, wanted):
        with self.lock:
            self._say(good, what, found, wanted)

    def _say(self, good, what, found, wanted):
        if good:
            self.passed += 1
            say(f"ok    {what}: {str(found)[:100]!r}")
        else:
            self.failed += 1
            say(f"FAIL  {what}\n      found:  {found!r}\n      wanted: {wanted!r}")

    def end(self):
        # A figure that does not depend on what else the machine is at.
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        say(f"{used.ru_utime + used.ru_stime:.0f} s of processor time")
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)
