#!/usr/bin/env python3
"""evidence.py BINARY IMAGE [--rounds N] [--seconds S] [--only VARIANT …] [--write FILE]: is a tuned host better off?

A language model, PostgreSQL and a worker that leaks, in containers of the real engine, on a virtual machine a sixth as
large as the 12 GB host: as Debian makes it, with limits alone, and tuned; the last with each compressor and allocator.
Who was killed, who waited and how long, is read from the kernel, the engine and the loads, never from civicum-tune."""

import argparse
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from vm import Vm, say

HERE = Path(__file__).parent
LOADS = HERE / "evidence"
MEMORY = 2048
# zstd with zsmalloc only on request: on this kernel (before 6.3) zsmalloc can't write back, whatever the compressor.
USUAL = [
    "stock",
    "limits only",
    "tuned, lz4, z3fold",
    "tuned, lz4, zbud",
    "tuned, lz4, zsmalloc",
    "tuned, zstd, z3fold",
]
RANDOM_PAGES = 25
# A model of 8 billion parameters at four bits with its context, 5.6 GiB, divided by six.
LLM_MIB = 950
LEAK_MIB = 16
READ_MIB = 24
JOB_MIB = 256
# What a round may take beyond its own time before the power is cut: starting, loading the model, stopping.
DEADLINE = 300

# Name: the machine it runs on, the engine's options, zswap's compressor and allocator.
VARIANTS = {
    "stock": ("stock", "naive", None),
    "limits only": ("stock", "limits", None),
    "tuned, lz4, z3fold": ("tuned", "tuned", ("lz4", "z3fold")),
    "tuned, lz4, zbud": ("tuned", "tuned", ("lz4", "zbud")),
    "tuned, lz4, zsmalloc": ("tuned", "tuned", ("lz4", "zsmalloc")),
    "tuned, zstd, z3fold": ("tuned", "tuned", ("zstd", "z3fold")),
    "tuned, zstd, zsmalloc": ("tuned", "tuned", ("zstd", "zsmalloc")),
}


def mib(text):
    number, unit = re.fullmatch(r"([0-9.]+)([KMG]iB)", text).groups()
    return round(float(number) * {"KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[unit])


def shares(weight):
    """What the engine of Debian 12 turns into this cpu.weight."""
    return 2 + -(-(weight - 1) * 262142 // 9999)


def services(vm):
    """The limits of each service, as the profile's rules come out on this machine."""
    shown = json.loads(vm.output("civicum-tune profile show /root/scaled.toml --format json"))
    found = {}
    for one in shown["values"]:
        if one["path"].startswith("services.") and one["path"].count(".") == 2:
            _, service, key = one["path"].split(".")
            found.setdefault(service, {})[key] = one["result"] or one["value"]
    return found


def options(kind, limits):
    """What `docker create` is told, for the model, the database and the worker."""
    if kind == "naive":
        return {name: "--restart unless-stopped" for name in ("llm", "db", "worker")}
    told = {}
    for name, service in (("llm", "llm"), ("db", "postgres"), ("worker", "worker")):
        of = limits[service]
        restart = "on-failure" if name == "worker" else "unless-stopped"
        told[name] = f"--restart {restart} --memory {mib(of['memory'])}m --cpus {of['cpus']}"
        if kind == "tuned":
            told[name] += (f" --memory-swap {mib(of['memory_swap'])}m --oom-score-adj={of['oom_score_adj']}"
                           f" --cpu-shares {shares(int(of['cpu_weight']))} --pids-limit {of['pids']}")
            if "memory_reservation" in of:
                told[name] += f" --memory-reservation {mib(of['memory_reservation'])}m"
    return told


def prepare(image):
    """A disk with the containers' image, the database and the pages on it; made once for what goes in."""
    parts = sorted(part for part in LOADS.iterdir() if part.is_file())
    key = hashlib.sha256(b"".join(part.read_bytes() for part in parts) + str(RANDOM_PAGES).encode()).hexdigest()[:16]
    disk = Path(image) / f"evidence-{key}.qcow2"
    if disk.exists():
        return disk
    vm = Vm(image, memory=MEMORY, name="prepare").boot()
    vm.output("mkdir -p /srv/evidence")
    for part in parts:
        vm.push(part, f"/srv/evidence/{part.name}")
    print(vm.output(f"/srv/evidence/prepare.sh {RANDOM_PAGES}", timeout=1800))
    vm.shutdown()
    shutil.move(vm.disk, f"{disk}.new")
    os.rename(f"{disk}.new", disk)
    vm.close()
    return disk


class Host:
    """A machine that stays for all rounds of its variants, unless a round leaves it without an answer."""

    def __init__(self, name, kinds, binary, image, disk):
        self.name, self.kinds, self.binary, self.image, self.disk = name, kinds, binary, image, disk
        self.options = {}
        self.about = {}
        self.vm = None
        self.up()

    def up(self):
        if self.vm:
            self.vm.close()
        vm = self.vm = Vm(self.image, base=self.disk, memory=MEMORY, name=self.name).boot()
        vm.push(self.binary, "/usr/local/bin/civicum-tune")
        vm.push(LOADS / "scaled.toml", "/root/scaled.toml", "644")
        limits = services(vm)
        if self.name == "tuned":
            status, text = vm.run("civicum-tune apply --yes --profile /root/scaled.toml", 900)
            if status:
                raise RuntimeError(f"apply: status {status}\n{text}")
            self.applied = text
            vm.reboot()
        else:
            vm.output("rm /usr/local/bin/civicum-tune")
        vm.output("systemctl start docker.service", timeout=300)
        for kind in self.kinds:
            self.options[kind] = options(kind, limits)
            for one, told in self.options[kind].items():
                vm.output(f"echo '{told}' >/srv/evidence/{kind}-{one}.options")
            vm.output(f"/srv/evidence/create.sh {kind} {LLM_MIB} {LEAK_MIB}", timeout=600)

        self.about = {
            "kernel": vm.output("uname -sr"),
            "engine": vm.output("docker version -f '{{.Server.Version}}'"),
            "database": vm.output("/usr/lib/postgresql/15/bin/postgres --version | cut -d' ' -f2,3 | tr -d '()'"),
            "system": vm.output(". /etc/os-release; echo $PRETTY_NAME"),
            "memory": vm.output("awk '/MemTotal/ {print int($2 / 1024)}' /proc/meminfo"),
            "corpus": vm.output("cat /srv/evidence/corpus.ratio").splitlines(),
        }

    def zswap(self, compressor, zpool):
        """Another compressor or allocator, as the kernel takes it; nothing of the old pool stays."""
        now = "/sys/module/zswap/parameters"
        self.vm.output(f"echo {zpool} >{now}/zpool && echo {compressor} >{now}/compressor", timeout=300)
        self.vm.output("for one in $(awk '/^\\// {print $1}' /proc/swaps); do swapoff $one && swapon $one; done", timeout=600)
        found = self.vm.output(f"cat {now}/compressor {now}/zpool").split()
        if found != [compressor, zpool]:
            raise RuntimeError(f"zswap is {found}, not {compressor} and {zpool}")

    def round(self, variant, number, seconds):
        _, kind, zswap = VARIANTS[variant]
        name = f"{variant.replace(', ', '-').replace(' ', '-')}-{number}"
        if zswap:
            self.zswap(*zswap)
        begin = time.monotonic()
        self.vm.output(f"cd /srv/evidence && mkdir -p out && (setsid ./round.sh {name} {kind} {seconds} {READ_MIB} {JOB_MIB} >out/{name}.log 2>&1 </dev/null &)")
        silent = longest = 0.0
        last = time.monotonic()
        deadline = begin + seconds + DEADLINE
        time.sleep(min(10, seconds))
        while time.monotonic() < deadline:
            status, _ = self.vm.run(f"test -e /srv/evidence/out/{name}/done", timeout=60)
            now = time.monotonic()
            if status in (0, 1):
                last = now
                if status == 0:
                    break
            else:
                self.vm.disconnect()
            silent = now - last
            longest = max(longest, silent)
            time.sleep(3)
        else:
            say(f"{name}: no end within {deadline - begin:.0f} s, without an answer for {silent:.0f} s: power cut")
            print(self.vm.serial())
            serial = self.vm.serial(4000)
            self.up()
            return {"variant": variant, "round": number, "unresponsive": silent, "silent": longest, "serial": serial}
        files = self.vm.output(f"cd /srv/evidence/out/{name} && for f in *; do echo \"=== $f\"; cat $f; done", timeout=300)
        self.vm.output(f"rm -rf /srv/evidence/out/{name}")
        took = time.monotonic() - begin
        parts = {}
        for line in files.splitlines():
            if line.startswith("=== "):
                lines = parts.setdefault(line[4:], [])
            else:
                lines.append(line)
        return {"variant": variant, "round": number, "took": took, "silent": longest, "files": parts}


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))] if values else None


def examine(result):
    """From the files of a round to its figures."""
    if "files" not in result:
        return
    files = result["files"]
    begin, end = float(files["begin"][0]), float(files["end"][0])
    names = {identity: name for name, identity in (line.split() for line in files["ids"])}

    # Who was killed, by the kernel's log.
    killed = []
    for line in files["kernel"]:
        found = re.search(r"oom-kill:constraint=(\w+),.*task_memcg=([^,]*),task=([^,]*),pid=(\d+)", line)
        if found:
            constraint, group, task, _ = found.groups()
            inside = re.search(r"docker-([0-9a-f]{64})", group)
            victim = names.get(inside.group(1), "a container") if inside else f"{task} of the system"
            killed.append((victim, "its own limit" if constraint == "CONSTRAINT_MEMCG" else "the whole host"))
    result["killed"] = killed
    result["exits"] = [(line.split()[2].split("-")[-1], int(line.split()[3])) for line in files["events"]
                       if line.split()[1] == "die" and float(line.split()[0]) / 1e9 < end and len(line.split()) > 3]

    # The model: a time for each token, and the time in which it was not there.
    tokens, away, last, down = [], 0.0, begin, False
    for line in files["llm"]:
        word, *numbers = line.split()
        at = float(numbers[0])
        if not begin <= at <= end:
            continue
        if word == "start":
            down = True
        elif word == "token":
            if down:
                away += at - last
                down = False
            tokens.append((float(numbers[1]), float(numbers[2])))
            last = at
    kills = sum(victim == "llm" for victim, _ in killed)
    if down or (kills and end - last > 5):
        away += end - last
    result["tokens"] = [token for token, _ in tokens]
    result["touch"] = max((touch for _, touch in tokens), default=None)
    result["away"] = away

    # The worker: all that it leaked in all its lives; a round in which this is small put nobody to the test.
    lives = [0]
    for line in files.get("worker", []):
        word, at, *amount = line.split()
        if float(at) <= end:
            lives += [0] if word == "start" else []
            lives[-1] = int(amount[0]) if amount else lives[-1]
    result["leaked"] = sum(lives)

    # The database.
    times, stamps = [], [begin]
    for name, lines in files.items():
        if name.startswith("db."):
            for line in lines:
                words = line.split()
                if len(words) >= 6 and words[2].isdigit():
                    times.append(int(words[2]) / 1000)
                    stamps.append(int(words[4]) + int(words[5]) / 1e6)
    stamps = sorted(stamps) + [end]
    result["transactions"] = times
    result["silence"] = max(b - a for a, b in zip(stamps, stamps[1:]))
    before = re.search(r"db pid=(\d+)", "\n".join(files["before"])).group(1)
    after = re.search(r"-db pid=(\d+)", "\n".join(files["after"])).group(1)
    result["same_pid"] = before == after

    # The kernel's counters.
    samples = [dict(word.split("=") for word in line.split()) for line in files["samples"]]
    samples = [{key: float(value) for key, value in sample.items()} for sample in samples if float(sample["time"]) <= end]
    result["samples"] = samples
    stamps = [sample["time"] for sample in samples] + [end]
    result["heartbeat"] = max((b - a for a, b in zip(stamps, stamps[1:])), default=0)
    first, final = (samples[0], samples[-1]) if samples else ({}, {})
    result["counts"] = {key: final[key] - first[key] for key in first if key in final and key != "time"}
    fullest = max(samples, key=lambda sample: sample.get("zswap_stored_pages", 0), default={})
    if fullest.get("zswap_pool_total_size"):
        result["pool"] = fullest["zswap_pool_total_size"]
        result["stored"] = fullest["zswap_stored_pages"] * 4096
    result["swap_peak"] = max((sample["SwapTotal"] - sample["SwapFree"] for sample in samples), default=0)


def number(value, digits=0):
    return "–" if value is None else f"{value:.{digits}f}"


def counted(rounds):
    return "1 round" if rounds == 1 else f"{rounds} rounds"


def short(result):
    """One line for a round, while it runs."""
    if "files" not in result:
        return f"host without an answer for {result['unresponsive']:.0f} s"
    tokens, times, counts = result["tokens"], result["transactions"], result["counts"]
    return (f"killed {dict(Counter(f'{who} ({why})' for who, why in result['killed'])) or 'nobody'}; exits {result['exits']}; "
            f"tokens {len(tokens)}: p50 {number(quantile(tokens, .5))} p99 {number(quantile(tokens, .99))} max {number(max(tokens, default=None))} ms, "
            f"away {result['away']:.0f} s; db {len(times)}: p50 {number(quantile(times, .5), 1)} p99 {number(quantile(times, .99), 1)} "
            f"max {number(max(times, default=None), 1)} ms, longest silence {result['silence']:.1f} s, same pid {result['same_pid']}; "
            f"leaked {result['leaked']} MiB; out {counts.get('pswpout', 0):.0f} in {counts.get('pswpin', 0):.0f} zswpout {counts.get('zswpout', 0):.0f} zswpin {counts.get('zswpin', 0):.0f} "
            f"written back {counts.get('zswap_written_back_pages', 0):.0f} limit hit {counts.get('zswap_pool_limit_hit', 0):.0f} "
            f"rejects {sum(v for k, v in counts.items() if k.startswith('zswap_reject')):.0f} majfault {counts.get('pgmajfault', 0):.0f}; "
            f"ratio {number(result['stored'] / result['pool'] if 'pool' in result else None, 2)}, pool {number(result.get('pool', 0) / 2**20)} MiB; "
            f"heartbeat {result['heartbeat']:.1f} s, silent {result['silent']:.0f} s, took {result['took']:.0f} s")


KILLED = {("llm", "its own limit"): "model (own limit)", ("llm", "the whole host"): "model",
          ("db", "its own limit"): "database (own limit)", ("db", "the whole host"): "database",
          ("worker", "its own limit"): "worker (own limit)", ("worker", "the whole host"): "worker"}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] + ["---:"] * (len(head) - 1)) + " |"]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows])


def victims(result):
    if "files" not in result:
        return f"no answer for {result['unresponsive']:.0f} s"
    count = Counter(KILLED.get(one, f"{one[0]}") for one in result["killed"])
    return ", ".join(f"{name} {times} ×" for name, times in sorted(count.items())) or "nobody"


def page(told, results, hosts):
    """docs/evidence.md, from what was measured; not a word in it claims more than the figures."""
    by = {variant: [one for one in results if one["variant"] == variant] for variant in told.only}
    whole = {variant: [one for one in rounds if "files" in one] for variant, rounds in by.items()}
    about = next(iter(hosts.values())).about

    def kills(variants, who):
        return sum(one[0] == who for variant in variants for result in whole[variant] for one in result["killed"])

    def all_of(variant, key):
        return [value for result in whole[variant] for value in result[key]]

    def mean(variant, key):
        values = [result["counts"].get(key, 0) for result in whole[variant]]
        return sum(values) / len(values) if values else 0

    tuned = [variant for variant in told.only if variant.startswith("tuned")]
    rounds = sum(len(by[variant]) for variant in tuned)
    verdict = []
    for variant in told.only:
        if variant in tuned:
            continue
        lost = sum("files" not in one for one in by[variant])
        verdict.append(f"- **{variant}**, {counted(len(by[variant]))}: the model was killed {kills([variant], 'llm')} times, the database "
                       f"{kills([variant], 'db')} times, the worker {kills([variant], 'worker')} times"
                       + (f"; in {lost} rounds the host gave no answer any more." if lost else "."))
    if tuned:
        lost = sum("files" not in one for variant in tuned for one in by[variant])
        verdict.append(f"- **tuned**, {counted(rounds)} (all compressors and allocators): the model was killed {kills(tuned, 'llm')} times, the "
                       f"database {kills(tuned, 'db')} times, the worker {kills(tuned, 'worker')} times"
                       + (f"; in {lost} rounds the host gave no answer any more." if lost else "."))

    waits = []
    for variant in told.only:
        tokens, times = all_of(variant, "tokens"), all_of(variant, "transactions")
        good = whole[variant]
        waits.append([
            variant, len(tokens), number(quantile(tokens, .5)), number(quantile(tokens, .99)), number(max(tokens, default=None)),
            number(max((one["touch"] or 0 for one in good), default=None)), number(sum(one["away"] for one in good)),
            len(times), number(quantile(times, .5), 1), number(quantile(times, .99), 1), number(max(times, default=None), 1),
            number(max((one["silence"] for one in good), default=None), 1),
            f"{sum(one['same_pid'] for one in good)} of {len(by[variant])}",
            number(max((one["heartbeat"] for one in good), default=None), 1)])
    counters = []
    for variant in told.only:
        good = [one for one in whole[variant] if "pool" in one]
        rejects = {key for one in whole[variant] for key in one["counts"] if key.startswith("zswap_reject")}
        counters.append([
            variant, number(sum(one["leaked"] for one in whole[variant]) / max(1, len(whole[variant]))), number(mean(variant, "pswpout")), number(mean(variant, "pswpin")), number(mean(variant, "zswpout")),
            number(mean(variant, "zswpin")), number(mean(variant, "zswap_written_back_pages")),
            number(sum(one["stored"] for one in good) / sum(one["pool"] for one in good), 2) if good else "–",
            number(max((one["pool"] for one in good), default=0) / 2**20), number(mean(variant, "zswap_pool_limit_hit")),
            number(sum(mean(variant, key) for key in rejects)), number(mean(variant, "pgmajfault"))])
    corpus = []
    for line in about["corpus"]:
        name, data, compressed, used = line.split()
        corpus.append([name, number(int(data) / int(compressed), 2), number(int(data) / int(used), 2)])
    cpu = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    qemu = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, check=True).stdout.decode().split()[3]
    kinds = {kind: options for host in hosts.values() for kind, options in host.options.items()}
    flags = "\n".join(f"{kind:7} {name:7} {text}" for kind in ("naive", "limits", "tuned") if kind in kinds
                      for name, text in kinds[kind].items())
    command = f"python3 tests/vm/evidence.py target/release/civicum-tune \"$image\" --rounds {told.rounds} --seconds {told.seconds}"
    if told.only != USUAL:
        command += " --only " + " ".join(f"'{variant}'" for variant in told.only)
    told.write.write_text(f"""\
# Evidence: who survives

A language model, PostgreSQL and a worker that leaks, side by side on one small host, as Debian makes it and tuned: who is
killed, and who waits how long. This page is written by the script that measures; everything in it was said by the kernel, by
Docker or by the loads, nothing by civicum-tune.

```sh
image=$(tests/vm/build-image.sh)
{command} --write docs/evidence.md
```

Measured on {time.strftime("%Y-%m-%d", time.gmtime())}: {about["system"]}, {about["kernel"]}, Docker {about["engine"]}, {about["database"]},
two CPUs and {about["memory"]} MiB of RAM under QEMU {qemu} (TCG), on a {os.cpu_count()}-core {cpu.group(1).strip() if cpu else platform.machine()}.

**Only compare rows with each other.** TCG emulates each instruction, so the guest's CPU is ten times or more slower than a
real one, while its disk is a file in another machine's page cache and faster than any real disk. Milliseconds here are
nobody's milliseconds. And it is unfair to compression: it costs CPU, which is dear here, and saves disk, which is cheap here. Who is killed
does not depend on it.

## What happened

{chr(10).join(verdict)}

## Who was killed, round by round

By the kernel's log (`oom-kill:`). "Own limit" is the limit of the container; otherwise the whole host was out of memory.

{table(["variant"] + [f"round {turn}" for turn in range(1, told.rounds + 1)], [[variant] + [victims(one) for one in by[variant]] for variant in told.only])}

## Who waited

Over all rounds. A token is one pass of the model over all its memory, between two sleeps of 0.2 s; a touch is 64 pages of it. "Away" is
the time without a model, from its last token before it was killed to the first token after. The database's time is that of
a transaction since it was due (pgbench, 5 a second); silence is the longest time in which none ended. The heartbeat is a
process that wants to run once a second: the longest time in which it did not.

{table(["variant", "tokens", "p50 ms", "p99 ms", "max ms", "longest touch ms", "away s", "transactions", "p50 ms", "p99 ms", "max ms", "silence s", "same PID", "heartbeat s"], waits)}

## Where the pages went

The mean of the rounds, in pages but for the MiB; leaked is what the worker leaked in all its lives; the ratio is what zswap held (`stored_pages`) to what it took (`pool_total_size`) when it held most; the pool is its largest.

{table(["variant", "leaked MiB", "to disk", "from disk", "into zswap", "out of zswap", "written back", "ratio", "pool MiB", "limit hit", "rejected", "major faults"], counters)}

## The machine and the loads

A sixth of the host that `civicum-12g` is for: 2 GiB instead of 12, two CPUs instead of four, and each limit divided by six
([scaled.toml](../tests/vm/evidence/scaled.toml)). *stock* has no swap, no zswap and no limits, and all containers are restarted unless
stopped, as in a compose file that says nothing else. *limits only* has the memory and CPU limits, and nothing else. *tuned* is `civicum-tune apply`
with that profile, a reboot, and containers with all that the profile gives them; zswap's compressor and allocator are then switched in the running kernel.

```text
{flags}
```

- **Model**: {LLM_MIB} MiB of memory, all of it read for each token, a sixteenth written.
- **Database**: PostgreSQL with 22 MB of shared buffers, five pgbench branches, 5 transactions a second over two connections.
- **Worker**: 64 MiB in use and a leak of {LEAK_MIB} MiB a second, until something ends it.
- **Reader**: on the host, reads a file of 320 MiB again and again, {READ_MIB} MiB a second.
- **Job**: a process on the host that takes {JOB_MIB} MiB in the second third of a round, as an upgrade or a backup would. With
  it and the engine itself, which does not shrink with the host, the system uses more than the profile keeps for it.
- What measures (pgbench, the reader, a sampler) has an oom_score_adj of −1000 and runs outside the containers.

Each round lasts {told.seconds} s from the worker's start, when the model is loaded and the database answers; the page cache is
dropped before. One round of each variant, then the next of each, in the order of the tables; the machines stay up.

The model and the worker fill their memory with the same 32 MiB of pages: {RANDOM_PAGES} % of them random bytes (weights, images), the others
taken evenly from all programs, libraries and texts of the image. How far these compress, page by page, by the kernel's own
compressors (zram; the second ratio is what the store itself takes):

{table(["compressor", "pages to compressed", "pages to memory used"], corpus)}
""")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("image")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=USUAL)
    parser.add_argument("--write", type=Path)
    parser.add_argument("--keep", type=Path, help="a file for all that was measured, as JSON")
    told = parser.parse_args()
    disk = prepare(told.image)
    say(f"prepared: {disk}")
    wanted = {}
    for variant in told.only:
        machine, kind, _ = VARIANTS[variant]
        wanted.setdefault(machine, [])
        if kind not in wanted[machine]:
            wanted[machine].append(kind)
    hosts = {name: Host(name, kinds, told.binary, told.image, disk) for name, kinds in wanted.items()}
    results = []
    # One round of each variant, then the next of each: what changes on the real machine meanwhile meets all of them.
    for turn in range(1, told.rounds + 1):
        for variant in told.only:
            result = hosts[VARIANTS[variant][0]].round(variant, turn, told.seconds)
            examine(result)
            results.append(result)
            say(f"{variant}, round {turn}: {short(result)}")
            if told.keep:
                told.keep.write_text(json.dumps(results))
    if told.write:
        page(told, results, hosts)
        say(f"written: {told.write}")


if __name__ == "__main__":
    main()
