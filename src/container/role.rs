//! What a service is, and what follows from that where the profile is silent.

use crate::profile::mount::{Tmpfs, Volume};
use crate::profile::settings::Service;
use crate::units::Bytes;

/// What a service is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A PostgreSQL server.
    Postgres,
    /// An Ollama server.
    Ollama,
    /// The server of llama.cpp.
    LlamaServer,
    /// The OCR and queue worker.
    Worker,
    /// The documents' HTTP API.
    Api,
    /// The one door to the outside.
    Proxy,
    /// Anything else: only what the profile says.
    Plain,
}

/// The secret that the database and those who use it share.
pub const DATABASE_PASSWORD: &str = "postgres-password";
/// The secret that callers of the documents' API show.
pub const API_TOKEN: &str = "api-token";
/// The database's user, and its database.
pub const DATABASE_USER: &str = "civicum";

impl Role {
    /// A model's server?
    pub const fn is_model(self) -> bool {
        matches!(self, Self::Ollama | Self::LlamaServer)
    }

    /// The role that the profile names, else the one of a service of this name.
    pub fn of(name: &str, written: Option<&str>) -> Self {
        match written.unwrap_or(name) {
            "postgres" => Self::Postgres,
            "ollama" => Self::Ollama,
            "llm" if written.is_none() => Self::Ollama,
            "llama-server" => Self::LlamaServer,
            "worker" => Self::Worker,
            "api" => Self::Api,
            "proxy" => Self::Proxy,
            _ => Self::Plain,
        }
    }

    /// The image that is made here for it, where there is one.
    pub const fn template(self) -> Option<&'static str> {
        match self {
            Self::Postgres => Some("civicum/postgres"),
            Self::LlamaServer => Some("civicum/llm"),
            Self::Worker | Self::Api => Some("civicum/worker"),
            Self::Proxy => Some("civicum/proxy"),
            Self::Ollama | Self::Plain => None,
        }
    }

    /// The arguments that it is started with; none: what the image says.
    pub fn command(self, written: &Service) -> Vec<String> {
        let words: &[&str] = match self {
            Self::Postgres => &["postgres", "-c", "listen_addresses=*"],
            Self::LlamaServer => return llama_server(written),
            Self::Worker => &["civicum-tune", "worker", "--migrate"],
            Self::Api => &["civicum-tune", "api", "--migrate"],
            Self::Proxy => &["nginx", "-g", "daemon off;"],
            Self::Ollama | Self::Plain => &[],
        };
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    /// `UID:GID`. 999 is the user of the official PostgreSQL image, 33 is Debian's www-data.
    pub const fn user(self) -> &'static str {
        match self {
            Self::Postgres => "999:999",
            Self::Proxy => "33:33",
            // Its image has no folder of another user's for the models. Root without any capability is root in name only.
            Self::Ollama => "0:0",
            _ => "65534:65534",
        }
    }

    /// The command that ends with 0 when it works. Bash alone can ask a port, and is in every Debian image.
    pub fn health(self) -> Option<Vec<String>> {
        let words: &[&str] = match self {
            Self::Postgres => {
                &["pg_isready", "-q", "-h", "127.0.0.1", "-U", DATABASE_USER, "-d", DATABASE_USER]
            }
            Self::Ollama => &["ollama", "list"],
            Self::LlamaServer => return Some(http_health(8080)),
            Self::Worker => return Some(http_health(9000)),
            Self::Api => return Some(http_health(8000)),
            Self::Proxy => &["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080"],
            Self::Plain => return None,
        };
        Some(words.iter().map(|word| (*word).to_owned()).collect())
    }

    /// Variables that the profile may overrule.
    pub const fn environment(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Postgres => &[
                ("POSTGRES_USER", DATABASE_USER),
                ("POSTGRES_DB", DATABASE_USER),
                ("POSTGRES_PASSWORD_FILE", "/run/secrets/postgres-password"),
                ("POSTGRES_INITDB_ARGS", "--auth-host=scram-sha-256"),
                ("PGDATA", "/var/lib/postgresql/data/pgdata"),
            ],
            // In a container 127.0.0.1 is the container's own: nobody else could reach it.
            Self::Ollama => {
                &[("OLLAMA_HOST", "0.0.0.0:11434"), ("OLLAMA_MODELS", "/models"), ("HOME", "/tmp")]
            }
            Self::LlamaServer => &[("HOME", "/tmp")],
            Self::Worker => &[
                ("CIVICUM_TUNE_PASSWORD_FILE", "/run/secrets/postgres-password"),
                ("CIVICUM_TUNE_LISTEN", "0.0.0.0:9000"),
            ],
            Self::Api => &[
                ("CIVICUM_TUNE_PASSWORD_FILE", "/run/secrets/postgres-password"),
                ("CIVICUM_TUNE_TOKEN_FILE", "/run/secrets/api-token"),
                ("CIVICUM_TUNE_LISTEN", "0.0.0.0:8000"),
            ],
            Self::Proxy | Self::Plain => &[],
        }
    }

    /// Volumes.
    pub fn volumes(self, written: &Service) -> Vec<Volume> {
        if let (Self::LlamaServer, Some(model)) = (self, &written.model) {
            return vec![Volume { source: model.clone(), target: MODEL.to_owned(), read_only: true }];
        }
        let (source, target, read_only) = match self {
            Self::Postgres => ("postgres-data", "/var/lib/postgresql/data", false),
            Self::Ollama => ("models", "/models", false),
            Self::LlamaServer => ("models", "/models", true),
            Self::Worker | Self::Api => ("documents", "/var/lib/civicum/documents", false),
            Self::Proxy | Self::Plain => return Vec::new(),
        };
        vec![Volume { source: source.to_owned(), target: target.to_owned(), read_only }]
    }

    /// Folders in memory besides `/tmp`.
    pub fn tmpfs(self) -> Vec<Tmpfs> {
        let targets: &[&str] = match self {
            Self::Postgres => &["/run/postgresql"],
            Self::Proxy => &["/run", "/var/lib/nginx"],
            _ => &[],
        };
        // Uploads are collected here before they are handed on: three of the largest at once.
        let size = |target: &str| Bytes::mib(if target == "/var/lib/nginx" { 160 } else { 16 });
        targets.iter().map(|target| Tmpfs { target: (*target).to_owned(), size: size(target) }).collect()
    }

    /// Secrets that it finds in `/run/secrets`.
    pub const fn secrets(self) -> &'static [&'static str] {
        match self {
            Self::Postgres | Self::Worker => &[DATABASE_PASSWORD],
            Self::Api => &[API_TOKEN, DATABASE_PASSWORD],
            _ => &[],
        }
    }

    /// The roles that must work before it.
    pub const fn needs(self) -> &'static [Self] {
        match self {
            Self::Worker => &[Self::Postgres, Self::Ollama, Self::LlamaServer],
            Self::Api => &[Self::Postgres],
            Self::Proxy => &[Self::Api],
            _ => &[],
        }
    }

    /// How long it may take to stop, seconds. A database that is killed must recover; a model has nothing to lose.
    pub const fn stop_timeout(self) -> u64 {
        match self {
            Self::Postgres => 60,
            Self::Worker => 30,
            _ => 10,
        }
    }

    /// The TCP port on which the others find it, where its role tells.
    pub const fn port(self) -> Option<u16> {
        match self {
            Self::Postgres => Some(5432),
            Self::Ollama => Some(11434),
            Self::LlamaServer | Self::Proxy => Some(8080),
            Self::Worker => Some(9000),
            Self::Api => Some(8000),
            Self::Plain => None,
        }
    }

    /// The signal that stops it. PostgreSQL takes TERM as "when all have gone"; INT is its fast shutdown.
    pub const fn stop_signal(self) -> Option<&'static str> {
        match self {
            Self::Postgres => Some("SIGINT"),
            Self::Proxy => Some("SIGQUIT"),
            _ => None,
        }
    }
}

/// Where a llama-server finds its model.
pub const MODEL: &str = "/models/model.gguf";

fn llama_server(written: &Service) -> Vec<String> {
    let mut words: Vec<String> =
        ["llama-server", "--host", "0.0.0.0", "--port", "8080", "--model", MODEL].map(str::to_owned).to_vec();
    let parallel = written.parallel.unwrap_or(1);
    words.extend(["--ctx-size".to_owned(), written.tokens().to_string()]);
    words.extend(["--parallel".to_owned(), parallel.to_string()]);
    if let Some(threads) = written.threads {
        words.extend(["--threads".to_owned(), threads.to_string()]);
    }
    words
}

/// Asks for `/health`, and reads the status of the answer.
fn http_health(port: u16) -> Vec<String> {
    let script = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{port} && printf 'GET /health HTTP/1.0\\r\\n\\r\\n' >&3 && \
         read -r line <&3 && [[ $line == *' 200 '* ]]"
    );
    ["bash", "-c", &script].map(str::to_owned).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_name_or_as_written() {
        assert_eq!(Role::of("postgres", None), Role::Postgres);
        assert_eq!(Role::of("llm", None), Role::Ollama);
        assert_eq!(Role::of("llm", Some("llama-server")), Role::LlamaServer);
        assert_eq!(Role::of("postgres", Some("plain")), Role::Plain);
        assert_eq!(Role::of("vectors", None), Role::Plain);
        assert_eq!(Role::of("db", Some("postgres")), Role::Postgres);
    }
}
