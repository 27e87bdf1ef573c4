//! Hosts that an environment variable points at: URLs, `host:port`, libpq's `host=…`, lists of them, proxies and name servers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::hosted;

/// Every host in `value` that is neither this machine, nor a container's name, nor a private address. Whether a bare word
/// is a host, the variable's `name` tells.
pub fn outside(name: &str, value: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    if is_no_destination(name) {
        return found;
    }
    // Some programs take a backslash for a slash, and some for a letter: http://a\@b is at either.
    let slashed = value.replace('\\', "/");
    let hosts =
        urls(value).into_iter().chain(urls(&slashed)).chain(keywords(value)).chain(words(name, value));
    for host in hosts {
        let mut host: String = host.chars().take(253).collect();
        if let (Err(_), Some(address)) = (host.parse::<IpAddr>(), aton(&host)) {
            host = format!("{host} ({address})");
        }
        if !found.contains(&host) {
            found.push(host);
        }
    }
    found
}

/// Is there a URL with a password in it?
pub(super) fn has_password(value: &str) -> bool {
    authorities(value).any(|authority| {
        let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
        user.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !password.starts_with('$'))
    })
}

/// Does this variable name a proxy?
pub(super) fn is_proxy(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name.ends_with("_PROXY") && name != "NO_PROXY"
}

/// Lists of hosts that are not asked, names that the container itself goes by, and versions.
fn is_no_destination(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    name == "NO_PROXY" || name.ends_with("VERSION")
}

/// Would a bare word in this variable be a host?
fn speaks_of_hosts(name: &str) -> bool {
    const WORDS: [&str; 24] = [
        "HOST",
        "HOSTS",
        "HOSTADDR",
        "SERVER",
        "SERVERS",
        "ENDPOINT",
        "ENDPOINTS",
        "URL",
        "URLS",
        "URI",
        "ADDR",
        "ADDRESS",
        "DSN",
        "PROXY",
        "DNS",
        "NAMESERVER",
        "NAMESERVERS",
        "BROKER",
        "BROKERS",
        "UPSTREAM",
        "BASE",
        "NODES",
        "PGHOST",
        "PGHOSTADDR",
    ];
    // Names that others know the container by are no places that it goes to.
    const OWN: [&str; 9] =
        ["NAME", "VIRTUAL", "ALLOWED", "PUBLIC", "TRUSTED", "CORS", "ORIGIN", "ORIGINS", "DOMAIN"];
    let name = name.to_ascii_uppercase();
    let is_any = |list: &[&str]| name.split('_').any(|word| list.contains(&word));
    is_any(&WORDS) && !is_any(&OWN)
}

/// What stands between `://` and the path, of every URL in the text.
fn authorities(value: &str) -> impl Iterator<Item = &str> {
    value.match_indices("://").filter_map(|(at, _)| {
        let scheme = value[..at].rsplit(|c: char| !c.is_ascii_alphanumeric() && !"+.-".contains(c)).next();
        let local =
            ["unix", "file", "fd", "npipe"].iter().any(|s| scheme.is_some_and(|x| x.eq_ignore_ascii_case(s)));
        let rest = &value[at + 3..];
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'<>|;)}`".contains(c)).unwrap_or(rest.len());
        (!local).then_some(&rest[..end])
    })
}

fn urls(value: &str) -> Vec<String> {
    let mut found = Vec::new();
    for authority in authorities(value) {
        let hosts = authority.rsplit_once('@').map_or(authority, |(_, hosts)| hosts);
        for host in hosts.split(',') {
            let host = decoded(without_port(host));
            if !host.is_empty() && !is_inside(&host) {
                found.push(host);
            }
        }
    }
    found
}

/// `host=a,b port=…` as libpq has it, `Server=tcp:…` as others, and the same behind the `?` of a URL.
fn keywords(value: &str) -> Vec<String> {
    const KEYS: [&str; 9] =
        ["host", "hostaddr", "server", "source", "addr", "address", "endpoint", "hostname", "url"];
    let mut found = Vec::new();
    for (at, _) in value.match_indices('=') {
        let before = value[..at].trim_end();
        let word = before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or("");
        if !KEYS.iter().any(|key| key.eq_ignore_ascii_case(word)) {
            continue;
        }
        let rest = value[at + 1..].trim_start().trim_start_matches(['\'', '"']);
        let end = rest.find(|c: char| c.is_whitespace() || "&;'\"=".contains(c)).unwrap_or(rest.len());
        for host in rest[..end].split(',') {
            let host = host.strip_prefix("tcp:").unwrap_or(host);
            if host.contains("://") {
                continue;
            }
            let host = decoded(without_port(host));
            let names_one = host.contains('.') || host.contains(':') || !host.is_ascii();
            if names_one && !host.starts_with(['/', '@', '.']) && !is_inside(&host) {
                found.push(host);
            }
        }
    }
    found
}

/// Words that are hosts without a scheme before them.
fn words(name: &str, value: &str) -> Vec<String> {
    let is_about_hosts = speaks_of_hosts(name);
    let mut found = Vec::new();
    for word in value.split(|c: char| c.is_whitespace() || ",;|\"'()<>".contains(c)) {
        if word.contains("://") || word.contains('=') {
            continue;
        }
        let word = word.strip_prefix("//").unwrap_or(word);
        let word = word.split(['/', '?', '#']).next().unwrap_or(word);
        let (user, word) = word.rsplit_once('@').map_or((false, word), |(_, host)| (true, host));
        let host = without_port(word);
        let has_port = word.len() > host.len();
        let host = decoded(host);
        let literal = host.parse::<IpAddr>().is_ok();
        let is_host = literal
            || is_about_hosts
                && (has_top_level(&host) || !host.is_ascii() || is_numeric(&host) && host.contains('.'))
            || has_port && has_top_level(&host)
            || hosted::of(&host).is_some() && (!user || has_port);
        if is_host && !is_inside(&host) {
            found.push(host);
        }
    }
    found
}

/// A name with a dot whose last part is a word: `db.example.com`, but no `1.2.3` and no `.conf`.
fn has_top_level(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host.rsplit_once('.').is_some_and(|(before, last)| {
        !before.is_empty()
            && last.len() >= 2
            && last.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && last.bytes().any(|b| b.is_ascii_alphabetic())
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    })
}

/// `[::1]:80` → `::1`, `a:80` → `a`; an IPv6 address without brackets has no port.
fn without_port(text: &str) -> &str {
    if let Some(rest) = text.strip_prefix('[') {
        return rest.split(']').next().unwrap_or(rest);
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return text;
    }
    match text.split_once(':') {
        Some((host, _)) => host,
        None => text,
    }
}

/// `%2e` is a dot.
fn decoded(host: &str) -> String {
    let mut bytes = Vec::with_capacity(host.len());
    let mut rest = host.as_bytes();
    while let Some((first, others)) = rest.split_first() {
        let hex = |at: usize| others.get(at).and_then(|b| char::from(*b).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, hex(0), hex(1)) {
            bytes.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
            rest = &others[2..];
        } else {
            bytes.push(*first);
            rest = others;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Digits, dots and what hexadecimal numbers need.
fn is_numeric(host: &str) -> bool {
    host.starts_with(|c: char| c.is_ascii_digit()) && aton(host).is_some()
}

fn is_inside(host: &str) -> bool {
    // A socket's path.
    if host.starts_with('/') {
        return true;
    }
    let host = host.trim_end_matches('.');
    // What is behind a `%` names an interface.
    let address = host.split('%').next().unwrap_or(host);
    if let Some(address) = address.parse::<IpAddr>().ok().or_else(|| aton(address).map(IpAddr::V4)) {
        return is_private(address);
    }
    if !host.is_ascii() {
        // No container has such a name; and there is more than one character that is read as a dot.
        return false;
    }
    // Containers' names have no dot; these endings are never public.
    let host = host.to_ascii_lowercase();
    let private = ["local", "internal", "localhost", "lan", "home.arpa"];
    !host.contains('.') || private.iter().any(|end| host.ends_with(&format!(".{end}")))
}

/// This machine, or a network of one's own.
pub fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_unspecified() || v4.is_link_local(),
        IpAddr::V6(v6) => {
            if let Some(v4) = v6.to_ipv4_mapped() {
                return is_private(IpAddr::V4(v4));
            }
            // fc00::/7 is the private range, fe80::/10 the link's own.
            let first = v6.segments()[0];
            v6.is_loopback() || v6.is_unspecified() || first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfe80
        }
    }
}

/// An IPv4 address as `inet_aton(3)` reads it: one to four numbers, decimal, octal or hexadecimal, the last of which takes
/// the rest of the bytes. `http://134744072/` is 8.8.8.8.
fn aton(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = text.split('.').collect();
    let (last, first) = parts.split_last()?;
    if first.len() > 3 {
        return None;
    }
    let number = |part: &str| -> Option<u32> {
        let lower = part.to_ascii_lowercase();
        match lower.strip_prefix("0x") {
            Some(hex) => u32::from_str_radix(hex, 16).ok(),
            None if !part.bytes().all(|b| b.is_ascii_digit()) => None,
            None if part.len() > 1 && part.starts_with('0') => u32::from_str_radix(part, 8).ok(),
            None => part.parse().ok(),
        }
    };
    let mut address: u32 = 0;
    for (at, part) in first.iter().enumerate() {
        let byte = number(part).filter(|byte| *byte < 256)?;
        address |= byte << (24 - 8 * at);
    }
    let rest = number(last)?;
    let room = 32 - 8 * u32::try_from(first.len()).ok()?;
    if room < 32 && rest >> room != 0 {
        return None;
    }
    Some(Ipv4Addr::from(address | rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_inside() {
        for (name, value) in [
            ("X", "postgres://u:p@postgres:5432/db"),
            ("X", "http://127.0.0.1:11434"),
            ("X", "http://10.0.0.3/x"),
            ("X", "http://[::1]:80/"),
            ("X", "http://[fd00::1]/"),
            ("X", "http://[fe80::1%25eth0]/"),
            ("X", "http://[::ffff:10.0.0.1]/"),
            ("X", "http://llm.internal"),
            ("X", "http://llm:11434,http://llm2:11434"),
            ("X", "http://127.1/ http://0x7f000001/ http://2130706433/"),
            ("X", "postgres:///db?host=/var/run/postgresql"),
            ("X", "postgres://%2Fvar%2Frun%2Fpostgresql/db"),
            ("X", "host=postgres port=5432 dbname=x"),
            ("X", "host = '/var/run/postgresql' user=a.b"),
            ("X", "unix:///var/run/x.sock"),
            ("X", "1"),
            ("X", "a://"),
            ("X", "12:30"),
            ("X", "qwen2.5:7b"),
            ("X", "/models/qwen.gguf"),
            ("X", "models/qwen2.5-7b.Q4_K_M.gguf"),
            ("X", "info,app.module=debug"),
            ("LANG", "es_CL.UTF-8"),
            ("ADMIN_EMAIL", "me@example.com"),
            ("APP_VERSION", "8.8.8.8"),
            ("NO_PROXY", "localhost,.example.com,8.8.8.8"),
            ("HTTP_PROXY", "http://proxy:3128"),
            ("SERVER_NAME", "docs.example.com"),
            ("ALLOWED_HOSTS", "docs.example.com"),
            ("PGHOST", "postgres"),
            ("PGHOST", "/var/run/postgresql"),
            ("DNS", "127.0.0.11"),
            ("DB_HOST", "10.0.0.5:5432"),
            ("OLLAMA_HOST", "0.0.0.0:11434"),
            ("X", ""),
        ] {
            assert_eq!(outside(name, value), Vec::<String>::new(), "{name}={value}");
        }
    }

    #[test]
    fn what_is_outside() {
        for (name, value, hosts) in [
            ("X", "postgres://u:p@ep-x.eu.neon.tech/db", "ep-x.eu.neon.tech"),
            ("X", "https://api.example.com?x=1", "api.example.com"),
            ("X", "HTTPS://API.EXAMPLE.COM.", "API.EXAMPLE.COM."),
            ("X", "http://8.8.8.8:80/", "8.8.8.8"),
            ("X", "http://[2001:db8::1]/", "2001:db8::1"),
            ("X", "http://[::ffff:8.8.8.8]/", "::ffff:8.8.8.8"),
            ("X", "http://134744072/", "134744072 (8.8.8.8)"),
            ("X", "http://0x08.8.8.8/", "0x08.8.8.8 (8.8.8.8)"),
            ("X", "http://api%2eexample%2ecom/", "api.example.com"),
            ("X", "http://api。example。com/", "api。example。com"),
            ("X", "http://inside\\@example.com/", "example.com"),
            ("X", "http://evil.example.com?@inside/", "evil.example.com"),
            ("X", "postgres://u:p@postgres,ep-x.neon.tech:5432/db", "ep-x.neon.tech"),
            ("X", "postgres://postgres/db?host=ep-x.neon.tech&port=5432", "ep-x.neon.tech"),
            ("X", "http://llm:1,https://a.example.com", "a.example.com"),
            ("X", "ep-x.neon.tech:5432", "ep-x.neon.tech"),
            ("X", "ep-x.neon.tech", "ep-x.neon.tech"),
            ("X", "postgres@ep-x.neon.tech:5432", "ep-x.neon.tech"),
            ("X", "host=ep-x.neon.tech port=5432", "ep-x.neon.tech"),
            ("X", "port=5432 HOST = 'db.example.com,postgres' x=y", "db.example.com"),
            ("X", "hostaddr=8.8.8.8", "8.8.8.8"),
            ("X", "Server=tcp:x.database.windows.net,1433;Database=d", "x.database.windows.net"),
            ("X", "Data Source=db.example.com;User=x", "db.example.com"),
            ("X", "kafka1,kafka.example.com:9092", "kafka.example.com"),
            ("X", "//cdn.example.com:80/x", "cdn.example.com"),
            ("X", "api.openai.com/v1", "api.openai.com"),
            ("RESOLVERS", "1.1.1.1 10.0.0.1", "1.1.1.1"),
            ("DNS", "2606:4700::1111", "2606:4700::1111"),
            ("PGHOST", "db.example.com", "db.example.com"),
            ("https_proxy", "proxy.example.com:3128", "proxy.example.com"),
            ("HTTPS_PROXY", "proxy.example.com", "proxy.example.com"),
            ("OPENAI_API_BASE", "api.example.com/v1", "api.example.com"),
            ("X", "jdbc:postgresql://db.example.com/x", "db.example.com"),
        ] {
            let found = outside(name, value);
            assert_eq!(found.first().map(String::as_str), Some(hosts), "{name}={value}: {found:?}");
            assert_eq!(found.len(), 1, "{name}={value}: {found:?}");
        }
    }

    #[test]
    fn passwords_in_urls() {
        assert!(has_password("postgres://u:p@postgres/db"));
        for value in
            ["postgres://u@postgres/db", "postgres://u:@postgres", "http://a:80/x@y", "a", "x://u:${PW}@h"]
        {
            assert!(!has_password(value), "{value}");
        }
    }
}
