//! Whole disks.

use super::Disk;
use crate::host::Host;

pub(super) fn read(host: &Host) -> Vec<Disk> {
    let names = host.list("/sys/block").unwrap_or_default();
    names
        .into_iter()
        .filter(|name| {
            !["loop", "ram", "zram", "dm-", "md", "sr", "fd", "nbd"].iter().any(|p| name.starts_with(p))
        })
        .filter_map(|name| {
            let value = |file: &str| host.value(&format!("/sys/block/{name}/{file}"));
            let sectors: u64 = value("size")?.parse().ok()?;
            let kind = if name.starts_with("nvme") {
                "nvme"
            } else if name.starts_with("vd") || name.starts_with("xvd") {
                "virtual"
            } else if value("queue/rotational").as_deref() == Some("1") {
                "rotational"
            } else {
                "ssd"
            };
            let model = value("device/model").filter(|model| !model.is_empty());
            // The kernel counts sectors of 512 bytes here, whatever the disk's own are.
            (sectors > 0).then(|| Disk {
                kind: kind.to_owned(),
                size_bytes: sectors.saturating_mul(512),
                model,
                name,
            })
        })
        .collect()
}
