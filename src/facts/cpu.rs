//! The processor, and above all its AVX-512.

use crate::t;
use std::collections::BTreeSet;

use super::Cpu;
use crate::host::{Host, cpuid};

/// XCR0 with all that AVX-512 needs saved: SSE, AVX, opmask and both halves of the ZMM registers.
const AVX512_STATE: u64 = 0xe6;

/// The instructions that a model on the CPU lives on, as `/proc/cpuinfo` spells them.
const SIMD: [&str; 6] = ["avx", "avx2", "fma", "f16c", "bmi2", "avx_vnni"];

/// How a processor stands with AVX-512.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Avx512 {
    /// Programs can use it.
    Usable,
    /// The processor has it, and the operating system does not save its registers.
    NotSaved,
    /// Its generation has it, and the hypervisor hides it.
    Masked,
    /// Its generation does not have it.
    NotInGeneration,
    /// It is not there, and we do not know the generation.
    Absent,
    /// The host did not tell, or it is no x86 processor.
    Unknown,
}

impl Cpu {
    /// How it stands with AVX-512.
    pub fn avx512_state(&self) -> Avx512 {
        if self.threads == 0 || !self.is_x86() {
            return Avx512::Unknown;
        }
        let has_it = self.avx512.iter().any(|flag| flag == "avx512f");
        match (has_it, self.avx512_usable, microarchitecture(self).1) {
            (true, true, _) => Avx512::Usable,
            (true, false, _) => Avx512::NotSaved,
            (false, _, Some(true)) => Avx512::Masked,
            (false, _, Some(false)) => Avx512::NotInGeneration,
            (false, _, None) => Avx512::Absent,
        }
    }

    /// Is it one of Intel's, AMD's or their likes? Others have no vendor in `/proc/cpuinfo`.
    pub fn is_x86(&self) -> bool {
        !self.vendor.is_empty()
    }
}

/// Reads the text of `/proc/cpuinfo`.
pub(super) fn parse(text: &str) -> Cpu {
    let mut cpu = Cpu::default();
    let (mut sockets, mut cores) = (BTreeSet::new(), BTreeSet::new());
    let mut socket = "0";
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else { continue };
        let (key, value) = (key.trim(), value.trim());
        match key {
            "processor" => {
                cpu.threads += 1;
                socket = "0";
            }
            "physical id" => {
                socket = value;
                sockets.insert(value);
            }
            "core id" => {
                cores.insert((socket, value));
            }
            _ if cpu.threads > 1 => {}
            "vendor_id" => value.clone_into(&mut cpu.vendor),
            "cpu family" => cpu.family = value.parse().unwrap_or(0),
            "model" => cpu.model = value.parse().unwrap_or(0),
            "model name" => value.clone_into(&mut cpu.name),
            "flags" => {
                let avx512 = value.split_whitespace().filter(|flag| flag.starts_with("avx512"));
                cpu.avx512 = avx512.map(str::to_owned).collect();
                let simd = SIMD.iter().filter(|name| value.split_whitespace().any(|flag| flag == **name));
                cpu.simd = simd.map(|name| (*name).to_owned()).collect();
            }
            _ => {}
        }
    }
    cpu.sockets = sockets.len().max(usize::from(cpu.threads > 0));
    cpu.cores = if cores.is_empty() { cpu.threads } else { cores.len() };
    // The kernel lists a flag only where it saves the registers for it.
    cpu.avx512_usable = cpu.avx512.iter().any(|flag| flag == "avx512f");
    cpu
}

pub(super) fn read(host: &Host) -> Cpu {
    let mut cpu = host.value("/proc/cpuinfo").map(|text| parse(&text)).unwrap_or_default();
    if let Some(answers) = host.is_live().then(cpuid::ask).flatten() {
        cpu.vendor = answers.vendor;
        cpu.family = answers.family;
        cpu.model = answers.model;
        cpu.xcr0 = answers.xcr0;
        let saved = answers.xcr0.is_some_and(|xcr0| xcr0 & AVX512_STATE == AVX512_STATE);
        cpu.avx512_usable = saved && answers.avx512.iter().any(|flag| flag == "avx512f");
        cpu.avx512 = answers.avx512;
    }
    let nodes = host.list("/sys/devices/system/node").unwrap_or_default();
    let is_node = |name: &&String| name.strip_prefix("node").is_some_and(|n| n.parse::<u32>().is_ok());
    cpu.numa_nodes = nodes.iter().filter(is_node).count().max(usize::from(cpu.threads > 0));
    cpu.microarchitecture = microarchitecture(&cpu).0.map(str::to_owned);
    cpu.remarks = remarks(&cpu);
    cpu
}

/// The name of AMD's generations since Zen and of Intel's server processors, and whether they have AVX-512. What else
/// Intel makes is left to its flags.
fn microarchitecture(cpu: &Cpu) -> (Option<&'static str>, Option<bool>) {
    if cpu.vendor == "GenuineIntel" && cpu.family == 6 {
        // arch/x86/include/asm/intel-family.h
        return match cpu.model {
            0x3f => (Some("Haswell"), Some(false)),
            0x4f | 0x56 => (Some("Broadwell"), Some(false)),
            0x55 => (Some("Skylake-SP to Cooper Lake"), Some(true)),
            0x6a | 0x6c => (Some("Ice Lake-SP"), Some(true)),
            0x8f => (Some("Sapphire Rapids"), Some(true)),
            0xcf => (Some("Emerald Rapids"), Some(true)),
            0xad | 0xae => (Some("Granite Rapids"), Some(true)),
            0xaf => (Some("Sierra Forest"), Some(false)),
            _ => (None, None),
        };
    }
    if cpu.vendor != "AuthenticAMD" {
        return (None, None);
    }
    match (cpu.family, cpu.model) {
        (0x17, _) => (Some("Zen 1 or 2"), Some(false)),
        (0x19, 0x00..=0x0f) => (Some("Zen 3 (Milan)"), Some(false)),
        (0x19, 0x10..=0x1f) => (Some("Zen 4 (Genoa)"), Some(true)),
        (0x19, 0xa0..=0xaf) => (Some("Zen 4c (Bergamo)"), Some(true)),
        (0x19, 0x60..=0x9f) => (Some("Zen 4"), Some(true)),
        (0x19, _) => (Some("Zen 3"), Some(false)),
        (0x1a, 0x00..=0x1f) => (Some("Zen 5 (Turin)"), Some(true)),
        (0x1a, _) => (Some("Zen 5"), Some(true)),
        _ => (None, None),
    }
}

fn remarks(cpu: &Cpu) -> Vec<String> {
    let name = cpu.microarchitecture.as_deref().unwrap_or_default();
    let mut remarks = Vec::new();
    match cpu.avx512_state() {
        Avx512::Usable | Avx512::Unknown => {}
        Avx512::NotSaved => remarks.push(t!(
            "the processor has AVX-512, but the operating system does not save its registers (XCR0), so it can't be used"
        )),
        Avx512::Masked => remarks.push(t!(
            "{name} has AVX-512, but the hypervisor masks it; ask the provider for CPU type `host`",
            name = name
        )),
        Avx512::NotInGeneration => remarks
            .push(t!("{name} has no AVX-512: a model's prompts run on AVX2, which is slower", name = name)),
        Avx512::Absent => remarks.push(t!("no AVX-512: a model's prompts run on AVX2")),
    }
    if cpu.avx512_usable && name.starts_with("Zen 4") {
        remarks.push(t!(
            "Zen 4 runs 512-bit operations in two halves: no clock penalty, less gain than on Zen 5"
        ));
    }
    remarks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpuinfo(family: u32, model: u32, flags: &str) -> String {
        let one = |n: u32| {
            format!(
                "processor\t: {n}\nvendor_id\t: AuthenticAMD\ncpu family\t: {family}\nmodel\t\t: {model}\n\
                 model name\t: AMD EPYC\nphysical id\t: 0\ncore id\t\t: {n}\nflags\t\t: fpu {flags}\n\n"
            )
        };
        (0..4).map(one).collect()
    }

    #[test]
    fn genoa_and_milan() {
        let genoa = parse(&cpuinfo(25, 17, "avx2 avx512f avx512vl"));
        assert_eq!((genoa.threads, genoa.cores, genoa.sockets, genoa.avx512_usable), (4, 4, 1, true));
        assert_eq!(microarchitecture(&genoa), (Some("Zen 4 (Genoa)"), Some(true)));
        let milan = parse(&cpuinfo(25, 1, "avx2"));
        assert_eq!((milan.avx512_usable, microarchitecture(&milan).1), (false, Some(false)));
    }

    #[test]
    fn a_masked_flag_is_told() {
        let mut cpu = parse(&cpuinfo(25, 17, "avx2"));
        cpu.microarchitecture = Some("Zen 4 (Genoa)".to_owned());
        assert!(remarks(&cpu)[0].contains("masks it"));
        assert_eq!((cpu.avx512_state(), cpu.simd), (Avx512::Masked, vec!["avx2".to_owned()]));
    }

    /// CPUID with XCR0 and the kernel's flags are two independent sources: on the machine of the test they agree.
    #[test]
    fn the_processor_and_the_kernel_agree() {
        let Some(answers) = cpuid::ask() else { return };
        let host = Host::live().unwrap();
        let told = parse(&host.read_text("/proc/cpuinfo").unwrap().unwrap());
        let live = read(&host);
        assert_eq!(live.avx512_usable, told.avx512_usable);
        if live.avx512_usable {
            let (mut a, mut b) = (answers.avx512, told.avx512);
            a.sort();
            b.sort();
            assert_eq!(a, b);
        }
        assert_eq!((live.family, live.model), (told.family, told.model));
    }
}
