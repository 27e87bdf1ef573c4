#!/usr/bin/env python3
"""audits.py BINARY IMAGE: how long an audit takes, beside Lynis and `tuned-adm verify`, on one machine and in one run; prints
a section of a page. Their packages come from the mirror that this system's apt uses."""

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from host import install
from vm import Vm, say

binary, image = sys.argv[1:3]
RIVALS = ["lynis", "tuned"]

# Runs a command so many times, and prints each time in ms.
TIMER = """import subprocess, sys, time
for _ in range(int(sys.argv[1])):
    begin = time.perf_counter()
    subprocess.run(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    print((time.perf_counter() - begin) * 1000)
"""


def packages(vm, folder):
    """Downloads the rivals and what they lack on the machine, as its own apt would."""
    words = f". '{Path(__file__).parents[1]}/fetch.sh' && debian_mirror"
    mirror = subprocess.run(["bash", "-c", words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    for name in ("sources.list.d", "preferences.d", "apt.conf.d", "lists/partial", "archives/partial"):
        (folder / name).mkdir(parents=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (folder / "sources.list").write_text(f"deb [signed-by={keyring} arch=amd64] {mirror} bookworm main\n")
    (folder / "status").write_text(vm.output("cat /var/lib/dpkg/status"))
    apt = ["apt-get", "-qq", "-o", f"Dir::Etc={folder}", "-o", f"Dir::State::lists={folder}/lists", "-o",
           f"Dir::State::status={folder}/status", "-o", f"Dir::Cache={folder}", "-o", "APT::Sandbox::User=root"]
    subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "install", "-y", "--no-install-recommends", "--download-only", *RIVALS], check=True,
                   stdout=subprocess.DEVNULL)
    return sorted((folder / "archives").glob("*.deb"))


def measure(vm, runs, command):
    times = [float(line) for line in vm.output(f"python3 /root/timer.py {runs} {command}", timeout=3600).splitlines()]
    say(f"{command}: {statistics.median(times):.1f} ms")
    return statistics.median(times), min(times), max(times)


vm = Vm(image, name="audits", memory=2048).boot()
install(vm, binary)
with tempfile.TemporaryDirectory() as folder:
    vm.output("mkdir -p /root/debs")
    for deb in packages(vm, Path(folder)):
        vm.push(deb, f"/root/debs/{deb.name}", "644")
# One of them wants another one configured before it is unpacked: the second time it is.
vm.output("export DEBIAN_FRONTEND=noninteractive; dpkg -i /root/debs/*.deb || dpkg -i /root/debs/*.deb", timeout=1800)
vm.output("systemctl start tuned && tuned-adm profile virtual-guest", timeout=600)
vm.output("systemctl start docker", timeout=600)
vm.output("cat >/root/timer.py <<'E'\n" + TIMER + "E")
DOCTOR = "`civicum-tune doctor`"
rows = {
    "`true`, a program that does nothing": measure(vm, 20, "/bin/true"),
    DOCTOR: measure(vm, 20, "civicum-tune doctor"),
    "`tuned-adm verify`": measure(vm, 10, "tuned-adm verify"),
    # Emulated, one takes a quarter of an hour.
    "`lynis audit system --quick --quiet`": measure(vm, 1, "lynis audit system --quick --quiet"),
}
summary = vm.run("civicum-tune doctor --quiet")[1].strip().splitlines()[-1]
vm.output("systemctl stop docker.socket docker", timeout=600)
rows["`civicum-tune doctor`, with no engine to ask"] = measure(vm, 20, "civicum-tune doctor")
versions = vm.output("dpkg-query -W -f '${Package} ${Version}, ' lynis tuned docker.io; uname -r").strip()
nothing, doctor = rows["`true`, a program that does nothing"][0], rows[DOCTOR][0]
print("In one run, in a virtual machine of 2 CPUs and 2 GiB that QEMU emulates: its figures compare with one another, and with "
      f"nothing else.\n{versions}. Medians of whole processes in ms.\n")
print("| what | median | shortest | longest | times `doctor` |\n| --- | --- | --- | --- | --- |")
for name, (median, least, most) in rows.items():
    print(f"| {name} | {median:.1f} | {least:.1f} | {most:.1f} | {median / doctor:.1f} |")
verify = rows["`tuned-adm verify`"][0]
print(f"\n`doctor` said: {summary}\n\nThe three look at different things: Lynis at security, TuneD at the values of its own "
      "profile, `doctor` at what [checks.md](checks.md)\nlists, one call to the engine included. `tuned-adm verify` takes "
      f"{verify / nothing:.0f} times as long as a program that does nothing.")
vm.close()
