//! The profiles inside the program.

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Bundled {
    /// Its name.
    pub name: &'static str,
    /// The least RAM that it is made for, in MiB: `memory.at_least` of its text.
    pub at_least_mib: Option<u64>,
    /// Its TOML.
    pub text: &'static str,
}

macro_rules! bundled {
    ($name:literal, $at_least_mib:expr) => {
        Bundled {
            name: $name,
            at_least_mib: $at_least_mib,
            text: include_str!(concat!("../../profiles/", $name, ".toml")),
        }
    };
}

/// All of them, in the order in which they are listed.
pub const BUNDLED: [Bundled; 6] = [
    bundled!("minimal", None),
    bundled!("civicum-base", None),
    bundled!("civicum-8g", Some(6800)),
    bundled!("civicum-12g", Some(10_400)),
    bundled!("civicum-16g", Some(14_000)),
    bundled!("civicum-32g", Some(28_500)),
];

/// The bundled profile of that name.
pub fn find(name: &str) -> Option<&'static Bundled> {
    BUNDLED.iter().find(|bundled| bundled.name == name)
}

/// Their names.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUNDLED.iter().map(|bundled| bundled.name)
}

/// The bundled profile that fits a host with so much RAM (`MemTotal`): the largest that it can hold.
pub fn best_for(ram_bytes: u64) -> &'static str {
    let mib = ram_bytes / crate::units::MIB;
    let fitting =
        BUNDLED.iter().filter_map(|b| b.at_least_mib.filter(|least| *least <= mib).map(|least| (least, b)));
    fitting.max_by_key(|(least, _)| *least).map_or("minimal", |(_, bundled)| bundled.name)
}

#[cfg(test)]
mod tests {
    use super::super::{Numbers, Profile};
    use super::*;
    use crate::units::MIB;

    #[test]
    fn the_largest_that_fits_is_chosen() {
        for (mib, name) in [
            (0, "minimal"),
            (3900, "minimal"),
            (6799, "minimal"),
            // 8 GB and 8 GiB, less what a kernel keeps for itself; the first with a crash kernel.
            (6850, "civicum-8g"),
            (7350, "civicum-8g"),
            (7950, "civicum-8g"),
            // 12 GB and 12 GiB; the first with a crash kernel.
            (10_480, "civicum-12g"),
            (11_160, "civicum-12g"),
            (11_980, "civicum-12g"),
            (14_900, "civicum-16g"),
            (15_990, "civicum-16g"),
            (24_000, "civicum-16g"),
            (29_900, "civicum-32g"),
            (500_000, "civicum-32g"),
        ] {
            assert_eq!(best_for(mib * MIB), name, "{mib} MiB");
        }
    }

    fn load(name: &str) -> Profile {
        let loaded =
            super::super::load::load(name, &|_| Err(std::io::Error::other("bundled profiles read no file")));
        let shown = super::super::excerpt::render_all(&loaded.findings);
        assert!(shown.is_empty(), "{shown}");
        loaded.profile.unwrap()
    }

    #[test]
    fn each_settles_on_the_host_that_it_is_made_for_without_a_finding() {
        for bundled in &BUNDLED {
            let profile = load(bundled.name);
            assert_eq!(profile.name(), bundled.name);
            assert!(!profile.description().is_empty(), "{}", bundled.name);
            assert_eq!(
                profile.at_least().map(crate::units::Bytes::as_mib),
                bundled.at_least_mib,
                "{}",
                bundled.name
            );
            let nominal = profile.nominal();
            // From the least RAM to twice as much, in uneven steps; with few CPUs and many, small disks and large.
            for mib in (nominal.ram_bytes / MIB..2 * nominal.ram_bytes / MIB).step_by(97) {
                for (cores, disk_gib) in [(1, 20), (4, 100), (64, 2000)] {
                    let numbers = Numbers { ram_bytes: mib * MIB, cores, disk_bytes: disk_gib << 30 };
                    // On a host for which another profile is made, or whose disk is small, the swap may be too small
                    // for a full pool: that is true, and said.
                    let suits = bundled.at_least_mib.is_none() || best_for(mib * MIB) == bundled.name;
                    let suits = suits && cores >= 4 && (disk_gib << 30) / 10 >= mib * MIB / 3;
                    let found: Vec<_> =
                        profile.check(&numbers).into_iter().filter(|f| f.is_error() || suits).collect();
                    let shown = super::super::excerpt::render_all(&found);
                    assert!(shown.is_empty(), "{} with {mib} MiB and {cores} CPUs:\n{shown}", bundled.name);
                    let settings = profile.settle(&numbers).unwrap();
                    let limits: u64 = settings.services.values().filter_map(|s| s.memory).map(|b| b.0).sum();
                    assert!(limits + settings.memory.reserve.0 <= numbers.ram_bytes);
                    // A file that extends one which is not there is checked as if nothing were open in it.
                    let opens = &settings.sovereignty;
                    assert!(opens.public.is_empty() && opens.publish_address == "127.0.0.1");
                }
            }
        }
    }

    #[test]
    fn the_report_s_limits_hold_on_both_kinds_of_12_gb() {
        for (mib, reserve) in [(11_980, 2384), (11_674, 2104), (11_160, 1590)] {
            let settings = load("civicum-12g").settle(&Numbers::nominal(mib * MIB)).unwrap();
            let limit = |name: &str| settings.services[name].memory.unwrap().as_mib();
            assert_eq!(
                [limit("llm"), limit("worker"), limit("postgres"), limit("proxy")],
                [6500, 1750, 1000, 256]
            );
            assert_eq!(settings.memory.reserve.as_mib(), reserve);
            let cpus: Vec<f64> = settings.services.values().filter_map(|s| s.cpus).collect();
            // All CPUs for the worker, which has the least weight: the report's 2 would leave the others idle at night.
            assert_eq!(cpus, [0.5, 3.0, 1.0, 0.5, 4.0]);
            assert_eq!(settings.swap.size.to_string(), "4GiB");
            assert_eq!(settings.services["llm"].memory_swap.unwrap().as_mib(), 7524);
        }
    }
}
