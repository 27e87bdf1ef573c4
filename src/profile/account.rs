//! The memory arithmetic of a profile on one host, as figures.

use serde::Serialize;

use super::settings::Settings;
use super::target::{Origin, Target};
use crate::facts::gguf::Need;
use crate::t;
use crate::units::MIB;

/// What the services may take, what is kept, and what the host has. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// For which host.
    pub host: AccountHost,
    /// The services, the largest limit first.
    pub services: Vec<Entry>,
    /// All limits together.
    pub limits_bytes: u64,
    /// Kept for the system (`memory.reserve`).
    pub reserve_bytes: u64,
    /// Limits and reserve.
    pub sum_bytes: u64,
    /// Limits and reserve while the model sleeps and documents wait, where that differs.
    pub reading_bytes: Option<u64>,
    /// The host's RAM.
    pub ram_bytes: u64,
    /// What is left of the RAM; below 0 where it is not enough.
    pub left_bytes: i64,
    /// All that the services may reserve.
    pub reservations_bytes: u64,
    /// All that the services may have in swap.
    pub swap_limits_bytes: u64,
    /// Swap on disk, where it is known.
    pub swap_bytes: Option<u64>,
    /// What each model that is at hand needs.
    pub models: Vec<ModelNeed>,
}

/// What a model needs in its service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ModelNeed {
    /// The service.
    pub service: String,
    /// The model's file.
    pub model: String,
    /// Tokens of context, all requests together.
    pub tokens: u64,
    /// At most, bytes.
    pub need: Need,
    /// The service's limit, bytes.
    pub limit_bytes: Option<u64>,
}

/// For which host the account is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AccountHost {
    /// `host-file` (`--host`), `at-least` (the profile names its least RAM), or `guess`.
    pub origin: &'static str,
    /// The host in one line, where it is known.
    pub name: Option<String>,
    /// RAM.
    pub ram_bytes: u64,
    /// CPUs; 0 where not told.
    pub cores: u64,
    /// Size of the file system that holds the swap file.
    pub disk_bytes: u64,
    /// That size is a guess.
    pub disk_is_guess: bool,
}

/// One service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Hard limit; none where it may take all.
    pub limit_bytes: Option<u64>,
    /// What the kernel tries to leave it.
    pub reservation_bytes: Option<u64>,
    /// The most that it may have in swap. Where the profile does not say, as much as the limit: so does the engine.
    pub swap_bytes: Option<u64>,
    /// The limit's share of the RAM, in per cent, to a tenth.
    pub share_percent: Option<f64>,
}

impl Account {
    pub(super) fn new(
        settings: &Settings,
        target: &Target<'_>,
        disk_is_guess: bool,
        models: Vec<ModelNeed>,
    ) -> Self {
        let ram = target.numbers.ram_bytes;
        let mut services: Vec<Entry> = settings
            .services
            .iter()
            .map(|(name, service)| {
                let limit = service.memory.map(|bytes| bytes.0);
                Entry {
                    name: name.clone(),
                    limit_bytes: limit,
                    reservation_bytes: service.memory_reservation.map(|bytes| bytes.0),
                    swap_bytes: service.swap_limit().map(|bytes| bytes.0),
                    share_percent: limit.and_then(|limit| share(limit, ram)),
                }
            })
            .collect();
        services.sort_by(|a, b| b.limit_bytes.cmp(&a.limit_bytes).then_with(|| a.name.cmp(&b.name)));
        let total = |figure: fn(&Entry) -> Option<u64>| {
            services.iter().filter_map(figure).fold(0_u64, u64::saturating_add)
        };
        let limits = total(|entry| entry.limit_bytes);
        let reserve = settings.memory.reserve.0;
        let sum = limits.saturating_add(reserve);
        let left = i128::from(ram) - i128::from(sum);
        let name = target.host.map(super::saved_host::SavedHost::line);
        let origin = match (target.host, target.origin) {
            (Some(_), _) | (None, Origin::Told) => "host-file",
            (None, Origin::AtLeast) => "at-least",
            (None, Origin::Guess) => "guess",
        };
        let numbers = target.numbers;
        Self {
            host: AccountHost {
                origin,
                name,
                ram_bytes: ram,
                cores: numbers.cores,
                disk_bytes: numbers.disk_bytes,
                disk_is_guess,
            },
            limits_bytes: limits,
            reserve_bytes: reserve,
            sum_bytes: sum,
            reading_bytes: settings
                .services
                .values()
                .any(|service| service.memory_reading.is_some())
                .then(|| settings.limits_while_reading().saturating_add(reserve)),
            ram_bytes: ram,
            left_bytes: i64::try_from(left).unwrap_or(if left < 0 { i64::MIN } else { i64::MAX }),
            reservations_bytes: total(|entry| entry.reservation_bytes),
            swap_limits_bytes: total(|entry| entry.swap_bytes),
            swap_bytes: swap(settings, target),
            models,
            services,
        }
    }

    /// Is there anything to add up?
    pub fn is_empty(&self) -> bool {
        self.services.is_empty() && self.reserve_bytes == 0
    }

    /// For which host this is, in a sentence.
    pub fn title(&self) -> String {
        let ram = self.ram_bytes / MIB;
        match (&self.host.name, self.host.origin) {
            (Some(name), _) => t!("Memory in MiB, on a host with {ram} MiB: {name}", ram = ram, name = name),
            (None, "at-least") => {
                t!(
                    "Memory in MiB, on the least host that the profile is made for: {ram} MiB (memory.at_least)",
                    ram = ram
                )
            }
            (None, _) => t!(
                "Memory in MiB, on a host with {ram} MiB, which is a guess: name yours with --host, or set memory.at_least",
                ram = ram
            ),
        }
    }
}

/// Swap on disk as it will be: what the profile asks for, or what is there already; `None` where neither is known.
pub(super) fn swap(settings: &Settings, target: &Target<'_>) -> Option<u64> {
    let there = target.host.map(super::saved_host::SavedHost::disk_swap);
    match (settings.swap.size.0, there) {
        (0, None) => None,
        (wanted, there) => Some(wanted.max(there.unwrap_or(0))),
    }
}

fn share(part: u64, whole: u64) -> Option<f64> {
    let tenths = (u128::from(part) * 1000 + u128::from(whole) / 2).checked_div(u128::from(whole))?;
    // A share of many times the RAM is no figure for a table.
    u32::try_from(tenths).ok().map(|tenths| f64::from(tenths) / 10.0)
}
