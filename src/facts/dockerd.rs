//! How the Docker engine is configured: `daemon.json`, and the flags that its unit gives it.

use serde_json::{Map, Value};

use crate::host::Host;

/// Where the configuration is, unless a flag names another place.
pub const DAEMON_JSON: &str = "/etc/docker/daemon.json";
/// Where the snap has it.
const SNAP: &str = "/var/snap/docker/current/config/daemon.json";
/// Read by Debian's unit and by its init script.
const DEFAULTS: &str = "/etc/default/docker";
/// Where units are looked for; the first wins.
const UNITS: [&str; 4] =
    ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/// The configuration, as files tell it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dockerd {
    /// Where `daemon.json` is.
    pub path: String,
    /// Its text; `None` where there is no such file.
    pub text: Option<String>,
    /// What it sets; empty where it is absent or empty.
    pub keys: Map<String, Value>,
    /// Why it can't be understood.
    pub error: Option<JsonError>,
    /// The flags of the engine's command line.
    pub flags: Vec<Flag>,
}

/// What is wrong with `daemon.json`, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    /// In words; an English sentence of the parser, or of the kernel.
    pub message: String,
    /// From 1; 0 where the file could not be read at all.
    pub line: usize,
    /// From 1.
    pub column: usize,
}

/// One flag, under the name that `daemon.json` has for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// For example `log-opts`.
    pub key: String,
    /// Its value; `true` for a flag without one.
    pub value: String,
    /// The file that gives it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

/// Flags whose key in `daemon.json` has another name: one of many, and the short ones.
const NAMES: [(&str, &str); 24] = [
    ("H", "hosts"),
    ("host", "hosts"),
    ("D", "debug"),
    ("G", "group"),
    ("b", "bridge"),
    ("l", "log-level"),
    ("p", "pidfile"),
    ("s", "storage-driver"),
    ("log-opt", "log-opts"),
    ("exec-opt", "exec-opts"),
    ("storage-opt", "storage-opts"),
    ("label", "labels"),
    ("dns-opt", "dns-opts"),
    ("add-runtime", "runtimes"),
    ("insecure-registry", "insecure-registries"),
    ("registry-mirror", "registry-mirrors"),
    ("default-ulimit", "default-ulimits"),
    ("default-address-pool", "default-address-pools"),
    ("authorization-plugin", "authorization-plugins"),
    ("node-generic-resource", "node-generic-resources"),
    ("allow-nondistributable-artifacts", "allow-nondistributable-artifacts"),
    ("cdi-spec-dir", "cdi-spec-dirs"),
    ("default-network-opt", "default-network-opts"),
    ("host-gateway-ip", "host-gateway-ips"),
];

/// Flags that stand alone: what follows one is not its value.
const ALONE: [&str; 21] = [
    "D",
    "debug",
    "tls",
    "tlsverify",
    "icc",
    "ipv6",
    "iptables",
    "ip6tables",
    "ip-forward",
    "ip-masq",
    "init",
    "live-restore",
    "rootless",
    "raw-logs",
    "selinux-enabled",
    "userland-proxy",
    "experimental",
    "validate",
    "no-new-privileges",
    "cri-containerd",
    "version",
];

impl Dockerd {
    /// Reads the files.
    pub fn read(host: &Host) -> Self {
        let flags = read_flags(host);
        let named = flags.iter().find(|flag| flag.key == "config-file").map(|flag| flag.value.clone());
        let others = || if host.exists(DAEMON_JSON) || !host.exists(SNAP) { DAEMON_JSON } else { SNAP };
        let path = named.unwrap_or_else(|| others().to_owned());
        let (text, keys, error) = match host.read_text(&path) {
            Ok(None) => (None, Map::new(), None),
            Ok(Some(text)) => match parse(&text) {
                Ok(keys) => (Some(text), keys, None),
                Err(error) => (Some(text), Map::new(), Some(error)),
            },
            Err(error) => (None, Map::new(), Some(JsonError { message: error.reason(), line: 0, column: 0 })),
        };
        Self { path, text, keys, error, flags }
    }

    /// A flag of that key.
    pub fn flag(&self, key: &str) -> Option<&Flag> {
        self.flags.iter().rfind(|flag| flag.key == key)
    }

    /// What is set for a key, by a flag or by the file.
    pub fn text_of(&self, key: &str) -> Option<String> {
        if let Some(flag) = self.flag(key) {
            return Some(flag.value.clone());
        }
        match self.keys.get(key)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }

    /// The same for what is on or off.
    pub fn switch(&self, key: &str) -> Option<bool> {
        match self.text_of(key)?.as_str() {
            "true" | "1" | "t" | "T" | "TRUE" | "True" => Some(true),
            "false" | "0" | "f" | "F" | "FALSE" | "False" => Some(false),
            _ => None,
        }
    }

    /// Nobody has said where the logs of containers go or end: each grows until the disk is full.
    pub fn logs_have_no_end(&self) -> bool {
        self.text_of("log-driver").is_none_or(|driver| driver == "json-file")
            && self.option("log-opts", "max-size").is_none()
    }

    /// An option of a list as `log-opts`: `{"max-size": "10m"}` in the file, `--log-opt max-size=10m` as a flag.
    pub fn option(&self, key: &str, name: &str) -> Option<String> {
        let of = |text: &str| text.strip_prefix(name)?.strip_prefix('=').map(str::to_owned);
        let flags = self.flags.iter().filter(|flag| flag.key == key);
        flags.rev().find_map(|flag| of(&flag.value)).or_else(|| match self.keys.get(key)? {
            Value::Object(map) => match map.get(name)? {
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            },
            Value::Array(list) => list.iter().rev().find_map(|item| of(item.as_str()?)),
            _ => None,
        })
    }

    /// Every address that the engine is told to listen on, with its place.
    pub fn hosts(&self) -> Vec<(String, String, usize)> {
        let flags = self.flags.iter().filter(|flag| flag.key == "hosts");
        let mut found: Vec<_> =
            flags.map(|flag| (flag.value.clone(), flag.file.clone(), flag.line)).collect();
        if let Some(Value::Array(list)) = self.keys.get("hosts") {
            let line = self.line_of("hosts").unwrap_or(1);
            let named = list.iter().filter_map(|item| item.as_str());
            found.extend(named.map(|host| (host.to_owned(), self.path.clone(), line)));
        }
        found
    }

    /// The line of `daemon.json` in which a key stands first.
    pub fn line_of(&self, key: &str) -> Option<usize> {
        let quoted = format!("\"{key}\"");
        Some(self.text.as_ref()?.lines().position(|line| line.contains(&quoted))? + 1)
    }
}

/// The text of `daemon.json`. An empty file sets nothing.
fn parse(text: &str) -> Result<Map<String, Value>, JsonError> {
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(JsonError { message: "it is not an object in { }".to_owned(), line: 1, column: 1 }),
        Err(error) => {
            let words = error.to_string();
            let message = words.split(" at line ").next().unwrap_or(&words).to_owned();
            Err(JsonError { message, line: error.line(), column: error.column() })
        }
    }
}

/// The flags of the unit `docker.service` with its drop-ins; without a unit, of the init script's defaults.
fn read_flags(host: &Host) -> Vec<Flag> {
    let mut unit = Unit::default();
    let found = UNITS.iter().find_map(|folder| {
        let path = format!("{folder}/docker.service");
        Some((host.read_text(&path).ok()??, path))
    });
    let has_unit = found.is_some();
    if let Some((text, path)) = found {
        unit.take(&text, &path);
    }
    for path in drop_ins(host) {
        if let Ok(Some(text)) = host.read_text(&path) {
            unit.take(&text, &path);
        }
    }
    let defaults = host.read_text(DEFAULTS).ok().flatten().unwrap_or_default();
    let options = shell_value(&defaults, "DOCKER_OPTS");
    let mut flags = Vec::new();
    for (text, file, line) in &unit.exec_start {
        if text.contains("DOCKER_OPTS") {
            if let Some((value, number)) = options {
                flags.extend(parse_flags(value, DEFAULTS, number));
            }
        }
        flags.extend(parse_flags(text, file, *line));
    }
    if let (false, Some((value, number))) = (has_unit, options) {
        flags.extend(parse_flags(value, DEFAULTS, number));
    }
    flags
}

/// The drop-ins in the order in which systemd reads them: by name, and `/etc` before the others for the same name.
fn drop_ins(host: &Host) -> Vec<String> {
    let mut found = std::collections::BTreeMap::new();
    for folder in UNITS {
        let folder = format!("{folder}/docker.service.d");
        for name in host.list(&folder).unwrap_or_default() {
            if name.ends_with(".conf") {
                found.entry(name.clone()).or_insert_with(|| format!("{folder}/{name}"));
            }
        }
    }
    found.into_values().collect()
}

/// The `ExecStart=` lines of a unit; an empty one forgets those before it.
#[derive(Default)]
struct Unit {
    exec_start: Vec<(String, String, usize)>,
}

impl Unit {
    fn take(&mut self, text: &str, path: &str) {
        let mut lines = text.lines().enumerate();
        while let Some((at, line)) = lines.next() {
            let Some(value) = line.trim_start().strip_prefix("ExecStart") else { continue };
            let Some(value) = value.trim_start().strip_prefix('=') else { continue };
            let mut whole = value.trim().to_owned();
            while whole.ends_with('\\') {
                whole.pop();
                let Some((_, next)) = lines.next() else { break };
                whole.push(' ');
                whole.push_str(next.trim());
            }
            if whole.trim().is_empty() {
                self.exec_start.clear();
            } else {
                self.exec_start.push((whole, path.to_owned(), at + 1));
            }
        }
    }
}

/// `NAME="value"` of a file of shell variables; the last counts.
fn shell_value<'t>(text: &'t str, name: &str) -> Option<(&'t str, usize)> {
    let mut lines = text.lines().enumerate().collect::<Vec<_>>().into_iter().rev();
    lines.find_map(|(at, line)| {
        let line = line.trim();
        let value = line.strip_prefix("export ").unwrap_or(line).strip_prefix(name)?.strip_prefix('=')?;
        Some((value.trim_matches(['"', '\'']), at + 1))
    })
}

/// The flags among the words of a command line.
fn parse_flags(text: &str, file: &str, line: usize) -> Vec<Flag> {
    let words: Vec<String> =
        text.split_whitespace().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect();
    let mut flags = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let word = &words[at];
        at += 1;
        let (name, value) = if let Some(long) = word.strip_prefix("--") {
            match long.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (long.to_owned(), None),
            }
        } else if let Some(short) = word.strip_prefix('-').filter(|short| !short.is_empty()) {
            // `-H fd://`, `-Hfd://` and `-H=fd://` are the same.
            let letter: String = short.chars().take(1).collect();
            let rest = &short[letter.len()..];
            let value = rest.strip_prefix('=').unwrap_or(rest);
            (letter, (!value.is_empty()).then(|| value.to_owned()))
        } else {
            continue;
        };
        let value = match value {
            Some(value) => value,
            None if ALONE.contains(&name.as_str()) => "true".to_owned(),
            None => {
                let next = words.get(at).filter(|next| !next.starts_with('-')).cloned();
                at += usize::from(next.is_some());
                next.unwrap_or_else(|| "true".to_owned())
            }
        };
        let key = NAMES.iter().find(|(flag, _)| *flag == name).map_or(name.as_str(), |(_, key)| key);
        flags.push(Flag { key: key.to_owned(), value, file: file.to_owned(), line });
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(text: &str) -> Vec<(String, String)> {
        parse_flags(text, "f", 1).into_iter().map(|flag| (flag.key, flag.value)).collect()
    }

    #[test]
    fn command_lines() {
        let found = flags(
            "/usr/bin/dockerd -H fd:// -H=tcp://0.0.0.0:2375 -Hunix:///x --containerd=/run/c.sock --live-restore \
             --log-opt max-size=10m --icc=false -D --label \"a=b\" $DOCKER_OPTS --tls",
        );
        let expected = [
            ("hosts", "fd://"),
            ("hosts", "tcp://0.0.0.0:2375"),
            ("hosts", "unix:///x"),
            ("containerd", "/run/c.sock"),
            ("live-restore", "true"),
            ("log-opts", "max-size=10m"),
            ("icc", "false"),
            ("debug", "true"),
            ("labels", "a=b"),
            ("tls", "true"),
        ];
        assert_eq!(found, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        for odd in ["", "-", "--", "---", "-ñ", "--=", "-H", "\\", "=x"] {
            let _ = flags(odd);
        }
    }

    #[test]
    fn units() {
        let mut unit = Unit::default();
        unit.take("[Service]\nExecStart=/usr/bin/dockerd -H fd://\n", "a");
        unit.take("[Service]\nExecStart=\nExecStart=/usr/bin/dockerd \\\n  --tls \\", "b");
        let [(text, file, line)] = unit.exec_start.as_slice() else { panic!("one line") };
        assert_eq!((text.split_whitespace().count(), file.as_str(), *line), (2, "b", 3));
        assert_eq!(
            shell_value("#DOCKER_OPTS=\"no\"\nDOCKER_OPTS=\"--dns 1.1.1.1\"\n", "DOCKER_OPTS"),
            Some(("--dns 1.1.1.1", 2))
        );
    }

    #[test]
    fn files() {
        assert_eq!(parse("\u{feff} \n"), Ok(Map::new()));
        let error = parse("{\n  \"live-restore\": true,\n}\n").unwrap_err();
        assert_eq!((error.line, error.column), (3, 1));
        assert!(error.message.contains("trailing comma"));
        assert_eq!(parse("[]").unwrap_err().line, 1);
        assert!(parse(&"[".repeat(1 << 20)).is_err());
    }
}
