"""What the scenarios ask of the machine: the kernel's own answers, and the whole stock host to compare with."""

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
