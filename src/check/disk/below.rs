//! Which disk is below a device, and of what kind it is.

use crate::check::Scene;
use crate::facts::Disk;

/// The whole disk below a device: `vda` of `/dev/vda1`, what is below a volume of LVM or a RAID.
pub(in crate::check) fn disk_of<'a>(scene: &'a Scene<'a>, device: &str) -> Option<&'a Disk> {
    let mut name = device.strip_prefix("/dev/")?.to_owned();
    if let Some(target) = scene.host().read_link(device) {
        target.rsplit('/').next()?.clone_into(&mut name);
    }
    for _ in 0..8 {
        if let Some(disk) = of_partition(&scene.facts().disks, &name) {
            return Some(disk);
        }
        name = scene.host().list(&format!("/sys/block/{name}/slaves")).ok()?.into_iter().next()?;
    }
    None
}

fn of_partition<'a>(disks: &'a [Disk], name: &str) -> Option<&'a Disk> {
    disks.iter().find(|disk| {
        let Some(rest) = name.strip_prefix(disk.name.as_str()) else { return false };
        let ends_in_digit = disk.name.ends_with(|c: char| c.is_ascii_digit());
        let number = if ends_in_digit { rest.strip_prefix('p') } else { Some(rest) };
        rest.is_empty() || number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    })
}

/// `None` in a virtual machine: QEMU says of every disk that it rotates, whatever is behind it.
pub(in crate::check) fn is_rotating(scene: &Scene<'_>, disk: &Disk) -> Option<bool> {
    match disk.kind.as_str() {
        "virtual" => None,
        "rotational" => scene.facts().virtualization.vm.is_none().then_some(true),
        _ => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_and_their_disks() {
        let disk = |name: &str| Disk { name: name.into(), ..Disk::default() };
        let disks = [disk("vda"), disk("nvme0n1"), disk("nvme0n10"), disk("sdaa")];
        let of = |name: &str| of_partition(&disks, name).map(|disk| disk.name.clone());
        assert_eq!(of("vda1").as_deref(), Some("vda"));
        assert_eq!(of("nvme0n1p2").as_deref(), Some("nvme0n1"));
        assert_eq!(of("nvme0n10").as_deref(), Some("nvme0n10"));
        assert_eq!((of("vdab"), of("sda1"), of("")), (None, None, None));
    }
}
