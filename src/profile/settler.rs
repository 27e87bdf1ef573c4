//! Every value of a profile as it comes to on one host: rules evaluated, defaults filled in.

use std::collections::BTreeMap;

use super::Profile;
use super::container::{self, Publish};
use super::decode::inside;
use super::finding::{Code, Finding};
use super::keys::Kind;
use super::mount::{Tmpfs, Volume};
use super::numbers::Numbers;
use super::rule::{Quantity, Rule, Var};
use super::settings::{Persist, Service, Settings, Waiver};
use super::sysctl;
use super::value::{KeyPath, Leaf, Value};
use crate::lang::say;
use crate::t;
use crate::units::{Bytes, MIB};

/// Takes each value out of the profile as it comes to on one host, and notes what stands in the way.
pub(super) struct Settler<'p> {
    profile: &'p Profile,
    numbers: &'p Numbers,
    findings: Vec<Finding>,
}

impl<'p> Settler<'p> {
    /// All of a profile on a host with these figures, and what was found on the way.
    pub(super) fn settle(profile: &'p Profile, numbers: &'p Numbers) -> (Settings, Vec<Finding>) {
        let mut settler = Self { profile, numbers, findings: Vec::new() };
        let settings = settler.settings();
        (settings, settler.findings)
    }

    fn settings(&mut self) -> Settings {
        let profile = self.profile;
        let mut s = Settings {
            name: profile.name.clone(),
            description: profile.description.clone(),
            ..Settings::default()
        };
        s.zswap.manage = profile.leaves.keys().any(|path| path.0[0] == "zswap");
        s.zswap.enabled = self.flag(&["zswap", "enabled"]).unwrap_or(s.zswap.manage);
        s.zswap.compressor = self.text(&["zswap", "compressor"]).unwrap_or_else(|| "lz4".to_owned());
        s.zswap.zpool = self.list(&["zswap", "zpool"]);
        s.zswap.zpool.retain(|name| name != "auto");
        s.zswap.max_pool_percent =
            self.integer(&["zswap", "max_pool_percent"]).and_then(|n| u8::try_from(n).ok()).unwrap_or(20);
        s.zswap.shrinker = self.flag(&["zswap", "shrinker"]);
        s.swap.size = self.size(&["swap", "size"]).unwrap_or_default();
        profile.swap_path().clone_into(&mut s.swap.path);
        s.swap.priority =
            self.integer(&["swap", "priority"]).and_then(|n| i32::try_from(n).ok()).unwrap_or(-1);
        s.swap.persist = match self.text(&["swap", "persist"]).as_deref() {
            Some("fstab") => Persist::Fstab,
            Some("unit") => Persist::Unit,
            _ => Persist::Auto,
        };
        s.sysctl = self.parameters();
        s.zram.retire = self.flag(&["zram", "retire"]).unwrap_or(false);
        s.boot.manage = self.flag(&["boot", "manage"]).unwrap_or(false);
        s.boot.kernel_args = self.list(&["boot", "kernel_args"]);
        s.boot.psi = self.flag(&["boot", "psi"]).unwrap_or(false);
        s.boot.cgroup_v2 = self.flag(&["boot", "cgroup_v2"]).unwrap_or(false);
        s.mglru.min_ttl_ms = self.duration(&["mglru", "min_ttl"]);
        s.memory.at_least = self.size(&["memory", "at_least"]);
        s.memory.reserve = self.size(&["memory", "reserve"]).unwrap_or_default();
        for name in profile.names_in("services") {
            let service = self.service(name);
            s.services.insert(name.to_owned(), service);
        }
        s.sovereignty.egress = self.flag(&["sovereignty", "egress"]).unwrap_or(false);
        if let Some(address) = self.text(&["sovereignty", "publish_address"]) {
            s.sovereignty.publish_address = address;
        }
        s.sovereignty.public = self.list(&["sovereignty", "public"]);
        let address = s.sovereignty.publish_address.parse().unwrap_or(container::LOOPBACK);
        for (name, service) in &mut s.services {
            let written = self.list(&["services", name, "publish"]);
            service.publish = written.iter().filter_map(|text| Publish::parse(text, address).ok()).collect();
        }
        if let Some(name) = self.text(&["deployment", "name"]) {
            s.deployment.name = name;
        }
        if let Some(deadline) = self.duration(&["deployment", "deadline"]) {
            s.deployment.deadline_ms = deadline;
        }
        s.waivers = self.waivers();
        s
    }

    /// A waiver without a reason or an end is none.
    fn waivers(&mut self) -> BTreeMap<String, Waiver> {
        let mut found = BTreeMap::new();
        for id in self.profile.names_in("waivers") {
            let (reason, until) = (["waivers", id, "reason"], ["waivers", id, "until"]);
            // A blank one says nothing.
            let why = self.text(&reason).filter(|reason| !reason.trim().is_empty());
            match (why, self.text(&until)) {
                (Some(reason), Some(until)) => {
                    found.insert(id.to_owned(), Waiver { reason, until });
                }
                // What is missing may be what could not be understood.
                _ if !self.profile.broken.spares(&[&format!("waivers.{id}")]) => {}
                (reason, _) => {
                    let Some(place) = self.profile.first_place(&["waivers", id]) else { continue };
                    let missing = if reason.is_none() { "reason" } else { "until" };
                    let message = t!("the waiver of {id} has no `{missing}`", id = id, missing = missing);
                    let help = say(
                        "a waiver says why it is there, and its last day: reason = \"…\", until = \"2027-03-31\"",
                    );
                    self.findings.push(Finding::error(Code::Value, place, message).help(help));
                }
            }
        }
        found
    }

    fn service(&mut self, name: &str) -> Service {
        let at = |key| ["services", name, key];
        let whole = |n: Option<i64>| n.and_then(|n| i32::try_from(n).ok());
        Service {
            image: self.text(&at("image")),
            publish: Vec::new(),
            memory: self.size(&at("memory")),
            memory_reservation: self.size(&at("memory_reservation")),
            memory_swap: self.size(&at("memory_swap")),
            memory_reading: self.size(&at("memory_reading")),
            cpus: self.number(&at("cpus")),
            cpu_weight: self.integer(&at("cpu_weight")).and_then(|n| u32::try_from(n).ok()),
            oom_score_adj: whole(self.integer(&at("oom_score_adj"))),
            pids: self.whole(&at("pids")),
            environment: self.texts_below(&["services", name, "environment"]),
            role: self.text(&at("role")),
            command: self.written(&at("command")),
            model: self.text(&at("model")),
            context: self.whole(&at("context")),
            parallel: self.whole(&at("parallel")),
            threads: self.number(&at("threads")).and_then(floor),
            user: self.text(&at("user")),
            needs: self.written(&at("needs")),
            volumes: self.parsed(&at("volumes"), Volume::parse),
            tmpfs: self.parsed(&at("tmpfs"), Tmpfs::parse),
            writable: self.flag(&at("writable")).unwrap_or(false),
            capabilities: self.list(&at("capabilities")),
            health: self.written(&at("health")),
            restart: self.text(&at("restart")),
            stop_timeout_ms: self.duration(&at("stop_timeout")),
            shm_size: self.size(&at("shm_size")),
            nofile: self.whole(&at("nofile")),
            memlock: self.flag(&at("memlock")).unwrap_or(false),
            secrets: self.written(&at("secrets")),
            settings: self.texts_below(&["services", name, "settings"]),
            schemas: self.text(&at("schemas")),
            reading: self.reading(name),
            extraction: self.extraction(name),
            retention: self.retention(name),
        }
    }

    /// A list, where one is written.
    fn written(&self, path: &[&str]) -> Option<Vec<String>> {
        self.value(path).map(|_| self.list(path))
    }

    /// The entries of a list that have their form; the others were told already.
    fn parsed<T>(&self, path: &[&str], parse: fn(&str) -> Result<T, String>) -> Option<Vec<T>> {
        let entries = self.written(path)?;
        Some(entries.iter().filter_map(|text| parse(text).ok()).collect())
    }

    pub(super) fn duration(&self, path: &[&str]) -> Option<u64> {
        match self.value(path)? {
            Value::Duration(span) => Some(span.0),
            _ => None,
        }
    }

    fn texts_below(&self, path: &[&str]) -> BTreeMap<String, String> {
        self.profile
            .below(path)
            .filter_map(|(path, leaf)| match &leaf.value {
                Value::Text(value) => Some((path.0.last()?.clone(), value.clone())),
                _ => None,
            })
            .collect()
    }

    fn parameters(&mut self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (path, leaf) in &self.profile.leaves {
            let [section, name] = path.0.as_slice() else { continue };
            if section != "sysctl" {
                continue;
            }
            let value = match &leaf.value {
                Value::Text(value) => value.clone(),
                Value::Size(rule) => {
                    let unit = sysctl::of(name).and_then(|known| known.unit).unwrap_or(1);
                    match self.evaluate(path, leaf, rule) {
                        Some(Quantity::Size(bytes)) => (bytes.0 / unit).to_string(),
                        _ => continue,
                    }
                }
                _ => continue,
            };
            found.insert(name.clone(), value);
        }
        found
    }

    fn value(&self, path: &[&str]) -> Option<&Value> {
        self.profile.leaf(path).map(|leaf| &leaf.value)
    }

    fn flag(&self, path: &[&str]) -> Option<bool> {
        match self.value(path)? {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    fn integer(&self, path: &[&str]) -> Option<i64> {
        match self.value(path)? {
            Value::Integer(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn whole(&self, path: &[&str]) -> Option<u64> {
        self.integer(path).and_then(|n| u64::try_from(n).ok())
    }

    pub(super) fn text(&self, path: &[&str]) -> Option<String> {
        match self.value(path)? {
            Value::Text(value) => Some(value.clone()),
            _ => None,
        }
    }

    fn list(&self, path: &[&str]) -> Vec<String> {
        match self.value(path) {
            Some(Value::List(values)) => values.clone(),
            _ => Vec::new(),
        }
    }

    pub(super) fn size(&mut self, path: &[&str]) -> Option<Bytes> {
        match self.quantity(path)? {
            Quantity::Size(bytes) => Some(bytes),
            Quantity::Number(_) => None,
        }
    }

    pub(super) fn number(&mut self, path: &[&str]) -> Option<f64> {
        match self.quantity(path)? {
            Quantity::Number(number) => Some(number),
            Quantity::Size(_) => None,
        }
    }

    fn quantity(&mut self, path: &[&str]) -> Option<Quantity> {
        let leaf = self.profile.leaf(path)?;
        let rule = leaf.value.rule()?;
        self.evaluate(&KeyPath::of(path), leaf, rule)
    }

    /// Has the service of this key a rule for its memory that comes to nothing?
    fn memory_has_no_result(&self, path: &KeyPath) -> bool {
        let [_, name, _] = path.0.as_slice() else { return false };
        let memory = KeyPath::of(&["services", name, "memory"]);
        let Some(leaf) = self.profile.leaves.get(&memory) else { return false };
        matches!(self.profile.result(&memory, leaf, self.numbers), Some(Err(_)))
    }

    fn evaluate(&mut self, path: &KeyPath, leaf: &Leaf, rule: &Rule) -> Option<Quantity> {
        let quantity = match self.profile.result(path, leaf, self.numbers)? {
            Ok(quantity) => quantity,
            // The memory that it hangs on has a rule of its own, and that one's finding is the cause.
            Err(_) if rule.uses(Var::Memory) && self.memory_has_no_result(path) => return None,
            Err(error) => {
                let place = inside(&leaf.place, rule.text(), &error.span);
                let message = format!("{}{}", error.message, self.numbers.figures(rule));
                self.findings.push(Finding::error(Code::Rule, &place, message).maybe_help(error.help));
                return None;
            }
        };
        if let Some(finding) = too_few_bytes(path, leaf, rule) {
            self.findings.push(finding);
            return None;
        }
        let objection = match (leaf.key.kind, quantity) {
            (Kind::Size { min_mib, .. }, Quantity::Size(bytes)) if bytes.as_mib() < min_mib => Some(t!(
                "`{path}` comes to {bytes}, and the least is {least}",
                path = path,
                bytes = bytes,
                least = Bytes(min_mib * MIB)
            )),
            (Kind::Count { min, max }, Quantity::Number(n)) if !(min..=max).contains(&n) => Some(t!(
                "`{path}` comes to {value}, and {min} to {max} are possible",
                path = path,
                value = n,
                min = min,
                max = max
            )),
            (Kind::Size { .. } | Kind::Sysctl, Quantity::Size(Bytes(0)))
                if !matches!(rule.text(), "0" | "0B") =>
            {
                Some(t!("`{path}` comes to less than 1 MiB: {rule}", path = path, rule = rule))
            }
            (Kind::Sysctl, Quantity::Size(bytes)) => beyond_the_kernel(path, bytes),
            _ => None,
        };
        if let Some(message) = objection {
            let help = say("sizes are rounded down to whole MiB; give it a unit, as in \"512MiB\"");
            let finding = Finding::error(Code::Range, &leaf.place, message);
            let size = matches!(quantity, Quantity::Size(bytes) if bytes.0 == 0 || leaf.key.kind.is_size());
            self.findings.push(if size { finding.help(help) } else { finding });
            return None;
        }
        Some(quantity)
    }
}

/// A number without a unit is bytes, and somebody meant MiB.
fn too_few_bytes(path: &KeyPath, leaf: &Leaf, rule: &Rule) -> Option<Finding> {
    let Kind::Size { min_mib, .. } = leaf.key.kind else { return None };
    let bytes: u64 = rule.text().trim().parse().ok()?;
    if bytes / MIB >= min_mib && (bytes == 0 || bytes >= MIB) {
        return None;
    }
    let least = Bytes(min_mib.max(1) * MIB);
    let message =
        t!("`{path}` is {bytes} bytes, and the least is {least}", path = path, bytes = bytes, least = least);
    let finding = Finding::error(Code::Range, &leaf.place, message);
    let meant = (min_mib.max(1)..=1 << 20).contains(&bytes);
    Some(if meant {
        finding.help(t!("a number without a unit is bytes; write \"{bytes}MiB\"", bytes = bytes))
    } else {
        finding.help(say("sizes are rounded down to whole MiB; give it a unit, as in \"512MiB\""))
    })
}

/// A number from 1 to 1024 without what stands behind its point.
pub(super) fn floor(number: f64) -> Option<u64> {
    (1..=1024).rev().find(|whole| f64::from(*whole) <= number).map(|whole: u32| u64::from(whole))
}

/// What a rule comes to must be what the kernel takes, as what is written must.
fn beyond_the_kernel(path: &KeyPath, bytes: Bytes) -> Option<String> {
    let name = path.0.last()?;
    let known = sysctl::of(name)?;
    let value = bytes.0 / known.unit.unwrap_or(1);
    let (least, most) = known.range;
    let fits = i64::try_from(value).is_ok_and(|value| (least..=most).contains(&value));
    (!fits).then(|| {
        t!(
            "{name} comes to {value}, and the kernel takes {least} to {most}",
            name = name,
            value = value,
            least = least,
            most = most
        )
    })
}
