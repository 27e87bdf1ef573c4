//! Time: leases, certificates and logs live on it.

use super::{Check, Evidence, Outcome, Remedy, Scene, Severity};
use crate::t;

pub(super) const CHECKS: &[Check] = &[
    Check {
        id: "CT-TIME-001",
        title: "a program keeps the clock right",
        severity: Severity::Medium,
        why: "A clock that is left alone drifts by seconds a week; certificates, leases of jobs and logs go by it.",
        remedy: Remedy::ByHand {
            cost: "A few MB, and a packet now and then.",
            risk: "A clock that is far off is set in one step.",
            undo: "`systemctl disable --now systemd-timesyncd`.",
        },
        source: "systemd-timesyncd.service(8), chronyd(8)",
        look: program,
    },
    Check {
        id: "CT-TIME-002",
        title: "the kernel's clock is synchronised",
        severity: Severity::Medium,
        why: "The program may run and reach no server: a firewall that drops UDP port 123 is enough.",
        remedy: Remedy::ByHand {
            cost: "None.",
            risk: "A clock that is far off is set in one step.",
            undo: "None is needed.",
        },
        source: "adjtimex(2): STA_UNSYNC",
        look: synchronised,
    },
    Check {
        id: "CT-TIME-003",
        title: "the kernel reads a fast clock",
        severity: Severity::Medium,
        why: "Databases ask for the time thousands of times a second. With hpet or acpi_pm each question leaves the processor, \
              and takes a hundred times as long.",
        remedy: Remedy::ByHand {
            cost: "A reboot, or another CPU type from the provider.",
            risk: "The kernel had a reason to distrust its clock: see dmesg before you force it.",
            undo: "Take clocksource= off the boot line.",
        },
        source: "/sys/devices/system/clocksource/clocksource0",
        look: source,
    },
];

/// A program that sets the clock.
struct Program {
    name: &'static str,
    units: &'static [&'static str],
    files: &'static [&'static str],
}

const PROGRAMS: [Program; 5] = [
    Program {
        name: "systemd-timesyncd",
        units: &["systemd-timesyncd.service"],
        files: &["/usr/lib/systemd/systemd-timesyncd", "/lib/systemd/systemd-timesyncd"],
    },
    Program { name: "chrony", units: &["chrony.service", "chronyd.service"], files: &["/usr/sbin/chronyd"] },
    Program { name: "ntpsec", units: &["ntpsec.service"], files: &["/usr/sbin/ntpd"] },
    Program { name: "ntp", units: &["ntp.service", "ntpd.service"], files: &["/usr/sbin/ntpd"] },
    Program {
        name: "openntpd",
        units: &["openntpd.service"],
        files: &["/usr/sbin/openntpd", "/usr/sbin/ntpd"],
    },
];

/// In a container the clock is the host's.
fn elsewhere(scene: &Scene<'_>) -> Option<Outcome> {
    let engine = scene.container()?;
    Some(Outcome::not_applicable(t!(
        "this is a {engine} container: the clock belongs to the host below",
        engine = engine
    )))
}

/// The link that starts the program at boot.
fn started_by(scene: &Scene<'_>, program: &Program) -> Option<String> {
    let masked = |unit: &str| {
        scene.host().read_link(&format!("/etc/systemd/system/{unit}")).as_deref() == Some("/dev/null")
    };
    let links = program.units.iter().filter(|unit| !masked(unit)).flat_map(|unit| {
        ["sysinit", "multi-user"].map(|target| format!("/etc/systemd/system/{target}.target.wants/{unit}"))
    });
    // Without systemd: the links of the init scripts, S01chrony.
    let names = scene.host().list("/etc/rc2.d").unwrap_or_default();
    let script = names
        .into_iter()
        .find(|name| name.starts_with('S') && name.get(3..) == Some(program.name))
        .filter(|_| !scene.cx.has_systemd());
    let mut links = links.filter(|_| scene.cx.has_systemd());
    links
        .find(|link| scene.host().read_link(link).is_some())
        .or_else(|| script.map(|name| format!("/etc/rc2.d/{name}")))
}

fn program(scene: &Scene<'_>) -> Vec<Outcome> {
    if let Some(outcome) = elsewhere(scene) {
        return outcome.into();
    }
    let host = scene.host();
    let installed: Vec<(&Program, &str)> = PROGRAMS
        .iter()
        .filter_map(|program| Some((program, *program.files.iter().find(|file| host.exists(file))?)))
        .collect();
    for (program, file) in &installed {
        if let Some(link) = started_by(scene, program) {
            return Outcome::pass(t!("{name} is started at boot", name = program.name))
                .seen(Evidence::path(*file))
                .seen(Evidence::path(link))
                .into();
        }
    }
    // Something that we do not know does the work.
    if host.clock_is_synchronised().is_ok_and(|is| is) {
        return Outcome::pass(t!("the kernel's clock is synchronised, by a program that we do not know"))
            .into();
    }
    // A tree that is only part of a system does not tell what is missing in it.
    let units = ["/usr/lib/systemd/system/basic.target", "/lib/systemd/system/basic.target", "/etc/init.d"];
    if installed.is_empty() && !host.is_live() && !units.iter().any(|folder| host.exists(folder)) {
        return Outcome::not_here(units[0]).into();
    }
    let expected = t!("systemd-timesyncd, chrony, ntpsec or openntpd, started at boot");
    match installed.first() {
        Some((program, file)) => Outcome::warn(
            t!("{name} is installed, and is not started at boot", name = program.name),
            t!("systemctl unmask {unit}; systemctl enable --now {unit}", unit = program.units[0]),
        )
        .seen(Evidence::path(*file)),
        None => Outcome::warn(
            t!("no program that sets the clock is installed"),
            t!("apt install systemd-timesyncd"),
        ),
    }
    .expected(expected)
    .into()
}

/// chrony tells the kernel only where its configuration says so.
fn is_silent_chrony(scene: &Scene<'_>) -> bool {
    let text =
        ["/etc/chrony/chrony.conf", "/etc/chrony.conf"].into_iter().find_map(|path| scene.host().value(path));
    let says = |text: String| text.lines().any(|line| line.trim_start().starts_with("rtcsync"));
    scene.host().exists("/usr/sbin/chronyd") && !text.is_some_and(says)
}

fn synchronised(scene: &Scene<'_>) -> Vec<Outcome> {
    const SOON: u64 = 600;
    if let Some(outcome) = elsewhere(scene) {
        return outcome.into();
    }
    if !scene.is_live() {
        return Outcome::not_applicable(t!("only a running kernel has a clock")).into();
    }
    let evidence = |word: &str| Evidence::file("adjtimex(2)", format!("STA_UNSYNC: {word}"));
    match scene.host().clock_is_synchronised() {
        Ok(true) => Outcome::pass(t!("the kernel holds its clock for right")).seen(evidence("0")),
        Ok(false) if is_silent_chrony(scene) => {
            Outcome::could_not_tell(t!("chrony tells the kernel only with rtcsync in chrony.conf"))
        }
        Ok(false) if scene.uptime_s().is_none_or(|uptime| uptime < SOON) => {
            Outcome::could_not_tell(t!("the host was booted a few minutes ago"))
        }
        Ok(false) => Outcome::fail(
            t!("the kernel does not hold its clock for right"),
            t!("see timedatectl timesync-status, or chronyc sources: is a time server reached?"),
        )
        .seen(evidence("1")),
        Err(error) => Outcome::could_not_tell(t!("the kernel does not tell: {reason}", reason = error)),
    }
    .expected(t!("synchronised"))
    .into()
}

fn source(scene: &Scene<'_>) -> Vec<Outcome> {
    const FOLDER: &str = "/sys/devices/system/clocksource/clocksource0";
    if let Some(outcome) = elsewhere(scene) {
        return outcome.into();
    }
    let current = format!("{FOLDER}/current_clocksource");
    let Some(name) = scene.host().value(&current) else {
        return Outcome::not_here(current).into();
    };
    let available = format!("{FOLDER}/available_clocksource");
    let choices = scene.host().value(&available).unwrap_or_default();
    let evidence = [Evidence::file(current, &name), Evidence::file(available, choices)];
    match name.as_str() {
        "hpet" | "acpi_pm" | "jiffies" | "refined-jiffies" | "pit" => Outcome::warn(
            name,
            t!("see dmesg for why the kernel left tsc; on a virtual machine ask the provider for kvm-clock or a stable tsc"),
        ),
        _ => Outcome::pass(name),
    }
    .expected(t!("tsc, or the hypervisor's own clock"))
    .seen_all(evidence)
    .into()
}
