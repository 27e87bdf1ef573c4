//! A profile on one host: every rule evaluated, every default filled in, the arithmetic proved.

use super::finding::{Code, Finding, Severity, any_error, sort};
pub use super::numbers::Numbers;
use super::rule::{Quantity, RuleError, Var, Vars};
use super::settings::Settings;
use super::settler::Settler;
use super::source::Place;
use super::target::Target;
use super::value::{KeyPath, Leaf, Value};
use super::{Profile, budget, conflict, fit, services, sovereignty};
use crate::units::{Bytes, GIB};

/// The path of our swap file where the profile names none.
pub const SWAP_PATH: &str = "/civicum.swap";

impl Profile {
    /// The profile on a host with these figures; all that stands in the way otherwise.
    pub fn settle(&self, numbers: &Numbers) -> Result<Settings, Vec<Finding>> {
        let (settings, _, mut findings) = self.evaluate(&Target::this(*numbers));
        if any_error(&findings) {
            findings.retain(Finding::is_error);
            return Err(findings);
        }
        Ok(settings)
    }

    /// All findings on a host with these figures, warnings too.
    pub fn check(&self, numbers: &Numbers) -> Vec<Finding> {
        self.evaluate(&Target::this(*numbers)).2
    }

    /// The host that the profile says it is made for, if it says so; else one of 12 GB.
    pub fn nominal(&self) -> Numbers {
        Numbers::nominal(self.at_least().map_or(11 * GIB, |bytes| bytes.0))
    }

    /// `memory.at_least`.
    pub fn at_least(&self) -> Option<Bytes> {
        self.leaf(&["memory", "at_least"])?.value.rule()?.size(&Vars::default()).ok()
    }

    /// Where the swap file shall live: the caller asks that file system for its size.
    pub fn swap_path(&self) -> &str {
        match self.leaf(&["swap", "path"]).map(|leaf| &leaf.value) {
            Some(Value::Text(path)) => path,
            _ => SWAP_PATH,
        }
    }

    /// The result of a leaf's rule, if it has one.
    pub(super) fn result(
        &self,
        path: &KeyPath,
        leaf: &Leaf,
        numbers: &Numbers,
    ) -> Option<Result<Quantity, RuleError>> {
        let rule = leaf.value.rule()?;
        let mut vars = numbers.vars();
        if let [section, name, _, ..] = path.0.as_slice() {
            if section == "services" {
                let memory = self.leaf(&["services", name, "memory"]).and_then(|leaf| leaf.value.rule());
                vars.memory = memory.and_then(|rule| rule.size(&vars).ok()).map(|bytes| bytes.0);
            }
        }
        Some(rule.evaluate(&vars))
    }

    /// What it comes to on a host, whether every rule has a result there, and all findings. Of a profile that has errors
    /// already those are left out that a missing value could be the cause of: what several values say together counts
    /// where their sections were understood.
    pub(super) fn evaluate(&self, target: &Target<'_>) -> (Settings, bool, Vec<Finding>) {
        let (settings, mut findings) = Settler::settle(self, &target.numbers);
        let complete = !any_error(&findings);
        if !self.broken.spares(&["services"]) {
            self.forgive_rules_of_memory(&mut findings);
        }
        if self.broken.spares(&["memory", "services", "swap"]) {
            findings.extend(budget::check(self, &settings, target));
        } else {
            findings.extend(budget::least(self, &settings, target));
        }
        conflict::check(self, &settings, target, &mut findings);
        services::check(self, &settings, &mut findings);
        if self.broken.spares(&["zswap", "swap", "zram", "boot", "mglru", "sysctl"]) {
            fit::check(self, &settings, target, &mut findings);
        }
        sovereignty::check(self, &settings, &mut findings);
        if any_error(&findings) {
            // On a host that is too small that is the reason for all the rest, and belongs among the errors.
            let least = self.place(&["memory", "at_least"]).map(Place::span);
            let too_small = |f: &&mut Finding| f.code == Code::Host && f.span == least;
            findings.iter_mut().filter(too_small).for_each(|f| f.severity = Severity::Error);
        }
        sort(&mut findings);
        (settings, complete, findings)
    }

    /// A rule that names the memory of its service hangs on it, and that may be what could not be understood.
    fn forgive_rules_of_memory(&self, findings: &mut Vec<Finding>) {
        let by_memory = |leaf: &&Leaf| leaf.value.rule().is_some_and(|rule| rule.uses(Var::Memory));
        let places: Vec<&Place> = self.leaves.values().filter(by_memory).map(|leaf| &leaf.place).collect();
        let stands_at = |place: &Place, finding: &Finding| {
            place.source.name() == finding.file
                && finding.span.is_some_and(|span| span.line == place.span().line)
        };
        findings.retain(|finding| !places.iter().any(|place| stands_at(place, finding)));
    }
}

#[cfg(test)]
mod tests {
    use super::super::excerpt::render_all;
    use super::*;
    use crate::units::MIB;

    fn settle(text: &str, numbers: &Numbers) -> Settings {
        Profile::parse(text, "x.toml").unwrap().settle(numbers).unwrap()
    }

    #[test]
    fn defaults_are_filled_in() {
        let settings = settle("zswap.shrinker = false\nboot.psi = true", &Numbers::nominal(4 * GIB));
        assert!(settings.zswap.manage && settings.zswap.enabled);
        assert_eq!((settings.zswap.compressor.as_str(), settings.zswap.max_pool_percent), ("lz4", 20));
        assert_eq!((settings.zswap.zpool.len(), settings.zswap.shrinker), (0, Some(false)));
        assert_eq!(
            (settings.swap.size.0, settings.swap.path.as_str(), settings.swap.priority),
            (0, SWAP_PATH, -1)
        );
        assert!(settings.boot.psi && !settings.boot.manage && !settings.boot.cgroup_v2);
        assert_eq!(settings.mglru.min_ttl_ms, None);
        assert!(!settings.sovereignty.egress);
        assert_eq!(settings.sovereignty.publish_address, "127.0.0.1");
    }

    #[test]
    fn parameters_become_what_the_kernel_reads() {
        let text = "[sysctl]\n\"vm.min_free_kbytes\" = '1% of ram'\n\"vm.dirty_bytes\" = '256MiB'\n\
                    vm.swappiness = 0x3c\n\"kernel.sysrq\" = false\n\"vm/admin_reserve_kbytes\" = '8192'\n\
                    \"net.ipv4.ip_local_port_range\" = ' 1024 65000 '";
        let settings = settle(text, &Numbers::nominal(12 * GIB));
        let expected = [
            ("kernel.sysrq", "0"),
            ("net.ipv4.ip_local_port_range", "1024 65000"),
            ("vm.admin_reserve_kbytes", "8192"),
            ("vm.dirty_bytes", "268435456"),
            ("vm.min_free_kbytes", "124928"),
            ("vm.swappiness", "60"),
        ];
        assert_eq!(settings.sysctl, expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn a_host_that_is_too_small_is_named_first_and_the_right_profile_with_it() {
        let profile = Profile::load("civicum-12g", &|_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        let findings = profile.settle(&Numbers::nominal(7400 * MIB)).unwrap_err();
        assert_eq!(
            findings[0].message,
            "the profile is made for at least 10400MiB of RAM, and the host has 7400MiB",
            "{}",
            render_all(&findings)
        );
        assert_eq!(findings[0].help.as_deref(), Some("the bundled profile for this host is civicum-8g"));
    }

    #[test]
    fn an_unknown_host_is_an_error_where_a_rule_asks_for_it() {
        let unknown = Numbers::default();
        assert_eq!(settle("swap.size = '4GiB'", &unknown).swap.size, Bytes(4 * GIB));
        let findings =
            Profile::parse("swap.size = 'ram / 3'", "x.toml").unwrap().settle(&unknown).unwrap_err();
        assert!(findings[0].message.starts_with("it is not known how much memory the host has"));
        assert_eq!(findings[0].span.map(|s| (s.column, s.end_column)), Some((14, 17)));
    }

    #[test]
    fn what_hangs_on_a_memory_that_has_no_result_is_not_told() {
        let of = |memory: &str| {
            let text = format!(
                "memory.reserve = '1GiB'\n[services.w]\nimage = 'a'\nmemory = '{memory}'\n\
                 memory_reservation = 'memory / 2'\nmemory_swap = 'memory * 2'\n"
            );
            let findings = Profile::parse(&text, "x.toml").unwrap().check(&Numbers::nominal(4 * GIB));
            findings.iter().filter_map(|f| Some((f.code, f.span?.line))).collect::<Vec<_>>()
        };
        let told = of("ram / 0");
        assert_eq!(told.iter().filter(|(code, _)| *code == Code::Rule).count(), 1, "{told:?}");
        assert!(told.iter().all(|(code, line)| (*code == Code::Rule) == (*line == 4)), "{told:?}");
        assert!(!told.iter().any(|(code, _)| *code == Code::MemoryBudget), "{told:?}");
        assert!(of("1GiB").iter().all(|(code, _)| *code != Code::Rule));
    }

    #[test]
    fn the_digest_covers_what_is_extended() {
        let read = |path: &std::path::Path| match path.to_str() {
            Some("a.toml") => Ok(b"extends = 'b.toml'".to_vec()),
            Some("b.toml") => Ok(b"".to_vec()),
            Some("c.toml") => Ok(b"extends = './d.toml'".to_vec()),
            _ => Ok(b"# other".to_vec()),
        };
        let digest = |name: &str| Profile::load(name, &read).unwrap().source_sha256();
        assert_eq!(digest("b.toml"), crate::host::sha256_hex(b""));
        let digests = [digest("a.toml"), digest("b.toml"), digest("c.toml"), digest("d.toml")];
        assert!((0..4).all(|i| (0..i).all(|j| digests[i] != digests[j])));
    }
}
