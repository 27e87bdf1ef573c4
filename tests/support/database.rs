//! A database of a test's own, on the real server that `CIVICUM_TUNE_TEST_DATABASE` names.

#[path = "must.rs"]
mod must;

use civicum_tune::queue::{Database, Session, migrate};

use must::skipped;

/// It goes when it is closed.
pub(crate) struct Place {
    server: String,
    name: String,
    pub(crate) url: String,
}

impl Place {
    /// `None` where no server is named.
    pub(crate) async fn new(name: &str) -> Option<Self> {
        let Ok(server) = std::env::var("CIVICUM_TUNE_TEST_DATABASE") else {
            skipped(
                "database",
                "CIVICUM_TUNE_TEST_DATABASE names no server (tests/postgres/start.sh FOLDER starts one)",
            );
            return None;
        };
        let name = format!("ct_{}_{name}", std::process::id());
        let session = Database::parse(&server, None).unwrap().connect().await.unwrap();
        session.client.batch_execute(&format!("create database {name}")).await.unwrap();
        let url = format!("{}/{name}", server.rsplit_once('/').unwrap().0);
        let place = Self { server, name, url };
        assert_eq!(migrate(&mut place.session().await.client).await.unwrap(), 0);
        Some(place)
    }

    pub(crate) fn database(&self) -> Database {
        Database::parse(&self.url, None).unwrap()
    }

    pub(crate) async fn session(&self) -> Session {
        self.database().connect().await.unwrap()
    }

    pub(crate) async fn one(&self, sql: &str) -> i64 {
        self.session().await.client.query_one(sql, &[]).await.unwrap().get(0)
    }

    pub(crate) async fn close(self) {
        let session = Database::parse(&self.server, None).unwrap().connect().await.unwrap();
        session.client.batch_execute(&format!("drop database {} with (force)", self.name)).await.unwrap();
    }
}
