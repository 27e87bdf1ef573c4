//! The images that are made on the host: a folder of files for each, part of this program.

/// One of them.
#[derive(Debug)]
pub struct Template {
    /// Its name behind `civicum/`.
    pub name: &'static str,
    /// What it begins with, where `--base` names nothing else.
    pub base: Base,
    /// Its files: name, mode, content. The first one is the Dockerfile.
    pub files: &'static [(&'static str, u32, &'static str)],
}

impl Template {
    /// Does this very program go into it?
    pub fn holds_us(&self) -> bool {
        self.name == "worker"
    }

    /// As profiles name it.
    pub fn image(&self) -> String {
        format!("civicum/{}", self.name)
    }
}

/// What images begin with: the smallest root file system of a release, made here from its packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Of this host's own distribution and release.
    Host,
    /// Of Debian's `sid`, for what no release has yet.
    Sid,
}

impl Base {
    /// The image's name.
    pub const fn image(self) -> &'static str {
        match self {
            Self::Host => "civicum/base",
            Self::Sid => "civicum/base-sid",
        }
    }
}

/// All of them.
pub const TEMPLATES: [Template; 4] = [
    Template {
        name: "llm",
        base: Base::Sid,
        files: &[("Dockerfile", 0o644, include_str!("../../templates/images/llm/Dockerfile"))],
    },
    Template {
        name: "postgres",
        base: Base::Host,
        files: &[
            ("Dockerfile", 0o644, include_str!("../../templates/images/postgres/Dockerfile")),
            ("start", 0o755, include_str!("../../templates/images/postgres/start")),
        ],
    },
    Template {
        name: "proxy",
        base: Base::Host,
        files: &[
            ("Dockerfile", 0o644, include_str!("../../templates/images/proxy/Dockerfile")),
            ("nginx.conf", 0o644, include_str!("../../templates/images/proxy/nginx.conf")),
        ],
    },
    Template {
        name: "worker",
        base: Base::Host,
        files: &[("Dockerfile", 0o644, include_str!("../../templates/images/worker/Dockerfile"))],
    },
];
