//! What a worker does with jobs: claim, beat, finish, give back, and take in what others lost.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::database::{Database, LOCKS, Session};
use super::error::QueueError;
use super::store::Stored;
use crate::t;

/// How long a claim holds without a heartbeat. Four heartbeats fit in.
const LEASE: Duration = Duration::from_secs(60);

/// A worker's sessions with the queue. Claims and heartbeats commit asynchronously on one of their own: a claim that a crash loses is
/// a waiting job again, and no heartbeat waits behind what takes long. What finishes, fails or gives back commits on the other, and is on
/// the disk when it is told.
pub struct Queue {
    claims: Client,
    pub(super) work: Client,
    /// By how many it takes at most.
    claim: RefCell<HashMap<i64, Statement>>,
    finish: Statement,
    beat: Statement,
    reap: Statement,
    pub(super) worker: i32,
}

/// A job that is ours, until its lease ends or somebody takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Job.
    pub job: i64,
    /// What this claim is known by.
    pub fence: i32,
    /// Document.
    pub document: i64,
    /// Which attempt this is, from 1.
    pub attempt: i32,
    /// How often it killed its worker before.
    pub crashes: i32,
}

/// A job in work, as a heartbeat tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Job.
    pub job: i64,
    /// The number of the claim.
    pub fence: i32,
    /// Pages or parts that are done.
    pub done: i32,
    /// Of so many; 0: not known yet.
    pub total: i32,
}

/// Jobs that wait and are due; more than 1000 are told as 1000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// To be read.
    pub ocr: i64,
    /// To be extracted from.
    pub extract: i64,
}

/// What a stage made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The result's file.
    pub file: Stored,
    /// Findings in it.
    pub findings: i32,
    /// The stage that comes next.
    pub next: Option<&'static str>,
}

/// What became of a job that was given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It waits for its next attempt.
    Pending,
    /// It had all its attempts, or can't succeed.
    Dead,
    /// It killed too often.
    Quarantined,
    /// Somebody had asked for that.
    Cancelled,
    /// It was not ours any more.
    Lost,
}

impl Became {
    fn of(word: &str) -> Self {
        match word {
            "pending" => Self::Pending,
            "quarantined" => Self::Quarantined,
            "cancelled" => Self::Cancelled,
            _ => Self::Dead,
        }
    }
}

/// The session whose end says that the worker has ended; it also hears what is told.
pub async fn listen(database: &Database, worker: i32) -> Result<Session, QueueError> {
    let failed = |error| QueueError::of(t!("the queue can't be listened to"), &error);
    let session = database.connect().await?;
    let row = session
        .client
        .query_one("select pg_try_advisory_lock($1, $2)", &[&LOCKS, &worker])
        .await
        .map_err(failed)?;
    if !row.get::<_, bool>(0) {
        // Our last session is not gone yet, as far as the server knows.
        let mut error = QueueError::new(
            t!("the queue can't be listened to"),
            t!("the session before still holds its lock"),
        );
        error.passing = true;
        return Err(error);
    }
    // Where the network was away, somebody took our end for granted: it was none, and is not counted.
    let lives = format!(
        "update civicum.worker set held_at = now() where id = {worker}; \
         update civicum.job set crashes = crashes - 1, lost_by = null where lost_by = {worker} and crashes > 0; \
         listen civicum_job; listen civicum_cancel"
    );
    session.client.batch_execute(&lives).await.map_err(failed)?;
    Ok(session)
}

/// Writes the worker down; gives its id.
pub async fn register(database: &Database, name: &str) -> Result<i32, QueueError> {
    let failed = |error| QueueError::of(t!("the worker can't be written down"), &error);
    let session = database.connect().await?;
    // Those that are gone and hold nothing.
    let gone = "delete from civicum.worker w where w.lost_at < now() - interval '1 day' \
                and not exists (select from civicum.job j where j.worker_id = w.id)";
    session.client.execute(gone, &[]).await.map_err(failed)?;
    let made = "insert into civicum.worker (name) values ($1) returning id";
    let row = session.client.query_one(made, &[&name]).await.map_err(failed)?;
    Ok(row.get(0))
}

impl Queue {
    /// Opens both sessions.
    pub async fn open(database: &Database, worker: i32) -> Result<Self, QueueError> {
        let failed = |error| QueueError::of(t!("the queue can't be used"), &error);
        let (claims, work) = (database.connect().await?.client, database.connect().await?.client);
        claims.batch_execute("set synchronous_commit = off").await.map_err(failed)?;
        let claim = RefCell::default();
        let finish = work.prepare(include_str!("sql/finish.sql")).await.map_err(failed)?;
        let beat = claims.prepare(include_str!("sql/beat.sql")).await.map_err(failed)?;
        let reap = work.prepare(include_str!("sql/reap.sql")).await.map_err(failed)?;
        Ok(Self { claims, work, claim, finish, beat, reap, worker })
    }

    /// Takes up to `most` jobs that are due, the most urgent first; each may take `deadline` at most.
    pub async fn claim(&self, queue: &str, most: i64, deadline: Duration) -> Result<Vec<Claim>, QueueError> {
        let failed = |error| QueueError::of(t!("no job can be claimed"), &error);
        let known = self.claim.borrow().get(&most).cloned();
        let statement = if let Some(statement) = known {
            statement
        } else {
            let sql = include_str!("sql/claim.sql").replace("limit MOST", &format!("limit {most}"));
            let statement = self.claims.prepare(&sql).await.map_err(failed)?;
            self.claim.borrow_mut().insert(most, statement.clone());
            statement
        };
        let (lease, deadline) = (ms(LEASE), ms(deadline));
        let parameters: [&(dyn ToSql + Sync); 4] = [&queue, &self.worker, &lease, &deadline];
        let rows = self.claims.query(&statement, &parameters).await.map_err(failed)?;
        Ok(rows.iter().map(claimed).collect())
    }

    /// For measurements: claims wait for the disk as everything else does.
    pub async fn commit_claims_synchronously(&self) -> Result<(), QueueError> {
        let done = self.claims.batch_execute("set synchronous_commit = on").await;
        done.map_err(|error| QueueError::of(t!("the queue can't be used"), &error))
    }

    /// How long until the next job is due; `None` where none waits.
    pub async fn next_due(&self, queue: &str) -> Result<Option<Duration>, QueueError> {
        let sql = "select extract(epoch from min(run_at) - now())::float8 from civicum.job \
                   where status = 'pending' and queue = $1";
        let row = self.claims.query_one(sql, &[&queue]).await;
        let row = row.map_err(|error| QueueError::of(t!("the queue can't be read"), &error))?;
        Ok(row.get::<_, Option<f64>>(0).map(|seconds| Duration::from_secs_f64(seconds.clamp(0.0, 86_400.0))))
    }

    /// Renews the leases of all that is held, and says how far each is. Gives those that are still ours, and whether somebody
    /// wants them cancelled.
    pub async fn beat(&self, held: &[Held]) -> Result<Vec<(i64, bool)>, QueueError> {
        let jobs: Vec<i64> = held.iter().map(|held| held.job).collect();
        let fences: Vec<i32> = held.iter().map(|held| held.fence).collect();
        let done: Vec<i32> = held.iter().map(|held| held.done).collect();
        let total: Vec<i32> = held.iter().map(|held| held.total).collect();
        let rows = self.claims.query(&self.beat, &[&jobs, &fences, &done, &total, &ms(LEASE)]).await;
        let rows = rows.map_err(|error| QueueError::of(t!("the leases can't be renewed"), &error))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Stores what was made and brings the document to its next stage; `false` where the claim was not the newest any more,
    /// and nothing was stored.
    pub async fn finish(&self, claim: &Claim, made: &Made) -> Result<bool, QueueError> {
        let bytes = i64::try_from(made.file.bytes).unwrap_or(i64::MAX);
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&claim.job, &claim.fence, &made.file.sha256, &bytes, &made.findings, &made.next];
        let row = self.work.query_one(&self.finish, &parameters).await;
        let row = row.map_err(|error| QueueError::of(t!("the result can't be stored"), &error))?;
        Ok(row.get::<_, i64>(0) == 1)
    }

    /// Gives a job back that did not succeed. `again`: another attempt may; `crash`: it killed the process that read it.
    pub async fn give_back(
        &self,
        claim: &Claim,
        why: &str,
        again: bool,
        crash: bool,
    ) -> Result<Became, QueueError> {
        let (jobs, fences) = (vec![claim.job], vec![claim.fence]);
        let sql = "select became from civicum.give_back($1, $2, $3, $4, $5)";
        let rows = self.work.query(sql, &[&jobs, &fences, &why, &again, &crash]).await;
        let rows = rows.map_err(|error| QueueError::of(t!("the job can't be given back"), &error))?;
        Ok(rows.first().map_or(Became::Lost, |row| Became::of(row.get(0))))
    }

    /// Gives jobs back that were only begun, to be due again after `wait`: the attempt does not count.
    pub async fn release(
        &self,
        claims: &[Claim],
        wait: Duration,
        why: Option<&str>,
    ) -> Result<(), QueueError> {
        let jobs: Vec<i64> = claims.iter().map(|claim| claim.job).collect();
        let fences: Vec<i32> = claims.iter().map(|claim| claim.fence).collect();
        let failed = |error| QueueError::of(t!("the jobs can't be given back"), &error);
        let release = include_str!("sql/release.sql");
        self.work.query(release, &[&jobs, &fences, &ms(wait), &why]).await.map_err(failed)?;
        // What stayed is to be cancelled.
        let rest = "select became from civicum.give_back($1, $2, 'it was cancelled', false, false)";
        self.work.query(rest, &[&jobs, &fences]).await.map(drop).map_err(failed)
    }

    /// How many jobs of each stage wait and are due, up to 1000.
    pub async fn waiting(&self) -> Result<Waiting, QueueError> {
        let sql = "select (select count(*) from (select from civicum.job where queue = 'ocr' and status = 'pending' \
                   and run_at <= now() limit 1000) o), (select count(*) from (select from civicum.job where queue = 'extract' \
                   and status = 'pending' and run_at <= now() limit 1000) e)";
        let row = self.work.query_one(sql, &[]).await;
        let row = row.map_err(|error| QueueError::of(t!("waiting jobs can't be counted"), &error))?;
        Ok(Waiting { ocr: row.get(0), extract: row.get(1) })
    }

    /// Takes in what other workers lost. Gives what became of each.
    pub async fn reap(&self) -> Result<Vec<(i64, Became)>, QueueError> {
        let rows = self.work.query(&self.reap, &[&LOCKS, &self.worker]).await;
        let rows = rows.map_err(|error| QueueError::of(t!("lost jobs can't be looked for"), &error))?;
        Ok(rows.iter().map(|row| (row.get(0), Became::of(row.get(1)))).collect())
    }

    /// Makes the archive's next partition, and drops those older than `days`.
    pub async fn keep_archive(&self, days: i32) -> Result<(), QueueError> {
        let failed = |error| QueueError::of(t!("the archive can't be kept in order"), &error);
        // What a program of the time before ended, while it still runs beside this one.
        self.work.query("select civicum.keep_ends()", &[]).await.map_err(failed)?;
        let drop_old = "select civicum.keep_archive($1 * interval '1 day')";
        self.work.query(drop_old, &[&f64::from(days)]).await.map(drop).map_err(failed)
    }

    /// The document's file and schema.
    pub async fn document(&self, id: i64) -> Result<(String, Option<String>), QueueError> {
        let sql = "select sha256, schema from civicum.document where id = $1";
        let row = self.work.query_one(sql, &[&id]).await;
        let row = row.map_err(|error| QueueError::of(t!("the document's row can't be read"), &error))?;
        Ok((row.get(0), row.get(1)))
    }

    /// The file of what a stage made of the document.
    pub async fn result(&self, document: i64, stage: &str) -> Result<Option<String>, QueueError> {
        let sql = "select sha256 from civicum.result where document_id = $1 and stage = $2";
        let row = self.work.query_opt(sql, &[&document, &stage]).await;
        let row = row.map_err(|error| QueueError::of(t!("the result's row can't be read"), &error))?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Has one of the sessions ended?
    pub fn is_closed(&self) -> bool {
        self.claims.is_closed() || self.work.is_closed()
    }
}

fn claimed(row: &Row) -> Claim {
    Claim {
        job: row.get(0),
        fence: row.get(1),
        document: row.get(2),
        attempt: row.get(3),
        crashes: row.get(4),
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
