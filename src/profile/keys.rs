//! Every key of the profile format, once. Decoding, unknown-key detection, provenance, the JSON Schema and the
//! reference in the documentation all come from this table.

pub use super::lookup::{Lookup, lookup, name_shape, rank, siblings};
use super::rule::Var;
use super::shape::Shape;

/// One key of the format.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// Its path; `*` stands for a name of the user's choice.
    pub path: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// What it is, in one line.
    pub doc: &'static str,
    /// What holds without it, in words.
    pub default: &'static str,
    /// The unit, or nothing.
    pub unit: &'static str,
    /// A value as it is written in TOML.
    pub example: &'static str,
}

/// The type of a key's value, with its limits.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number within limits, both included.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A sizing rule that gives bytes.
    Size {
        /// The least result, in MiB; 0 allows nothing at all.
        min_mib: u64,
        /// What the rule may speak of.
        vars: &'static [Var],
    },
    /// A number or a rule that gives one.
    Count {
        /// The least result.
        min: f64,
        /// The most.
        max: f64,
    },
    /// A span of time with its unit.
    Duration {
        /// The least, in ms.
        min_ms: u64,
        /// The most, in ms.
        max_ms: u64,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A text.
    Text(Shape),
    /// A list of texts.
    List(Shape),
    /// `"auto"`, a name, or names in order of preference.
    Preference(Shape),
    /// A text, a whole number or a truth value, kept as text.
    Scalar(Shape),
    /// A sysctl's value; see [`super::sysctl`].
    Sysctl,
    /// A day, as `2027-03-31`.
    Date,
}

impl Kind {
    /// Does it give bytes?
    pub const fn is_size(self) -> bool {
        matches!(self, Self::Size { .. })
    }
}

/// The kernel's zswap compressors (crypto API names), for suggestions: a kernel may have others.
pub const COMPRESSORS: [&str; 7] = ["lz4", "zstd", "lzo", "lzo-rle", "lz4hc", "deflate", "842"];
/// The allocators of all kernels so far, in the same spirit.
pub const ZPOOLS: [&str; 4] = ["auto", "z3fold", "zsmalloc", "zbud"];

const HOST: &[Var] = &[Var::Ram, Var::Cores, Var::Disk];
const SERVICE: &[Var] = &[Var::Ram, Var::Cores, Var::Disk, Var::Memory];

const fn key(
    path: &'static str,
    kind: Kind,
    unit: &'static str,
    default: &'static str,
    example: &'static str,
    doc: &'static str,
) -> Key {
    Key { path, kind, doc, default, unit, example }
}

/// The whole format, in the order in which it is shown.
pub const KEYS: [Key; 59] = [
    key(
        "name",
        Kind::Text(Shape::ProfileName),
        "",
        "the file's name",
        "\"my-server\"",
        "The profile's name, as plans and history show it.",
    ),
    key(
        "description",
        Kind::Text(Shape::Line),
        "",
        "none",
        "\"Our document server\"",
        "What the profile is for, in one line.",
    ),
    key(
        "extends",
        Kind::Text(Shape::Extends),
        "",
        "nothing",
        "\"civicum-12g\"",
        "A bundled profile's name, or a .toml file beside or below this one, whose values hold where this one is silent.",
    ),
    key(
        "without",
        Kind::List(Shape::KeyPath),
        "",
        "nothing",
        "[\"sysctl.vm.dirty_bytes\", \"services.proxy\"]",
        "Inherited keys or whole sections that shall not hold; the host keeps its own values.",
    ),
    key(
        "zswap.enabled",
        Kind::Bool,
        "",
        "true, once there is a [zswap]",
        "true",
        "Compress pages in RAM before they go to swap.",
    ),
    key(
        "zswap.compressor",
        Kind::Text(Shape::KernelName),
        "",
        "lz4",
        "\"lz4\"",
        "The compressor, as the kernel spells it.",
    ),
    key(
        "zswap.zpool",
        Kind::Preference(Shape::KernelName),
        "",
        "auto",
        "[\"z3fold\", \"zsmalloc\", \"zbud\"]",
        "The pool's allocator: auto, one name, or names in order of preference; the first that the kernel has and that suits it is used.",
    ),
    key(
        "zswap.max_pool_percent",
        Kind::Integer { min: 1, max: 100 },
        "% of RAM",
        "20",
        "20",
        "The most RAM that the compressed pool may take.",
    ),
    key(
        "zswap.shrinker",
        Kind::Bool,
        "",
        "as the kernel has it",
        "true",
        "Write cold pages back to disk before the pool is full (kernel 6.8 and later).",
    ),
    key(
        "swap.size",
        Kind::Size { min_mib: 0, vars: HOST },
        "bytes",
        "swap stays as it is",
        "\"min(ram / 3, 4GiB)\"",
        "Swap on disk in all. It also caps zswap, since each page in the pool holds a slot of the swap.",
    ),
    key(
        "swap.path",
        Kind::Text(Shape::SwapPath),
        "",
        "/civicum.swap",
        "\"/civicum.swap\"",
        "Where our swap file lives.",
    ),
    key(
        "swap.priority",
        Kind::Integer { min: -1, max: 32767 },
        "",
        "-1, the kernel chooses",
        "10",
        "Swap with a higher priority is used first.",
    ),
    key(
        "swap.persist",
        Kind::Choice(&["auto", "fstab", "unit"]),
        "",
        "auto",
        "\"auto\"",
        "How the swap file comes back after a reboot: a systemd unit, a line in /etc/fstab, or what suits the host.",
    ),
    key(
        "sysctl.*",
        Kind::Sysctl,
        "as the kernel has it",
        "as the kernel has it",
        "60",
        "A kernel parameter by its sysctl name, quoted or as dotted tables. Parameters that are sizes also take a sizing rule.",
    ),
    key(
        "zram.retire",
        Kind::Bool,
        "",
        "false",
        "true",
        "Take zram swap out of use and keep it from coming back.",
    ),
    key(
        "boot.manage",
        Kind::Bool,
        "",
        "false",
        "true",
        "Put zswap on the kernel command line and its modules into the initramfs.",
    ),
    key(
        "boot.kernel_args",
        Kind::List(Shape::KernelArgument),
        "",
        "none",
        "[\"transparent_hugepage=madvise\"]",
        "Further arguments for the kernel command line, one a string.",
    ),
    key(
        "boot.psi",
        Kind::Bool,
        "",
        "false",
        "true",
        "Have pressure stall information, by psi=1 where the kernel has it switched off.",
    ),
    key("boot.cgroup_v2", Kind::Bool, "", "false", "true", "Have the unified cgroup hierarchy (v2)."),
    key(
        "mglru.min_ttl",
        Kind::Duration { min_ms: 0, max_ms: 60_000 },
        "ms",
        "as the kernel has it",
        "\"1000ms\"",
        "Keep the pages used within this time, or kill the largest process rather than thrash.",
    ),
    key(
        "memory.at_least",
        Kind::Size { min_mib: 64, vars: &[] },
        "bytes",
        "unknown",
        "\"10500MiB\"",
        "The least RAM (MemTotal) that the profile is made for; validate proves the memory arithmetic against it.",
    ),
    key(
        "memory.reserve",
        Kind::Size { min_mib: 0, vars: HOST },
        "bytes",
        "0",
        "\"1536MiB\"",
        "Kept for the system, the page cache and the zswap pool: limits and reserve together must fit the RAM.",
    ),
    key(
        "services.*.image",
        Kind::Text(Shape::Image),
        "",
        "none",
        "\"postgres:17@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\"",
        "The image: NAME[:TAG]@sha256:DIGEST from a registry, sha256:ID on the host, or civicum/NAME, made here.",
    ),
    key(
        "services.*.publish",
        Kind::List(Shape::Publish),
        "",
        "no port",
        "[\"8080:80\", \"127.0.0.1:53:53/udp\"]",
        "Ports that the host opens: PORT, HOSTPORT:PORT or ADDRESS:HOSTPORT:PORT, with /udp behind it where it is not TCP.",
    ),
    key(
        "services.*.memory",
        Kind::Size { min_mib: 6, vars: HOST },
        "bytes",
        "no limit",
        "\"6500MiB\"",
        "Hard limit; beyond it the kernel kills inside the container (memory.max).",
    ),
    key(
        "services.*.memory_reservation",
        Kind::Size { min_mib: 0, vars: SERVICE },
        "bytes",
        "none",
        "\"memory / 2\"",
        "What the kernel tries to leave the container under pressure (memory.low); no guarantee.",
    ),
    key(
        "services.*.memory_swap",
        Kind::Size { min_mib: 6, vars: SERVICE },
        "bytes",
        "twice the memory, as the engine has it",
        "\"memory + 1GiB\"",
        "Memory and swap together. Equal to memory means neither swap nor zswap for this container.",
    ),
    key(
        "services.*.cpus",
        Kind::Count { min: 0.01, max: 4096.0 },
        "CPUs",
        "no ceiling",
        "\"max(1, cores - 1)\"",
        "Ceiling in CPUs (cpu.max).",
    ),
    key(
        "services.*.cpu_weight",
        Kind::Integer { min: 1, max: 10_000 },
        "",
        "100",
        "200",
        "Share of the CPUs when they are scarce (cpu.weight).",
    ),
    key(
        "services.*.oom_score_adj",
        Kind::Integer { min: -1000, max: 1000 },
        "",
        "0",
        "-500",
        "Who dies first when the whole host runs out of memory: higher dies sooner.",
    ),
    key(
        "services.*.pids",
        Kind::Integer { min: 1, max: 4_194_304 },
        "processes",
        "no limit",
        "256",
        "Most processes and threads (pids.max).",
    ),
    key(
        "services.*.role",
        Kind::Choice(&["postgres", "ollama", "llama-server", "worker", "api", "proxy", "plain"]),
        "",
        "the one of this name; llm is ollama; else plain",
        "\"llama-server\"",
        "What the service is: command, user, health check, volumes and needs follow from it where they are not written.",
    ),
    key(
        "services.*.command",
        Kind::List(Shape::Argument),
        "",
        "the role's, else the image's",
        "[\"llama-server\", \"--model\", \"/models/model.gguf\"]",
        "The arguments that the container is started with, one a string; no shell reads them.",
    ),
    key(
        "services.*.model",
        Kind::Text(Shape::ModelPath),
        "",
        "none",
        "\"/srv/models/model.gguf\"",
        "The GGUF file on the host: mounted read-only for a llama-server, and its needs checked against the limit.",
    ),
    key(
        "services.*.context",
        Kind::Integer { min: 128, max: 1_048_576 },
        "tokens",
        "4096",
        "8192",
        "The context of one request, for a model's server.",
    ),
    key(
        "services.*.parallel",
        Kind::Integer { min: 1, max: 64 },
        "requests",
        "1",
        "2",
        "Requests that a model's server takes at a time; each has a context of its own.",
    ),
    key(
        "services.*.threads",
        Kind::Count { min: 1.0, max: 1024.0 },
        "threads",
        "as the server has it",
        "\"max(1, cores - 1)\"",
        "Threads that a model calculates with, rounded down: a llama-server gets them when it starts, Ollama with each question of the worker.",
    ),
    key(
        "services.*.user",
        Kind::Text(Shape::User),
        "",
        "the role's, else 65534:65534",
        "\"999:999\"",
        "The user and group that the container runs as, in numbers: UID:GID.",
    ),
    key(
        "services.*.needs",
        Kind::List(Shape::ServiceName),
        "",
        "the role's",
        "[\"postgres\"]",
        "Services that must be healthy before this one is started.",
    ),
    key(
        "services.*.volumes",
        Kind::List(Shape::Volume),
        "",
        "the role's",
        "[\"data:/var/lib/postgresql/data\", \"/srv/models:/models:ro\"]",
        "Volumes of the engine (NAME:PATH) and folders of the host (/FOLDER:PATH), with :ro behind those that are only read.",
    ),
    key(
        "services.*.tmpfs",
        Kind::List(Shape::Tmpfs),
        "",
        "/tmp, and the role's",
        "[\"/tmp:64MiB\", \"/run/postgresql\"]",
        "Folders in memory, which count against the limit: PATH or PATH:SIZE; 64MiB where none is written.",
    ),
    key(
        "services.*.writable",
        Kind::Bool,
        "",
        "false",
        "true",
        "Whether the container may write to its own root file system.",
    ),
    key(
        "services.*.capabilities",
        Kind::List(Shape::Capability),
        "",
        "none",
        "[\"NET_BIND_SERVICE\"]",
        "Capabilities that the container keeps; all others are dropped.",
    ),
    key(
        "services.*.health",
        Kind::List(Shape::Argument),
        "",
        "the role's, else the image's",
        "[\"pg_isready\", \"-U\", \"civicum\"]",
        "The command that ends with 0 when the service works, run inside the container; an empty list means none.",
    ),
    key(
        "services.*.restart",
        Kind::Choice(&["unless-stopped", "always", "on-failure", "no"]),
        "",
        "unless-stopped",
        "\"on-failure\"",
        "When the engine starts the container again by itself.",
    ),
    key(
        "services.*.stop_timeout",
        Kind::Duration { min_ms: 0, max_ms: 600_000 },
        "ms",
        "the role's, else 10 s",
        "\"60s\"",
        "How long the service may take to stop before it is killed, in whole seconds.",
    ),
    key(
        "services.*.shm_size",
        Kind::Size { min_mib: 1, vars: SERVICE },
        "bytes",
        "64MiB",
        "\"128MiB\"",
        "The size of /dev/shm; what is in it counts against the limit.",
    ),
    key(
        "services.*.nofile",
        Kind::Integer { min: 64, max: 1_048_576 },
        "files",
        "as the engine has it",
        "16384",
        "Most open files of a process (RLIMIT_NOFILE).",
    ),
    key(
        "services.*.memlock",
        Kind::Bool,
        "",
        "false",
        "true",
        "Whether the service may lock its memory without limit (RLIMIT_MEMLOCK), as a model with mlock does.",
    ),
    key(
        "services.*.secrets",
        Kind::List(Shape::ServiceName),
        "",
        "the role's",
        "[\"api-token\"]",
        "Secrets that deploy makes once, of 32 random bytes, and that the container finds in /run/secrets/NAME.",
    ),
    key(
        "services.*.settings.*",
        Kind::Scalar(Shape::EnvironmentValue),
        "",
        "as the server has it",
        "\"256MB\"",
        "A setting of the PostgreSQL server, passed as -c NAME=VALUE.",
    ),
    key(
        "services.*.environment.*",
        Kind::Scalar(Shape::EnvironmentValue),
        "",
        "not set",
        "\"1\"",
        "An environment variable of the container.",
    ),
    key(
        "deployment.name",
        Kind::Text(Shape::ServiceName),
        "",
        "civicum",
        "\"civicum\"",
        "What the names of containers, networks and volumes begin with; two deployments on one engine need two names.",
    ),
    key(
        "deployment.deadline",
        Kind::Duration { min_ms: 1000, max_ms: 3_600_000 },
        "ms",
        "5 min",
        "\"10min\"",
        "How long deploy waits for a service to become healthy before it takes the change back.",
    ),
    key("sovereignty.egress", Kind::Bool, "", "false", "false", "Whether containers may reach the outside."),
    key(
        "sovereignty.publish_address",
        Kind::Text(Shape::Address),
        "",
        "127.0.0.1",
        "\"127.0.0.1\"",
        "The host's address that published ports bind to where they name none.",
    ),
    key(
        "sovereignty.public",
        Kind::List(Shape::ServiceName),
        "",
        "none",
        "[\"proxy\"]",
        "Services whose published ports may be open to the outside, on purpose.",
    ),
    key(
        "waivers.*.reason",
        Kind::Text(Shape::Line),
        "",
        "a waiver needs one",
        "\"the provider's image needs it\"",
        "Why a finding of `doctor` is accepted; the section is named after the check, as in [waivers.CT-ZRAM-001].",
    ),
    key(
        "waivers.*.until",
        Kind::Date,
        "",
        "a waiver needs one",
        "\"2027-03-31\"",
        "The last day on which the finding is accepted; from then on the waiver itself is a finding.",
    ),
];

/// The shapes of names that the user chooses, by the path that they end.
pub const NAMES: [(&str, Shape); 5] = [
    ("services.*", Shape::ServiceName),
    ("services.*.settings.*", Shape::SettingName),
    ("services.*.environment.*", Shape::EnvironmentName),
    ("sysctl.*", Shape::SysctlKey),
    ("waivers.*", Shape::CheckId),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_everything_about_every_key() {
        for (i, key) in KEYS.iter().enumerate() {
            assert!(!KEYS[..i].iter().any(|k| k.path == key.path), "{} is there twice", key.path);
            assert!(key.doc.ends_with('.') && key.doc.len() < 200, "{}: {}", key.path, key.doc);
            assert!(!key.default.is_empty() && !key.example.is_empty(), "{}", key.path);
        }
    }
}
