//! What a host is: the `detect` document and the page for people.

use serde_json::{Value, json};

use super::style::{Style, printable, wrap};
use crate::facts::{Facts, Initramfs, Loader, Psi, Survey};
use crate::units::{Bytes, MIB};

/// `civicum-tune/detect/1`.
pub fn json(facts: &Facts, survey: Option<&Survey>) -> Value {
    let mut document = json!({ "schema": "civicum-tune/detect/1" });
    if let (Value::Object(all), Ok(Value::Object(fields))) = (&mut document, serde_json::to_value(facts)) {
        all.extend(fields);
    }
    if let Some(survey) = survey {
        document["docker"]["version"] = json!(survey.docker_version);
        document["file_systems"] = json!(survey.file_systems);
        document["largest_processes"] = json!(survey.largest_processes);
    }
    document
}

/// One label and its words.
struct Page {
    out: String,
    style: Style,
}

const LABEL: usize = 16;
const WIDTH: usize = 96;

impl Page {
    fn heading(&mut self, text: &str) {
        let blank = if self.out.is_empty() { "" } else { "\n" };
        self.out += &format!("{blank}{}\n", self.style.bold(text));
    }

    fn line(&mut self, label: &str, words: &str) {
        for (at, line) in wrap(&printable(words), WIDTH - LABEL - 3).iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            self.out += &format!("  {} {line}\n", self.style.cyan(&format!("{label:<LABEL$}")));
        }
    }

    fn remark(&mut self, words: &str) {
        for line in wrap(&printable(words), WIDTH - LABEL - 3) {
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
        page.heading("Others that set the same knobs");
        for tuner in &facts.tuners {
            let active = if tuner.active { "active" } else { "installed, not active" };
            page.line(&tuner.name, &format!("{active}; sets {} ({})", tuner.touches, tuner.evidence));
        }
    }
    page.out
}

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "not told" } else { text }
}

fn size(bytes: u64) -> String {
    if bytes >= 10 * MIB { format!("{} MiB", bytes / MIB) } else { Bytes(bytes).to_string() }
}

fn system(page: &mut Page, facts: &Facts, survey: Option<&Survey>) {
    page.heading("System");
    page.line("Distribution", or_unknown(&facts.os.name));
    page.line("Kernel", or_unknown(&facts.kernel.release));
    let below = match (&facts.virtualization.container, &facts.virtualization.vm) {
        (Some(container), _) => format!("{container} container"),
        (None, Some(vm)) => format!("virtual machine ({vm})"),
        (None, None) => "no sign of virtualisation".to_owned(),
    };
    page.line("Runs on", &below);
    page.line("Init", facts.init.as_deref().unwrap_or("not told"));
    let version = survey.and_then(|survey| survey.docker_version.as_deref()).unwrap_or_default();
    page.line("Docker", format!("{} {version}", facts.docker.state).trim());
}

fn processor(page: &mut Page, facts: &Facts) {
    let cpu = &facts.cpu;
    page.heading("Processor");
    page.line("Name", or_unknown(&cpu.name));
    if let Some(name) = &cpu.microarchitecture {
        page.line("Generation", &format!("{name}, family {} model {}", cpu.family, cpu.model));
    }
    let s = |n: usize| if n == 1 { "" } else { "s" };
    page.line(
        "Topology",
        &format!(
            "{} thread{}, {} core{}, {} socket{}, {} NUMA node{}",
            cpu.threads,
            s(cpu.threads),
            cpu.cores,
            s(cpu.cores),
            cpu.sockets,
            s(cpu.sockets),
            cpu.numa_nodes,
            s(cpu.numa_nodes)
        ),
    );
    let xcr0 = cpu.xcr0.map(|xcr0| format!(" (XCR0 {xcr0:#x})")).unwrap_or_default();
    let avx512 = match (cpu.avx512_usable, cpu.avx512.is_empty()) {
        (true, _) => format!("usable{xcr0}: {}", cpu.avx512.join(" ")),
        (false, false) => format!("present, not usable{xcr0}"),
        (false, true) => "none".to_owned(),
    };
    page.line("AVX-512", &avx512);
    for remark in &cpu.remarks {
        page.remark(remark);
    }
}

fn memory(page: &mut Page, facts: &Facts, survey: Option<&Survey>) {
    page.heading("Memory");
    let memory = &facts.memory;
    page.line("RAM", &format!("{}, {} available", size(memory.total_bytes), size(memory.available_bytes)));
    if facts.swap.is_empty() {
        page.line("Swap", "none");
    }
    for area in &facts.swap {
        let used = size(area.used_bytes);
        let on = area.file_system.as_ref().map(|fs| format!(" on {fs}")).unwrap_or_default();
        page.line(
            "Swap",
            &format!(
                "{} ({}{on}), {}, {used} used, priority {}",
                area.path,
                area.kind,
                size(area.size_bytes),
                area.priority
            ),
        );
    }
    let zswap = &facts.zswap;
    let words = if !zswap.available {
        "not in this kernel".to_owned()
    } else if zswap.enabled {
        let mut words = format!("on, {}", zswap.compressor.as_deref().unwrap_or("?"));
        if let Some(zpool) = &zswap.zpool {
            words += &format!(" in {zpool}");
        }
        words + &zswap.max_pool_percent.map(|p| format!(", up to {p} % of RAM")).unwrap_or_default()
    } else {
        "off".to_owned()
    };
    page.line("zswap", &words);
    for zram in &facts.zram {
        let active = if zram.active { "in use as swap" } else { "not in use as swap" };
        page.line(
            "zram",
            &format!("{} of {}, holds {}, {active}", zram.name, size(zram.size_bytes), size(zram.data_bytes)),
        );
    }
    let psi = match facts.psi {
        Psi::On => "on",
        Psi::Off => "built in, switched off (psi=1 wakes it)",
        Psi::Absent => "not in this kernel",
        Psi::Unknown => "not told",
    };
    page.line("Pressure (PSI)", psi);
    page.line("cgroup", &format!("{:?}", facts.cgroup).to_lowercase());
    page.line("Huge pages", facts.thp.as_deref().unwrap_or("not told"));
    let mglru =
        facts.mglru.as_ref().map(|m| format!("enabled {:#06x}, min_ttl_ms {}", m.enabled, m.min_ttl_ms));
    page.line("MGLRU", mglru.as_deref().unwrap_or("not in this kernel, or not told"));
    for process in survey.iter().flat_map(|survey| &survey.largest_processes) {
        page.line(
            "Held by",
            &format!("{} {} (process {})", size(process.memory_bytes), process.name, process.pid),
        );
    }
}

fn storage(page: &mut Page, facts: &Facts, survey: Option<&Survey>) {
    page.heading("Storage");
    for disk in &facts.disks {
        let model = disk.model.as_deref().map(|model| format!(", {model}")).unwrap_or_default();
        page.line(&disk.name, &format!("{}, {}{model}", size(disk.size_bytes), disk.kind));
    }
    for mount in
        facts.mounts.iter().filter(|mount| mount.fstype != "tmpfs" && mount.fstype != "overlay").take(12)
    {
        let room = survey.and_then(|survey| survey.file_systems.iter().find(|fs| fs.target == mount.target));
        let room = room
            .map(|fs| format!(", {} of {} free", size(fs.free_bytes), size(fs.total_bytes)))
            .unwrap_or_default();
        let read_only = if mount.read_only { ", read-only" } else { "" };
        page.line(&mount.target, &format!("{} on {}{room}{read_only}", mount.fstype, mount.source));
    }
}

fn boot(page: &mut Page, facts: &Facts) {
    page.heading("Boot");
    let loader = match facts.boot.loader {
        Loader::Grub => "GRUB",
        Loader::SystemdBoot => "systemd-boot",
        Loader::FlashKernel => "flash-kernel",
        Loader::None => "none of its own (container)",
        Loader::Unknown => "none found; the provider may boot a kernel of its own",
    };
    page.line("Loader", &format!("{loader}{}", if facts.boot.uefi { ", UEFI" } else { "" }));
    let initramfs = match facts.boot.initramfs {
        Initramfs::InitramfsTools => "initramfs-tools",
        Initramfs::Dracut => "dracut",
        Initramfs::None => "no maker found",
    };
    page.line("Initramfs", initramfs);
    page.line("Command line", or_unknown(&facts.boot.cmdline));
}
