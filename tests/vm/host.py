"""What the scenarios ask of the machine: the kernel's own answers, and the whole stock host to compare with."""

import hashlib
import json
import subprocess

from vm import say

PROFILE = """\
name = "vm"
[zswap]
enabled = true
compressor = "lz4"
max_pool_percent = 20
[swap]
size = "256MiB"
path = "/swapfile"
[boot]
manage = true
psi = true
cgroup_v2 = true
[mglru]
min_ttl = "1000ms"
[sysctl]
"vm.swappiness" = 70
"vm.page-cluster" = 0
"vm.dirty_bytes" = 67108864
"vm.watermark_scale_factor" = 100
"""

SYSCTLS = ["vm.swappiness", "vm.page-cluster", "vm.dirty_bytes", "vm.dirty_ratio", "vm.watermark_scale_factor"]

# What any boot writes anew, with us or without.
MOVING = r"etc/(resolv.conf|\.pwd.lock|ld.so.cache|machine-id|adjtime)"


def tune(vm, checks, command, wanted, timeout=1800):
    """Runs civicum-tune; its status must be the wanted one. Shows, and gives back, what it says."""
    status, text = vm.run(f"civicum-tune {command}", timeout)
    checks.equal(f"civicum-tune {command}", status, wanted)
    print("\n".join("      " + line for line in text.splitlines()[-40:]), flush=True)
    return text


def zswap(vm):
    names = "enabled compressor zpool max_pool_percent".split()
    return vm.output("cd /sys/module/zswap/parameters && cat " + " ".join(names)).split()


def sysctls(vm):
    return vm.output("sysctl -n " + " ".join(SYSCTLS)).split()


def files(vm):
    """Kind, mode, owner and SHA-256 of everything under /etc and of grub.cfg; the names of what lies in / and /boot."""
    listed = vm.output(
        "cd / && find etc boot/grub/grub.cfg boot -maxdepth 20 -path boot/grub/i386-pc -prune -o -path boot/grub/fonts -prune"
        " -o -path boot/grub/locale -prune -o \\( -type f -o -type l \\) -printf '%p %y %m %U:%G %l\\n' | sort -u"
        f" | grep -vE '^{MOVING}'")
    sums = vm.output(
        "cd / && find etc boot/grub/grub.cfg -type f -print0 | sort -z | xargs -0 sha256sum"
        f" | grep -vE ' {MOVING}'", timeout=240)
    return listed.splitlines() + sums.splitlines() + vm.output("ls -A /").splitlines()


def stock(vm):
    return {
        "files": files(vm),
        "zswap": zswap(vm),
        "sysctls": sysctls(vm),
        "swaps": vm.output("tail -n +2 /proc/swaps"),
    }


def compare(checks, what, found, wanted):
    """The stock host again: a line for each thing that is not as it was."""
    gone = sorted(set(wanted["files"]) - set(found["files"]))
    new = sorted(set(found["files"]) - set(wanted["files"]))
    checks.equal(f"{what}: files gone or changed", gone[:10], [])
    checks.equal(f"{what}: files new or changed", new[:10], [])
    for key in ("sysctls", "swaps", "zswap"):
        checks.equal(f"{what}: {key}", found[key], wanted[key])


def install(vm, binary):
    vm.push(binary, "/usr/local/bin/civicum-tune")
    vm.output("cat >/root/vm.toml <<'E'\n" + PROFILE + "E")
    # An initramfs is made a dozen times; the emulated processor need not look for its last byte.
    vm.output("echo COMPRESSLEVEL=1 >/etc/initramfs-tools/conf.d/zz-fast")


def fill_memory(vm, pages, wanted):
    """Puts /usr as it is (so it compresses as real data does) into memory, 16 MiB after 16 MiB, and stops as soon as the
    command `pages` prints `wanted`, or long before memory and swap are at their end: a machine that has neither left
    answers nobody."""
    vm.output("mkdir -p /t && { mountpoint -q /t || mount -t tmpfs -o size=2g t /t; }")
    vm.output(f"""cat >/root/step <<'E'
cat >"/t/$FILE"
left=$(awk '/^(MemAvailable|SwapFree):/ {{ n += $2 }} END {{ print int(n / 1024) }}' /proc/meminfo)
[ "$({pages})" -lt {wanted} ] && [ "$left" -gt 160 ]
E
""")
    # split ends when a step says so, and tar with it.
    vm.run("cd / && tar -cf - usr | split -a 4 -b 16M --filter='sh /root/step'", timeout=1200)
    found = int(vm.output(pages))
    say(f"{vm.output('du -sm /t').split()[0]} MiB of /usr in memory, {found} pages out of it; "
        + vm.output("grep -i -E '^(MemAvail|Swap|Zswap)' /proc/meminfo | tr -s ' ' | tr '\\n' ' '"))
    return found


def memory_is_whole(vm):
    """Are the first 128 MiB, which went out before all others, byte for byte as they were? Status 0 and no word."""
    return vm.run("cd / && bash -c 'first=$(ls /t/x* | head -n 8)"
                  "; cmp <(cat $first) <(tar -cf - usr | head -c $(cat $first | wc -c))'", timeout=1200)


def empty_memory(vm):
    vm.output("! mountpoint -q /t || umount /t; rm -rf /t /root/step")


def as_grub_reads(vm, paths):
    """SHA-256 of files as they are on the disk at this moment, its journal not replayed: GRUB reads no journal. The machine
    needs cache=writeback."""
    copy, raw, root = (vm.folder / name for name in ("grub.qcow2", "grub.raw", "grub.ext4"))
    vm.copy_disk(copy)
    subprocess.run(["qemu-img", "convert", "-O", "raw", copy, raw], check=True)
    table = json.loads(subprocess.run(["sfdisk", "-J", raw], check=True, capture_output=True).stdout)
    largest = max(table["partitiontable"]["partitions"], key=lambda partition: partition["size"])
    subprocess.run(["dd", f"if={raw}", f"of={root}", "bs=1M", "iflag=skip_bytes", f"skip={largest['start'] * 512}",
                    "conv=sparse", "status=none"], check=True)
    found = []
    for path in paths:
        content = subprocess.run(["debugfs", "-c", "-R", f"cat {path}", root], check=True, capture_output=True).stdout
        found.append(hashlib.sha256(content).hexdigest())
    for file in (copy, raw, root):
        file.unlink()
    return found
