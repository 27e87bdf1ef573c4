//! Connections to the server.

use std::future::poll_fn;
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_postgres::config::Host as Place;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

use super::error::QueueError;
use crate::profile::outside;
use crate::t;

/// The class of the advisory locks: `ctq1` as a number. With 0 it guards migrations, with a worker's id it says that it lives.
pub const LOCKS: i32 = 0x6374_7131;

/// Where the queue is.
#[derive(Clone)]
pub struct Database {
    config: Config,
    shown: String,
}

impl Database {
    /// Reads `postgresql://USER@HOST:PORT/DATABASE`, or libpq's `host=… user=…`. A password comes from a file, and a server outside
    /// this host's own networks is refused.
    pub fn parse(url: &str, password: Option<&str>) -> Result<Self, QueueError> {
        let refused = |why: String| QueueError::new(t!("this is no database that can be used"), why);
        // The library's error may quote what it could not read, a password among it.
        let mut config: Config = url
            .parse()
            .map_err(|_| refused(t!("it is not of the form postgresql://USER@HOST:PORT/DATABASE")))?;
        if config.get_password().is_some() {
            return Err(refused(t!(
                "a password does not belong into it: everybody can read a command line; name a file with --password-file"
            )));
        }
        if let Some(stranger) = outside("PGHOST", url).into_iter().chain(abroad(&config)).next() {
            return Err(refused(t!(
                "{host} is not on this host: documents stay here; use a PostgreSQL server of your own",
                host = stranger
            )));
        }
        if config.get_hosts().is_empty() {
            return Err(refused(t!("it names no host")));
        }
        if config.get_user().is_none() {
            config.user("civicum");
        }
        if config.get_dbname().is_none() {
            config.dbname("civicum");
        }
        if let Some(password) = password {
            config.password(password.trim_end_matches(['\r', '\n']));
        }
        config
            .application_name("civicum-tune")
            .connect_timeout(Duration::from_secs(5))
            .keepalives_idle(Duration::from_secs(10))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(2)
            .tcp_user_timeout(Duration::from_secs(20))
            // No transaction of ours stays open, whatever happens to us; and the server finds out as soon as we do that the line is dead,
            // since the end of a session is what tells that a worker is gone.
            .options("-c idle_in_transaction_session_timeout=10s -c statement_timeout=60s -c search_path=pg_catalog \
                 -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=2 -c tcp_user_timeout=20s");
        let host = match config.get_hosts().first() {
            Some(Place::Tcp(host)) => host.clone(),
            Some(Place::Unix(path)) => path.display().to_string(),
            None => String::new(),
        };
        let host = if host.contains(':') { format!("[{host}]") } else { host };
        let port = config.get_ports().first().copied().unwrap_or(5432);
        let shown = format!("{host}:{port}/{}", config.get_dbname().unwrap_or(""));
        Ok(Self { config, shown })
    }

    /// Another database of the same server.
    #[must_use]
    pub fn named(&self, name: &str) -> Self {
        let mut config = self.config.clone();
        config.dbname(name);
        let host = self.shown.rsplit_once('/').map_or("", |(host, _)| host);
        Self { config, shown: format!("{host}/{name}") }
    }

    /// Host, port and database, for messages.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// Opens a session.
    pub async fn connect(&self) -> Result<Session, QueueError> {
        let action = || t!("the database {database} can't be used", database = self.shown);
        let (client, mut connection) =
            self.config.connect(NoTls).await.map_err(|error| QueueError::of(action(), &error))?;
        let (told, notices) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            // Ends with the session: then the channel closes too.
            while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notification(notice) = message {
                    let _ = told.send(notice.channel().to_owned());
                }
            }
        });
        Ok(Session { client, notices })
    }
}

/// Addresses that are public. Names without a dot and private addresses are the host's own networks.
fn abroad(config: &Config) -> Option<String> {
    let public = |address: &IpAddr| match address {
        IpAddr::V4(v4) => !(v4.is_loopback() || v4.is_private() || v4.is_link_local() || v4.is_unspecified()),
        IpAddr::V6(v6) => !(v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local()),
    };
    let named = config.get_hosts().iter().filter_map(|host| match host {
        Place::Tcp(name) => name.parse::<IpAddr>().ok(),
        Place::Unix(_) => None,
    });
    named.chain(config.get_hostaddrs().iter().copied()).find(public).map(|address| address.to_string())
}

/// One session with the server.
pub struct Session {
    /// Asks and is answered, one statement after the other.
    pub client: Client,
    /// The channels on which something was told; closed when the session has ended.
    pub notices: mpsc::UnboundedReceiver<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_where_it_is() {
        for (url, shown) in [
            ("postgresql://u@127.0.0.1:15432/x", "127.0.0.1:15432/x"),
            ("postgresql://u@postgres", "postgres:5432/civicum"),
            ("postgresql://u@[::1]/b", "[::1]:5432/b"),
            ("host=/run/postgresql user=me", "/run/postgresql:5432/civicum"),
        ] {
            let database = Database::parse(url, None).unwrap();
            assert_eq!(database.shown(), shown);
            assert!(database.named("other").shown().ends_with("/other"));
        }
    }

    #[tokio::test]
    async fn why_it_does_not_answer_and_what_to_do() {
        // A port that was free a moment ago.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let database = Database::parse(&format!("postgresql://u@127.0.0.1:{port}/x"), None).unwrap();
        let Err(error) = database.connect().await else { panic!("somebody answered") };
        let told = error.to_string();
        assert!(error.passing && told.contains(&format!("127.0.0.1:{port}/x can't be used")), "{told}");
        assert!(told.contains("nothing answers there; is PostgreSQL running"), "{told}");
    }

    #[test]
    fn only_databases_of_this_host() {
        for url in [
            "postgresql://civicum@postgres/civicum",
            "postgresql://civicum@127.0.0.1:5432",
            "host=/run/postgresql user=me",
            "postgres://10.0.0.7",
            "postgresql://a@[::1]/b",
        ] {
            assert!(Database::parse(url, None).is_ok(), "{url}");
        }
        for url in [
            "postgresql://a@ep-cool-1.us-east-2.aws.neon.tech/db",
            "postgresql://a@8.8.8.8/db",
            "host=db.example.com",
            "host=10.0.0.7 hostaddr=8.8.8.8",
            "postgresql://a@[2001:4860::1]/db",
            "postgresql://a:secret@localhost/db",
            "nonsense",
            "user=a",
            "",
        ] {
            let Err(error) = Database::parse(url, None) else { panic!("{url} was taken") };
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
