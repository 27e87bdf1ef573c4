//! Names of kernel parameters, as sysctl.d(5) has them.

/// The name with dots as separators, whatever it was written with. Where the first separator is a slash, dots are part
/// of the names, and the two change places: `net/ipv4/conf/eth0.100/forwarding` is `net.ipv4.conf.eth0/100.forwarding`.
pub fn dotted(name: &str) -> String {
    let slashed = name.find('/').is_some_and(|slash| name.find('.').is_none_or(|dot| slash < dot));
    if slashed { swapped(name) } else { name.to_owned() }
}

/// Where the kernel keeps it: `vm.swappiness` is `/proc/sys/vm/swappiness`.
pub fn path(name: &str) -> String {
    format!("/proc/sys/{}", swapped(&dotted(name)))
}

/// The name that a path below `/proc/sys` stands for.
pub fn of_path(path: &str) -> Option<String> {
    path.strip_prefix("/proc/sys/").map(swapped)
}

fn swapped(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c == '/' {
                '.'
            } else if c == '.' {
                '/'
            } else {
                c
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths() {
        assert_eq!(dotted("vm/swappiness"), "vm.swappiness");
        assert_eq!(dotted("net/ipv4/conf/eth0.100/forwarding"), "net.ipv4.conf.eth0/100.forwarding");
        assert_eq!(path("vm.swappiness"), "/proc/sys/vm/swappiness");
        for name in ["net.ipv4.conf.eth0/1.rp_filter", "net/ipv4/conf/eth0.1/rp_filter"] {
            assert_eq!(path(name), "/proc/sys/net/ipv4/conf/eth0.1/rp_filter");
        }
        assert_eq!(of_path("/proc/sys/vm/swappiness").as_deref(), Some("vm.swappiness"));
    }
}
