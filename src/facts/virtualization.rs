//! What runs below us: a hypervisor, or a container engine.

use super::Virtualization;
use crate::host::Host;

/// The vendor strings of DMI, and what they mean (as `systemd-detect-virt` reads them).
const VENDORS: [(&str, &str); 13] = [
    ("KVM", "kvm"),
    ("OpenStack", "kvm"),
    ("KubeVirt", "kvm"),
    ("Amazon EC2", "amazon"),
    ("Google", "google"),
    ("DigitalOcean", "kvm"),
    ("Hetzner", "kvm"),
    ("QEMU", "qemu"),
    ("VMware", "vmware"),
    ("innotek GmbH", "oracle"),
    ("Xen", "xen"),
    ("Microsoft Corporation", "microsoft"),
    ("Parallels", "parallels"),
];

pub(super) fn read(host: &Host) -> Virtualization {
    Virtualization { vm: vm(host), container: container(host) }
}

fn vm(host: &Host) -> Option<String> {
    let dmi = ["product_name", "sys_vendor", "board_vendor", "bios_vendor", "chassis_vendor"];
    let texts: Vec<String> =
        dmi.iter().filter_map(|file| host.value(&format!("/sys/class/dmi/id/{file}"))).collect();
    let named = VENDORS.iter().find(|(vendor, _)| texts.iter().any(|text| text.starts_with(vendor)));
    if let Some((_, name)) = named {
        return Some((*name).to_owned());
    }
    if let Some(name) = host.value("/sys/hypervisor/type") {
        return Some(name);
    }
    let cpuinfo = host.value("/proc/cpuinfo")?;
    let flags = cpuinfo.lines().find(|line| line.starts_with("flags"))?;
    flags.split_whitespace().any(|flag| flag == "hypervisor").then(|| "vm".to_owned())
}

fn container(host: &Host) -> Option<String> {
    // `systemd` writes what it was told; an OCI engine leaves a file; OpenVZ has /proc/vz and no /proc/bc.
    if let Some(name) = host.value("/run/systemd/container").filter(|name| !name.is_empty()) {
        return Some(name);
    }
    if host.exists("/.dockerenv") {
        return Some("docker".to_owned());
    }
    if host.exists("/run/.containerenv") {
        return Some("podman".to_owned());
    }
    if host.exists("/proc/vz") && !host.exists("/proc/bc") {
        return Some("openvz".to_owned());
    }
    let environment = host.read_text("/proc/1/environ").ok().flatten()?;
    let named = environment.split('\0').find_map(|entry| entry.strip_prefix("container="));
    named.filter(|name| !name.is_empty()).map(str::to_owned)
}
