#!/usr/bin/env python3
"""kernels.py BINARY IMAGE [KERNELS]: a host that gets newer kernels, one after the other: without z3fold, then without the
zpool parameter. What was applied on the old kernel must do the new one no harm, and a second apply suits it: the next boot
proves it."""

import sys
from functools import partial
from pathlib import Path

import host
from host import install, stock, sysctls
from vm import Checks, Vm, say

binary, image = sys.argv[1:3]
kernels = Path(sys.argv[3]) if len(sys.argv) > 3 else Path(image).parent / "kernels"
checks = Checks()
vm = Vm(image, name="kernels").boot()
tune = partial(host.tune, vm, checks)
install(vm, binary)
vm.output("cp -a /etc/default/grub.d /etc/initramfs-tools /root")
before = stock(vm)
# Linux 6.18 and later have no zpool there.
PARAMETERS = "cd /sys/module/zswap/parameters && grep -s . enabled compressor zpool max_pool_percent || true"
tune("apply --yes --profile /root/vm.toml", 0)


def boots_new(release):
    """Installs a kernel as a host's package manager does, and boots it through GRUB."""
    old = vm.output("uname -r")
    folder = kernels / release
    vm.output("rm -rf /root/debs; mkdir -p /root/debs")
    for deb in sorted(folder.glob("*.deb")):
        vm.push(deb, f"/root/debs/{deb.name}", "644")
    # Linux 7 keeps its image and its configuration beside its modules. Its own linux-base brings them to /boot, and is not
    # there; this Debian's initramfs-tools and GRUB look nowhere else.
    vm.output(f"""cd /root/debs; binary=linux-binary-{release}.deb; beside=/usr/lib/modules/{release}
        if [ -e $binary ]; then
            dpkg-deb --fsys-tarfile $binary | tar -xO .$beside/vmlinuz >/boot/vmlinuz-{release}
            ln -s $beside/config /boot/config-{release}
        fi""")
    # Its tools of the same age (linux-base) are not there; nothing that it needs to boot is in them.
    status, text = vm.run("DEBIAN_FRONTEND=noninteractive dpkg -i --force-depends /root/debs/*.deb 2>&1", 1800)
    checks.equal(f"{release} is installed", status, 0)
    print("\n".join("      " + line for line in text.splitlines() if "warning" not in line), flush=True)
    vm.output("rm -rf /root/debs; sync")
    vm.reboot()
    checks.equal("the new kernel runs", vm.output("uname -r"), release)
    # As an administrator who is content with the new one: of each initramfs that is there all have to be made anew, and
    # emulated one takes most of a minute. Its menu entry goes with the next update-grub.
    vm.output(f"""hook=/etc/kernel/postrm.d/zz-update-grub; chmod -x $hook
        DEBIAN_FRONTEND=noninteractive dpkg -P --force-depends $(dpkg-query -W -f '${{Package}}\\n' 'linux-*-{old}') 2>&1
        rm -f /boot/vmlinuz-{old} /boot/config-{old} /boot/initrd.img-{old}; chmod +x $hook""", 900)


def expected(release):
    major, minor = (int(number) for number in release.split(".")[:2])
    found = ["enabled:Y", "compressor:lz4", "zpool:zsmalloc", "max_pool_percent:20"]
    if (major, minor) >= (6, 18):
        found.pop(2)
        return found, "the zpool parameter went in Linux 6.18", ""
    why = "was removed in Linux 6.15" if (major, minor) >= (6, 15) else "is deprecated since Linux 6.12"
    return found, f"zpool zsmalloc: z3fold {why}", "zswap.zpool=zsmalloc"


def tuned(when, release):
    checks.equal(f"{when}: zswap", vm.output(PARAMETERS).split(), expected(release)[0])
    checks.has(f"{when}: /proc/swaps", vm.output("cat /proc/swaps"), "/swapfile")
    checks.equal(f"{when}: sysctl", sysctls(vm), ["70", "0", "67108864", "0", "100"])
    checks.equal(f"{when}: no failed unit", vm.output("systemctl --failed --no-legend"), "")
    say(vm.output("dmesg | grep -i zswap | cut -c1-300 || true"))


releases = (kernels / "releases").read_text().split()
before_it = "zswap.zpool=z3fold"
for release in releases:
    boots_new(release)
    tuned(f"{release}, applied on an older kernel", release)
    _, why, argument = expected(release)
    # What an older kernel was given may suit this one too.
    checks.has("the plan says why", tune("plan", 0 if argument == before_it else 1), why)
    if argument == before_it:
        words = vm.output("cat /proc/cmdline").split()
        checks.equal("zpool on the command line", [word for word in words if word.startswith("zswap.zpool")], [argument])
        checks.has("the kernel runs lz4 from its start", vm.output("dmesg | grep zswap | grep loaded"), "lz4")
    else:
        tune("apply --yes", 0)
    before_it = argument

# What was applied on the others was booted by the next one; on the last one it is booted here.
vm.reboot()
tuned(f"{release}, applied on it", release)
words = vm.output("cat /proc/cmdline").split()
checks.equal("zpool on the command line", [word for word in words if word.startswith("zswap.zpool")], [argument] if argument else [])
checks.has("the kernel runs lz4 from its start", vm.output("dmesg | grep zswap | grep loaded"), "lz4")
checks.has("the plan has nothing left", tune("plan", 0), why)

tune("rollback 1 --yes", 0)
checks.equal("stock again: zswap is off", vm.output("cat /sys/module/zswap/parameters/enabled"), "N")
checks.equal("stock again: swaps", vm.output("tail -n +2 /proc/swaps"), "")
checks.equal("stock again: sysctl", sysctls(vm), before["sysctls"])
checks.equal("stock again: grub.cfg", vm.run("grep -c zswap /boot/grub/grub.cfg")[1].strip(), "0")
checks.equal("stock again: files", vm.run("diff -r /etc/default/grub.d /root/grub.d && diff -r /etc/initramfs-tools /root/initramfs-tools"),
             (0, ""))
vm.close()
checks.end()
