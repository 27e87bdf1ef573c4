//! The images that are made on the host: a folder of files for each, part of this program.

/// One of them.
#[derive(Debug)]
pub struct Template {
    /// Its name behind `civicum/`.
    pub name: &'static str,
    /// Its files: name, mode, content. The first one is the Dockerfile.
    pub files: &'static [(&'static str, u32, &'static str)],
}

impl Template {
    /// As profiles name it.
    pub fn image(&self) -> String {
        format!("civicum/{}", self.name)
    }
}

/// The image that all others begin with, where the profile names no other.
pub const BASE: &str = "civicum/base";

/// All of them.
pub const TEMPLATES: [Template; 2] = [
    Template {
        name: "postgres",
        files: &[
            ("Dockerfile", 0o644, include_str!("../../templates/images/postgres/Dockerfile")),
            ("start", 0o755, include_str!("../../templates/images/postgres/start")),
        ],
    },
    Template {
        name: "proxy",
        files: &[
            ("Dockerfile", 0o644, include_str!("../../templates/images/proxy/Dockerfile")),
            ("nginx.conf", 0o644, include_str!("../../templates/images/proxy/nginx.conf")),
        ],
    },
];
