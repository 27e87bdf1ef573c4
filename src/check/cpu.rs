//! The processor: what a model on it can use, and whether it gets its time.

use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::facts::Avx512;
use crate::t;

const PROVIDER: Remedy = Remedy::ByHand {
    cost: "A stop and a start of the virtual machine, perhaps another price.",
    risk: "With the CPU type host a machine can be moved only to processors of the same kind.",
    undo: "Ask for the earlier CPU type.",
};

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-CPU-001",
        title: "the operating system saves the registers of AVX-512",
        severity: Severity::High,
        why: "A processor can have AVX-512 that no program may use, because the kernel or the hypervisor does not save its \
              registers.",
        remedy: PROVIDER,
        source: "Intel SDM, volume 1, 13.3: XCR0, read by XGETBV",
        look: saved,
    },
    Check {
        id: "CT-CPU-002",
        title: "AVX-512 is not hidden by the hypervisor",
        severity: Severity::Medium,
        why: "The generation has AVX-512 and the virtual machine does not see it: prompts take longer than what is paid for.",
        remedy: PROVIDER,
        source: "/proc/cpuinfo: flags, cpu family, model",
        look: masked,
    },
    Check {
        id: "CT-CPU-003",
        title: "this generation of processors has AVX-512",
        severity: Severity::Info,
        why: "A server that is sold as EPYC may be of a generation without AVX-512; prompts then run on AVX2, which is slower.",
        remedy: Remedy::Know,
        source: "arch/x86/include/asm/intel-family.h; AMD family 19h",
        look: generation,
    },
    Check {
        id: "CT-CPU-004",
        title: "the processor has AVX2, FMA and F16C",
        severity: Severity::High,
        why: "Without them (x86-64-v3) a model of 8 billion parameters takes many seconds for a word, and many programs for \
              models do not start at all.",
        remedy: PROVIDER,
        source: "x86-64 psABI: x86-64-v3; /proc/cpuinfo: flags",
        look: vectors,
    },
    Check {
        id: "CT-CPU-005",
        title: "there are as many CPUs as the profile gives to one service",
        severity: Severity::High,
        why: "The engine refuses to create a container whose ceiling is above the CPUs of the host.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "The service is slower with a lower ceiling.",
            undo: "Set services.NAME.cpus back in the profile.",
        },
        source: "Docker Engine API: NanoCpus; /proc/cpuinfo",
        look: enough,
    },
    Check {
        id: "CT-CPU-006",
        title: "the hypervisor gives the CPU time that is asked for",
        severity: Severity::Medium,
        why: "Stolen time is time in which a program was ready and another customer's machine ran: an oversold host.",
        remedy: Remedy::ByHand { cost: "Dedicated CPUs cost more.", risk: "None.", undo: "Move back." },
        source: "proc_stat(5): steal",
        look: stolen,
    },
    Check {
        id: "CT-CPU-007",
        title: "all memory is equally near to all CPUs",
        severity: Severity::Info,
        why: "With several NUMA nodes a model whose weights lie on the other node reads them at about half the speed.",
        remedy: Remedy::Know,
        source: "/sys/devices/system/node",
        look: nodes,
    },
    Check {
        id: "CT-CPU-008",
        title: "CPUs are not held at their lowest frequency",
        severity: Severity::Medium,
        why: "The governor powersave of an ordinary driver never leaves the lowest frequency, whatever there is to do.",
        remedy: Remedy::ByHand {
            cost: "More power, more heat.",
            risk: "None on a server with working fans.",
            undo: "Write the earlier name into scaling_governor.",
        },
        source: "Linux Documentation/admin-guide/pm/cpufreq.rst, intel_pstate.rst, amd-pstate.rst",
        look: governor,
    },
];

/// How it stands with AVX-512, or why that is no question.
fn avx512(scene: &Scene<'_>) -> Result<Avx512, Vec<Outcome>> {
    let cpu = &scene.facts().cpu;
    if cpu.threads == 0 {
        return Err(Outcome::not_here("/proc/cpuinfo").into());
    }
    match cpu.avx512_state() {
        Avx512::Unknown => Err(Outcome::not_applicable(t!("this is not an x86 processor")).into()),
        state => Ok(state),
    }
}

/// The processor in a line.
fn name(scene: &Scene<'_>) -> String {
    let cpu = &scene.facts().cpu;
    let generation = cpu.microarchitecture.as_deref().unwrap_or("-");
    t!(
        "{name}, family {family} model {model}, {generation}",
        name = cpu.name,
        family = cpu.family,
        model = cpu.model,
        generation = generation
    )
}

fn cpuinfo(content: impl Into<String>) -> Evidence {
    Evidence::file("/proc/cpuinfo", content)
}

fn saved(scene: &Scene<'_>) -> Vec<Outcome> {
    let state = match avx512(scene) {
        Ok(state) => state,
        Err(outcome) => return outcome,
    };
    let cpu = &scene.facts().cpu;
    let xcr0 = cpu.xcr0.map(|xcr0| Evidence::file("XCR0", format!("{xcr0:#x}")));
    match state {
        Avx512::Usable => Outcome::pass(cpu.avx512.join(" ")),
        Avx512::NotSaved => Outcome::fail(
            t!("the processor has AVX-512, and XCR0 does not have its registers"),
            t!("look for clearcpuid= or noxsave on the boot line; else ask the provider for the CPU type host"),
        )
        .expected("XCR0 & 0xe6 = 0xe6"),
        _ => return Outcome::not_applicable(t!("no AVX-512 is shown")).seen(cpuinfo(name(scene))).into(),
    }
    .seen_all(xcr0)
    .into()
}

fn masked(scene: &Scene<'_>) -> Vec<Outcome> {
    let state = match avx512(scene) {
        Ok(state) => state,
        Err(outcome) => return outcome,
    };
    let evidence = cpuinfo(name(scene));
    match state {
        Avx512::Usable | Avx512::NotSaved => Outcome::pass(scene.facts().cpu.avx512.join(" ")),
        Avx512::Masked if scene.facts().virtualization.vm.is_some() => Outcome::warn(
            t!("this generation has AVX-512, and no flag of it is shown"),
            t!("ask the provider for the CPU type host, or for a server type that shows AVX-512"),
        ),
        Avx512::Masked => Outcome::warn(
            t!("this generation has AVX-512, and no flag of it is shown"),
            t!("look for clearcpuid= or noxsave on the boot line, and for AVX-512 in the firmware's setup"),
        ),
        Avx512::NotInGeneration => Outcome::not_applicable(t!("this generation has no AVX-512")),
        _ => Outcome::could_not_tell(t!("we do not know whether this generation has AVX-512")),
    }
    .seen(evidence)
    .into()
}

fn generation(scene: &Scene<'_>) -> Vec<Outcome> {
    let state = match avx512(scene) {
        Ok(state) => state,
        Err(outcome) => return outcome,
    };
    let evidence = cpuinfo(name(scene));
    let fix =
        t!("nothing on this host; where prompts must be fast, take a server of Zen 4, Ice Lake or later");
    match state {
        Avx512::NotInGeneration => Outcome::warn(t!("this generation has no AVX-512"), fix),
        Avx512::Absent => Outcome::could_not_tell(t!("we do not know whether this generation has AVX-512")),
        _ => Outcome::pass(name(scene)),
    }
    .seen(evidence)
    .into()
}

fn vectors(scene: &Scene<'_>) -> Vec<Outcome> {
    const NEEDED: [&str; 3] = ["avx2", "fma", "f16c"];
    if let Err(outcome) = avx512(scene) {
        return outcome;
    }
    let cpu = &scene.facts().cpu;
    let missing: Vec<&str> =
        NEEDED.into_iter().filter(|needed| !cpu.simd.iter().any(|flag| flag == needed)).collect();
    let evidence = cpuinfo(name(scene));
    if missing.is_empty() {
        return Outcome::pass(cpu.simd.join(" ")).expected(NEEDED.join(" ")).seen(evidence).into();
    }
    let fix = if scene.facts().virtualization.vm.is_some() {
        t!("ask the provider for the CPU type host, or for another server type")
    } else {
        t!("run the model on another machine")
    };
    Outcome::fail(t!("missing: {flags}", flags = missing.join(" ")), fix)
        .expected(NEEDED.join(" "))
        .seen(evidence)
        .into()
}

fn enough(scene: &Scene<'_>) -> Vec<Outcome> {
    let asked: Vec<(&String, f64)> =
        scene.wish().services.iter().filter_map(|(name, service)| Some((name, service.cpus?))).collect();
    if asked.is_empty() {
        return Outcome::not_applicable(t!("the profile gives no service a ceiling of CPUs")).into();
    }
    let threads = scene.facts().cpu.threads;
    if threads == 0 {
        return Outcome::not_here("/proc/cpuinfo").into();
    }
    let has = f64::from(u32::try_from(threads).unwrap_or(u32::MAX));
    let found: Vec<Outcome> = asked
        .iter()
        .filter(|(_, cpus)| *cpus > has)
        .map(|(service, cpus)| {
            let fix = t!(
                "set services.{service}.cpus to {count} or less in the profile",
                service = service,
                count = threads
            );
            Outcome::fail(t!("{cpus} CPUs, and the host has {count}", cpus = cpus, count = threads), fix)
                .of(*service)
                .expected(t!("{count} at most", count = threads))
                .seen(Evidence::path("/proc/cpuinfo"))
        })
        .collect();
    if found.is_empty() { Outcome::pass(t!("{count} CPUs", count = threads)).into() } else { found }
}

/// Steal and the sum of all, in ticks, of the first line of `/proc/stat`. What guests take is counted as user time
/// already.
fn ticks(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let numbers: Vec<u64> = line.split_whitespace().take(8).filter_map(|word| word.parse().ok()).collect();
    let total = numbers.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
    (total > 0).then_some((*numbers.get(7)?, total))
}

fn stolen(scene: &Scene<'_>) -> Vec<Outcome> {
    const SOON: u64 = 600;
    if let Some(engine) = scene.container() {
        let why =
            t!("this is a {engine} container: what is stolen is told to the host below", engine = engine);
        return Outcome::not_applicable(why).into();
    }
    let Some(text) = scene.host().value("/proc/stat") else {
        return Outcome::not_here("/proc/stat").into();
    };
    if scene.facts().virtualization.vm.is_none() {
        return Outcome::not_applicable(t!("there is no hypervisor")).into();
    }
    match scene.uptime_s() {
        Some(uptime) if uptime >= SOON => {}
        Some(_) => return Outcome::could_not_tell(t!("the host was booted a few minutes ago")).into(),
        None => return Outcome::not_here("/proc/uptime").into(),
    }
    let Some((steal, total)) = ticks(&text) else {
        return Outcome::could_not_tell(t!("/proc/stat does not tell")).into();
    };
    let permille = u64::try_from(u128::from(steal) * 1000 / u128::from(total)).unwrap_or(1000);
    let share = format!("{}.{}", permille / 10, permille % 10);
    let actual = t!("{share} % of all time since the boot was stolen", share = share);
    let outcome = if permille >= 50 {
        Outcome::warn(actual, t!("ask the provider to move the machine, or take one with dedicated CPUs"))
    } else {
        Outcome::pass(actual)
    };
    let line = text.lines().next().unwrap_or_default();
    outcome.expected(t!("less than 5 %")).seen(Evidence::line("/proc/stat", 1, line)).into()
}

fn nodes(scene: &Scene<'_>) -> Vec<Outcome> {
    let folder = "/sys/devices/system/node";
    if !scene.host().exists(folder) {
        return Outcome::not_here(folder).into();
    }
    let count = scene.facts().cpu.numa_nodes;
    let actual = t!("NUMA nodes: {count}", count = count);
    let outcome = if count > 1 {
        Outcome::warn(actual, t!("start the model with numactl --interleave=all, or with llama.cpp's --numa"))
    } else {
        Outcome::pass(actual)
    };
    outcome.expected("1").seen(Evidence::path(folder)).into()
}

fn governor(scene: &Scene<'_>) -> Vec<Outcome> {
    const FOLDER: &str = "/sys/devices/system/cpu/cpufreq";
    if let Some(engine) = scene.container() {
        let why = t!("this is a {engine} container: frequencies belong to the host below", engine = engine);
        return Outcome::not_applicable(why).into();
    }
    let policies: Vec<String> = scene.host().list(FOLDER).unwrap_or_default();
    let policies: Vec<String> = policies.into_iter().filter(|name| name.starts_with("policy")).collect();
    if policies.is_empty() {
        return if scene.host().exists("/sys/devices/system/cpu") {
            Outcome::not_applicable(t!("frequencies are not this system's to choose: there is no cpufreq"))
        } else {
            Outcome::not_here(FOLDER)
        }
        .into();
    }
    let mut seen = String::new();
    for policy in &policies {
        let value = |file: &str| scene.host().value(&format!("{FOLDER}/{policy}/{file}")).unwrap_or_default();
        let (driver, governor) = (value("scaling_driver"), value("scaling_governor"));
        // Where the processor itself chooses, powersave is the usual governor, and the preference decides.
        let chooses = ["intel_pstate", "amd-pstate-epp"].contains(&driver.as_str());
        let preference = if chooses { value("energy_performance_preference") } else { String::new() };
        let slow = governor == "powersave" && (!chooses || preference == "power");
        if slow {
            let file = if chooses { "energy_performance_preference" } else { "scaling_governor" };
            let (actual, wanted) =
                if chooses { (preference, "balance_performance") } else { (governor, "performance") };
            let path = format!("{FOLDER}/{policy}/{file}");
            let fix = t!(
                "echo {wanted} | tee {folder}/policy*/{file}, at every boot (a unit, or TuneD)",
                wanted = wanted,
                folder = FOLDER,
                file = file
            );
            return Outcome::warn(&actual, fix)
                .expected(wanted)
                .seen(Evidence::file(path, &actual))
                .seen(Evidence::file(format!("{FOLDER}/{policy}/scaling_driver"), driver))
                .into();
        }
        if seen.is_empty() {
            format!("{driver}: {governor} {preference}").trim_end().clone_into(&mut seen);
        }
    }
    Outcome::pass(seen).seen(Evidence::path(FOLDER)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal() {
        assert_eq!(ticks("cpu  10 0 10 70 0 0 0 10 5 0\ncpu0 1"), Some((10, 100)));
        for text in ["", "cpu", "cpu  1 2 3", "cpu  0 0 0 0 0 0 0 0", "intr 1"] {
            assert_eq!(ticks(text), None, "{text}");
        }
        assert_eq!(ticks(&format!("cpu  {0} {0} 0 0 0 0 0 {0}", u64::MAX)), Some((u64::MAX, u64::MAX)));
    }
}
