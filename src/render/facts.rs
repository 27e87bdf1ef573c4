//! What a host is: the `detect` document and the page for people.

use serde_json::{Value, json};

use std::borrow::Cow;

use super::style::{Style, printable, wrap};
use crate::facts::{Facts, Initramfs, Loader, Psi, Survey};
use crate::lang::say;
use crate::t;
use crate::units::{Bytes, MIB};

/// `civicum-tune/detect/1`. What the host does not tell (an image has no /proc) is null, never a 0 or a `false` that somebody
/// could believe.
pub fn json(facts: &Facts, survey: Option<&Survey>) -> Value {
    let mut document = json!({ "schema": "civicum-tune/detect/1" });
    if let (Value::Object(all), Ok(Value::Object(fields))) = (&mut document, serde_json::to_value(facts)) {
        all.extend(fields);
    }
    not_told(facts, &mut document);
    if let Some(survey) = survey {
        document["docker"]["version"] = json!(survey.docker_version);
        document["file_systems"] = json!(survey.file_systems);
        document["largest_processes"] = json!(survey.largest_processes);
    }
    document
}

/// Puts null where nothing was told.
fn not_told(facts: &Facts, document: &mut Value) {
    let mut clear = |section: &str, keys: &[&str]| {
        for key in keys {
            document[section][*key] = Value::Null;
        }
    };
    if facts.os.name.is_empty() {
        clear("os", &["name"]);
    }
    if facts.kernel.release.is_empty() {
        clear("kernel", &["release", "version"]);
    }
    if facts.cpu.threads == 0 {
        clear("cpu", &["vendor", "family", "model", "name", "threads", "cores", "sockets", "numa_nodes"]);
        clear("cpu", &["avx512", "avx512_usable", "simd"]);
    }
    if facts.boot.cmdline.is_empty() {
        clear("boot", &["cmdline"]);
    }
    if facts.memory.total_bytes == 0 {
        let sizes = ["total_bytes", "available_bytes", "swap_total_bytes", "swap_free_bytes", "page_bytes"];
        clear("memory", &sizes);
        clear("zswap", &["available", "enabled"]);
        if facts.swap.is_empty() {
            document["swap"] = Value::Null;
        }
    }
}

/// One label and its words.
struct Page {
    out: String,
    style: Style,
}

const LABEL: usize = 16;

impl Page {
    fn heading(&mut self, text: &str) {
        let blank = if self.out.is_empty() { "" } else { "\n" };
        self.out += &format!("{blank}{}\n", self.style.bold(text));
    }

    fn line(&mut self, label: &str, words: &str) {
        for (at, line) in wrap(&printable(words), self.style.width - LABEL - 3).iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            self.out += &format!("  {} {line}\n", self.style.cyan(&format!("{label:<LABEL$}")));
        }
    }

    fn remark(&mut self, words: &str) {
        for line in wrap(&printable(words), self.style.width - LABEL - 3) {
            self.out += &format!("  {:LABEL$} {}\n", "", self.style.yellow(&line));
        }
    }
}

/// The page.
pub fn human(facts: &Facts, survey: Option<&Survey>, style: Style) -> String {
    let mut page = Page { out: String::new(), style };
    system(&mut page, facts, survey);
    processor(&mut page, facts);
    memory(&mut page, facts, survey);
    storage(&mut page, facts, survey);
    boot(&mut page, facts);
    if !facts.tuners.is_empty() {
        page.heading(&say("Others that set the same knobs"));
        for tuner in &facts.tuners {
            let (touches, evidence) = (&tuner.touches, &tuner.evidence);
            let words = if tuner.active {
                t!("active; sets {touches} ({evidence})", touches = touches, evidence = evidence)
            } else {
                t!(
                    "installed, not active; sets {touches} ({evidence})",
                    touches = touches,
                    evidence = evidence
                )
            };
            page.line(&tuner.name, &words);
        }
    }
    page.out
}

fn or_unknown(text: &str) -> Cow<'_, str> {
    if text.is_empty() { say("not told") } else { Cow::Borrowed(text) }
}

/// The kind of a disk or of a swap area in words.
fn kind(of: &str) -> Cow<'_, str> {
    match of {
        "file" => say("file"),
        "partition" => say("partition"),
        "virtual" => say("virtual"),
        "rotational" => say("rotational"),
        other => Cow::Borrowed(other),
    }
}

fn size(bytes: u64) -> String {
    if bytes >= 10 * MIB { format!("{} MiB", bytes / MIB) } else { Bytes(bytes).to_string() }
}

fn system(page: &mut Page, facts: &Facts, survey: Option<&Survey>) {
    page.heading(&say("System"));
    page.line(&say("Distribution"), &or_unknown(&facts.os.name));
    page.line(&say("Kernel"), &or_unknown(&facts.kernel.release));
    let below = match (&facts.virtualization.container, &facts.virtualization.vm) {
        (Some(container), _) => t!("{container} container", container = container),
        (None, Some(vm)) => t!("virtual machine ({vm})", vm = vm),
        // A copied disk knows no processor, and so nothing of what is below it.
        (None, None) if facts.cpu.threads == 0 => t!("not told"),
        (None, None) => t!("no sign of virtualisation"),
    };
    page.line(&say("Runs on"), &below);
    page.line(&say("Init"), &or_unknown(facts.init.as_deref().unwrap_or_default()));
    let version = survey.and_then(|survey| survey.docker_version.as_deref()).unwrap_or_default();
    page.line("Docker", format!("{} {version}", engine(&facts.docker.state)).trim());
}

/// The engine's state in words.
fn engine(state: &str) -> Cow<'_, str> {
    match state {
        "running" => say("running"),
        "installed" => say("installed"),
        "absent" => say("absent"),
        other => Cow::Borrowed(other),
    }
}

fn processor(page: &mut Page, facts: &Facts) {
    let cpu = &facts.cpu;
    page.heading(&say("Processor"));
    page.line(&say("Name"), &or_unknown(&cpu.name));
    if cpu.threads == 0 {
        return;
    }
    if let Some(name) = &cpu.microarchitecture {
        page.line(
            &say("Generation"),
            &t!("{name}, family {family} model {model}", name = name, family = cpu.family, model = cpu.model),
        );
    }
    let parts = [
        if cpu.threads == 1 { t!("1 thread") } else { t!("{n} threads", n = cpu.threads) },
        if cpu.cores == 1 { t!("1 core") } else { t!("{n} cores", n = cpu.cores) },
        if cpu.sockets == 1 { t!("1 socket") } else { t!("{n} sockets", n = cpu.sockets) },
        if cpu.numa_nodes == 1 { t!("1 NUMA node") } else { t!("{n} NUMA nodes", n = cpu.numa_nodes) },
    ];
    page.line(&say("Topology"), &parts.join(", "));
    let xcr0 = cpu.xcr0.map(|xcr0| format!(" (XCR0 {xcr0:#x})")).unwrap_or_default();
    let avx512 = match (cpu.avx512_usable, cpu.avx512.is_empty()) {
        (true, _) => t!("usable{xcr0}: {sets}", xcr0 = xcr0, sets = cpu.avx512.join(" ")),
        (false, false) => t!("present, not usable{xcr0}", xcr0 = xcr0),
        (false, true) => t!("none"),
    };
    page.line("AVX-512", &avx512);
    for remark in &cpu.remarks {
        page.remark(remark);
    }
}

fn memory(page: &mut Page, facts: &Facts, survey: Option<&Survey>) {
    page.heading(&say("Memory"));
    let memory = &facts.memory;
    let told = memory.total_bytes > 0;
    let ram = if told {
        let (total, available) = (size(memory.total_bytes), size(memory.available_bytes));
        t!("{total}, {available} available", total = total, available = available)
    } else {
        t!("not told")
    };
    page.line("RAM", &ram);
    if facts.swap.is_empty() {
        page.line(&say("Swap"), &if told { say("none") } else { say("not told") });
    }
    for area in &facts.swap {
        let used = size(area.used_bytes);
        let on = area.file_system.as_ref().map(|fs| t!(" on {fs}", fs = fs)).unwrap_or_default();
        page.line(
            &say("Swap"),
            &t!(
                "{path} ({kind}{on}), {size}, {used} used, priority {priority}",
                path = area.path,
                kind = kind(&area.kind),
                on = on,
                size = size(area.size_bytes),
                used = used,
                priority = area.priority
            ),
        );
    }
    let zswap = &facts.zswap;
    let words = if !told {
        t!("not told")
    } else if !zswap.available {
        t!("not in this kernel")
    } else if zswap.enabled {
        let mut words = t!("on, {compressor}", compressor = zswap.compressor.as_deref().unwrap_or("?"));
        if let Some(zpool) = &zswap.zpool {
            words += &t!(" in {zpool}", zpool = zpool);
        }
        words
            + &zswap
                .max_pool_percent
                .map(|p| t!(", up to {percent} % of RAM", percent = p))
                .unwrap_or_default()
    } else {
        t!("off")
    };
    page.line("zswap", &words);
    for zram in &facts.zram {
        let (name, size, data) = (&zram.name, size(zram.size_bytes), size(zram.data_bytes));
        let words = if zram.active {
            t!("{name} of {size}, holds {data}, in use as swap", name = name, size = size, data = data)
        } else {
            t!("{name} of {size}, holds {data}, not in use as swap", name = name, size = size, data = data)
        };
        page.line("zram", &words);
    }
    let psi = match facts.psi {
        Psi::On => say("on"),
        Psi::Off => say("built in, switched off (psi=1 wakes it)"),
        Psi::Absent => say("not in this kernel"),
        Psi::Unknown => say("not told"),
    };
    page.line(&say("Pressure (PSI)"), &psi);
    page.line("cgroup", &format!("{:?}", facts.cgroup).to_lowercase());
    page.line(&say("Huge pages"), &or_unknown(facts.thp.as_deref().unwrap_or_default()));
    let mglru = facts.mglru.as_ref().map(|m| {
        t!("enabled {bits}, min_ttl_ms {ms}", bits = format!("{:#06x}", m.enabled), ms = m.min_ttl_ms)
    });
    let without = if told { say("not in this kernel") } else { say("not told") };
    page.line("MGLRU", &mglru.map_or(without, Cow::Owned));
    for process in survey.iter().flat_map(|survey| &survey.largest_processes) {
        page.line(
            &say("Held by"),
            &t!(
                "{size} {name} (process {pid})",
                size = size(process.memory_bytes),
                name = process.name,
                pid = process.pid
            ),
        );
    }
}

fn storage(page: &mut Page, facts: &Facts, survey: Option<&Survey>) {
    page.heading(&say("Storage"));
    for disk in &facts.disks {
        let model = disk.model.as_deref().map(|model| format!(", {model}")).unwrap_or_default();
        page.line(&disk.name, &format!("{}, {}{model}", size(disk.size_bytes), kind(&disk.kind)));
    }
    for mount in
        facts.mounts.iter().filter(|mount| mount.fstype != "tmpfs" && mount.fstype != "overlay").take(12)
    {
        let room = survey.and_then(|survey| survey.file_systems.iter().find(|fs| fs.target == mount.target));
        let room = room
            .map(|fs| {
                t!(", {free} of {total} free", free = size(fs.free_bytes), total = size(fs.total_bytes))
            })
            .unwrap_or_default();
        let read_only = if mount.read_only { say(", read-only") } else { Cow::Borrowed("") };
        page.line(
            &mount.target,
            &t!(
                "{fs} on {source}{room}{read_only}",
                fs = mount.fstype,
                source = mount.source,
                room = room,
                read_only = read_only
            ),
        );
    }
}

fn boot(page: &mut Page, facts: &Facts) {
    page.heading(&say("Boot"));
    let loader = match facts.boot.loader {
        Loader::Grub => Cow::Borrowed("GRUB"),
        Loader::SystemdBoot => Cow::Borrowed("systemd-boot"),
        Loader::FlashKernel => Cow::Borrowed("flash-kernel"),
        Loader::None => say("none of its own (container)"),
        Loader::Unknown => say("none found; the provider may boot a kernel of its own"),
    };
    page.line(&say("Loader"), &format!("{loader}{}", if facts.boot.uefi { ", UEFI" } else { "" }));
    let initramfs = match facts.boot.initramfs {
        Initramfs::InitramfsTools => Cow::Borrowed("initramfs-tools"),
        Initramfs::Dracut => Cow::Borrowed("dracut"),
        Initramfs::None => say("no maker found"),
    };
    page.line("Initramfs", &initramfs);
    page.line(&say("Command line"), &or_unknown(&facts.boot.cmdline));
}
