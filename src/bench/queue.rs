//! The queue on this host's PostgreSQL: how long a claim takes, and how many jobs a second go through.
//!
//! In a database of its own, which is dropped at the end: jobs of others are never seen. One that a kill left behind is dropped
//! by the next measurement; it is known by its name and by a comment that tells which session made it.

use std::cell::Cell;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::{Column, Pace, Spread, Table, Told, quantile};
use crate::queue::{Database, Made, Queue, Session, Stored, migrate, register};
use crate::t;

/// What the names of its databases begin with; the process's number and eight random hex digits follow.
pub const PREFIX: &str = "civicum_bench_";
/// Jobs that are filled in for each round.
const JOBS: u32 = 20_000;
/// How long a claim would hold.
const LONG: Duration = Duration::from_secs(600);
/// Workers that take turns on the server.
const WORKERS: usize = 8;
/// How long the server has to drop the database, whatever time is left.
const DROP: Duration = Duration::from_secs(10);

/// What was found so far: it is told though the server stops answering in the middle.
#[derive(Default)]
struct Found {
    version: String,
    middle: Vec<f64>,
    slow: Vec<f64>,
    claims: Vec<f64>,
    pairs: Vec<f64>,
    notes: Vec<String>,
}

/// Measures on the server of this database.
pub fn measure(database: &Database, pace: &Pace<'_>) -> Told<(Vec<Table>, Vec<String>)> {
    super::run(async {
        let silent = || {
            t!(
                "the time was up, or somebody stopped it, before {database} had answered what a first measurement takes",
                database = database.shown()
            )
        };
        let admin = pace.bounded(database.connect()).await.ok_or_else(silent)?;
        let admin = admin.map_err(|error| error.to_string())?;
        let name = format!("{PREFIX}{}_{:08x}", std::process::id(), getrandom::u32().unwrap_or(0));
        let (mut found, made) = (Found::default(), Cell::new(false));
        let done = pace.bounded(all_of_it(database, &admin, &name, &made, pace, &mut found)).await;
        // Whatever came of it, and behind whatever this session still waits for.
        let dropped = if made.get() { drop_own(&admin, &name).await } else { Ok(()) };
        let result = match done {
            Some(Err(why)) => Err(why),
            None if found.middle.is_empty() => Err(silent()),
            _ => told(found),
        };
        match (result, dropped) {
            (Ok((tables, mut notes)), Err(why)) => {
                notes.push(why);
                Ok((tables, notes))
            }
            (Err(first), Err(why)) => Err(format!("{first}; {why}")),
            (result, Ok(())) => result,
        }
    })
}

async fn drop_own(admin: &Session, name: &str) -> Told<()> {
    let sql = format!("drop database if exists {name} with (force)");
    let dropped = tokio::time::timeout(DROP, run(admin, &sql)).await;
    let why = match dropped {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(why)) => why,
        Err(_) => t!("the server did not answer within {seconds} s", seconds = DROP.as_secs()),
    };
    Err(t!(
        "the database {name} could not be dropped: {why}; the next `bench queue` drops it, or: drop database {name}",
        name = name,
        why = why
    ))
}

async fn run(session: &Session, sql: &str) -> Told<()> {
    session.client.batch_execute(sql).await.map_err(|error| {
        error.as_db_error().map_or_else(|| error.to_string(), |error| error.message().to_owned())
    })
}

/// Databases of measurements that were killed. Only what has both a name and a comment as they are made here, and only where
/// neither anybody is connected to it nor the session lives that made it: between making a database and connecting to it, that
/// session is all there is.
async fn drop_left_behind(admin: &Session, notes: &mut Vec<String>) {
    let sql = "with named as (select d.oid, d.datname, coalesce(shobj_description(d.oid, 'pg_database'), '') as mark \
               from pg_database d where d.datname ~ '^civicum_bench_[0-9]+_[0-9a-f]{8}$' and pg_has_role(d.datdba, 'usage')) \
               select n.datname, n.mark ~ '^civicum-tune bench, session [0-9]+ since [0-9.]+$' from named n \
               where not exists (select from pg_stat_activity a where a.datname = n.datname \
               or a.pid::text = substring(n.mark from 'session ([0-9]+)') and coalesce(extract(epoch from a.backend_start)::text \
               = substring(n.mark from 'since ([0-9.]+)'), true))";
    let left = match admin.client.query(sql, &[]).await {
        Ok(left) => left,
        Err(why) => {
            notes.push(t!("what earlier measurements left behind could not be looked for: {why}", why = why));
            return;
        }
    };
    for (name, is_ours) in left.iter().map(|row| (row.get::<_, String>(0), row.get::<_, bool>(1))) {
        if !is_ours {
            notes.push(t!(
                "the database {name} has a name as they are made here, but not the comment: it stays",
                name = name
            ));
            continue;
        }
        // Not by force: who has connected meanwhile keeps it.
        notes.push(match run(admin, &format!("drop database {name}")).await {
            Ok(()) => t!("dropped the database {name}, which a killed measurement had left", name = name),
            Err(why) => t!(
                "the database {name}, which a killed measurement had left, stays: {why}",
                name = name,
                why = why
            ),
        });
    }
}

/// Makes the database and says in a comment on it which session did.
async fn make(admin: &Session, name: &str, made: &Cell<bool>) -> Told<()> {
    let session = "select format('%s since %s', pg_backend_pid(), extract(epoch from backend_start)) \
                   from pg_stat_activity where pid = pg_backend_pid()";
    let session = admin.client.query_one(session, &[]).await.map_err(|why| why.to_string())?;
    let session: String = session.get(0);
    // From here on there may be one, though its answer never comes.
    made.set(true);
    let created = run(admin, &format!("create database {name}")).await;
    made.set(created.is_ok());
    created.map_err(|why| t!("no database of its own can be made there: {why}", why = why))?;
    run(admin, &format!("comment on database {name} is 'civicum-tune bench, session {session}'")).await
}

async fn all_of_it(
    database: &Database,
    admin: &Session,
    name: &str,
    made: &Cell<bool>,
    pace: &Pace<'_>,
    found: &mut Found,
) -> Told<()> {
    drop_left_behind(admin, &mut found.notes).await;
    make(admin, name, made).await?;
    filled(&database.named(name), pace, found).await
}

async fn filled(database: &Database, pace: &Pace<'_>, found: &mut Found) -> Told<()> {
    let failed = |error: crate::queue::QueueError| error.to_string();
    pace.say(&t!("making the queue's tables"));
    let mut session = database.connect().await.map_err(failed)?;
    let version = session.client.query_one("show server_version", &[]).await;
    found.version = version.map_or_else(|_| "?".to_owned(), |row| row.get(0));
    migrate(&mut session.client).await.map_err(failed)?;
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        let id = register(database, "bench").await.map_err(failed)?;
        workers.push(Queue::open(database, id).await.map_err(failed)?);
    }
    let rounds: u32 = if pace.quick { 3 } else { 5 };
    for round in 0..rounds {
        if pace.is_over() {
            break;
        }
        pace.say(&t!("claims, round {round} of {rounds}", round = round + 1, rounds = rounds));
        let part = pace.left() / (rounds - round);
        refill(&session).await?;
        let (mut times, took) =
            claim_each(&workers[0], part.mul_f64(0.3).min(Duration::from_secs(5)), pace).await?;
        if times.is_empty() {
            break;
        }
        times.sort_by(f64::total_cmp);
        found.middle.push(quantile(&times, 0.5));
        found.slow.push(quantile(&times, 0.99));
        #[allow(clippy::cast_precision_loss)]
        found.claims.push(times.len() as f64 / took);
        refill(&session).await?;
        let rate = claim_and_finish(&workers, part.mul_f64(0.3).min(Duration::from_secs(5)), pace).await?;
        // Where the time was up before it had begun, that is no rate.
        found.pairs.extend((rate > 0.0).then_some(rate));
    }
    Ok(())
}

fn told(found: Found) -> Told<(Vec<Table>, Vec<String>)> {
    if found.middle.is_empty() {
        return Err(super::too_short());
    }
    let word = |text: &str| vec![text.to_owned()];
    let table = Table {
        name: "claims",
        title: t!("The queue, with {jobs} jobs waiting", jobs = JOBS),
        labels: vec![("what", t!("what"))],
        columns: vec![
            Column::new("p50_ms", t!("median"), "ms", 3),
            Column::new("p99_ms", t!("p99"), "ms", 3),
            Column::new("per_second", t!("a second"), "", 0),
        ],
        chart: Some("per_second"),
        rows: vec![
            (
                word("claim"),
                vec![Spread::of(&found.middle), Spread::of(&found.slow), Spread::of(&found.claims)],
            ),
            (word("claim+finish x8"), vec![None, None, Spread::of(&found.pairs)]),
        ],
    };
    let mut notes = vec![t!(
        "PostgreSQL {version}, a database of its own; claims do not wait for the disk, finishing does",
        version = found.version
    )];
    notes.extend(found.notes);
    Ok((vec![table], notes))
}

async fn refill(session: &Session) -> Told<()> {
    let sql = format!(
        "truncate civicum.job, civicum.job_archive, civicum.result, civicum.document restart identity cascade;
         insert into civicum.document (sha256, bytes, name) select repeat('0', 64), 1, 'bench' from generate_series(1, {JOBS});
         insert into civicum.job (queue, document_id) select 'ocr', id from civicum.document"
    );
    run(session, &sql).await?;
    // Neither may stand in a transaction with others.
    run(session, "vacuum analyze civicum.job").await
}

/// Each claim in ms, and how long all of them took, in seconds.
async fn claim_each(queue: &Queue, time: Duration, pace: &Pace<'_>) -> Told<(Vec<f64>, f64)> {
    let begun = Instant::now();
    let mut times = Vec::new();
    while begun.elapsed() < time && !pace.is_over() {
        let start = Instant::now();
        let claimed = queue.claim("ocr", 1, LONG).await.map_err(|error| error.to_string())?;
        if claimed.is_empty() {
            break;
        }
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    Ok((times, begun.elapsed().as_secs_f64()))
}

async fn claim_and_finish(workers: &[Queue], time: Duration, pace: &Pace<'_>) -> Told<f64> {
    let begun = Instant::now();
    let made = Made { file: Stored { sha256: "1".repeat(64), bytes: 1 }, findings: 0, next: None };
    let work = workers.iter().map(|queue| {
        let made = &made;
        async move {
            let mut done = 0u32;
            while begun.elapsed() < time && !pace.is_over() {
                let claims = queue.claim("ocr", 1, LONG).await.map_err(|error| error.to_string())?;
                let Some(claim) = claims.first() else { break };
                queue.finish(claim, made).await.map_err(|error| error.to_string())?;
                done += 1;
            }
            Ok::<u32, String>(done)
        }
    });
    let done: Told<Vec<u32>> = join_all(work).await.into_iter().collect();
    Ok(f64::from(done?.iter().sum::<u32>()) / begun.elapsed().as_secs_f64())
}
