//! The queue's tables: made and brought up to date, forwards only, all in one transaction.

use tokio_postgres::{Client, IsolationLevel};

use super::database::LOCKS;
use super::error::QueueError;
use crate::t;

const MIGRATIONS: [&str; 3] = [
    include_str!("sql/0001_queue.sql"),
    include_str!("sql/0002_review.sql"),
    include_str!("sql/0003_ends.sql"),
];

/// The version that this program needs.
pub const NEWEST: i32 = 3;

/// The version that the database has; 0 where it has none.
pub async fn version(client: &Client) -> Result<i32, QueueError> {
    let failed = |error| QueueError::of(t!("the queue's version can't be read"), &error);
    let there =
        client.query_one("select to_regclass('civicum.migration') is not null", &[]).await.map_err(failed)?;
    if !there.get::<_, bool>(0) {
        return Ok(0);
    }
    let row = client
        .query_one("select coalesce(max(version), 0) from civicum.migration", &[])
        .await
        .map_err(failed)?;
    Ok(row.get(0))
}

/// Brings it to [`NEWEST`]; gives the version that it had. Whoever comes second waits, and finds nothing to do.
pub async fn migrate(client: &mut Client) -> Result<i32, QueueError> {
    let failed = |error| QueueError::of(t!("the queue's tables can't be made"), &error);
    let change = client
        .build_transaction()
        .isolation_level(IsolationLevel::ReadCommitted)
        .start()
        .await
        .map_err(failed)?;
    change.query("select pg_advisory_xact_lock($1, 0)", &[&LOCKS]).await.map_err(failed)?;
    let had = version(change.client()).await?;
    if had > NEWEST {
        return Err(QueueError::new(
            t!("the queue's tables can't be used"),
            t!(
                "they are of version {had}, made by a newer civicum-tune; this one knows {newest}: use the newer program",
                had = had,
                newest = NEWEST
            ),
        ));
    }
    if had == 0 {
        change
            .batch_execute(
                "create schema if not exists civicum; create table civicum.migration \
                 (version integer primary key, made_at timestamptz not null default now())",
            )
            .await
            .map_err(failed)?;
    }
    for (version, sql) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > had) {
        change.batch_execute(sql).await.map_err(failed)?;
        change
            .execute("insert into civicum.migration (version) values ($1)", &[&version])
            .await
            .map_err(failed)?;
    }
    change.query("select civicum.keep_archive(interval '10 years')", &[]).await.map_err(failed)?;
    change.commit().await.map_err(failed)?;
    Ok(had)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_migrations_as_the_version_says() {
        assert_eq!(i32::try_from(MIGRATIONS.len()), Ok(NEWEST));
    }
}
