//! Figures of the queue, beside pgbench running the same SQL on the same server in the same run.
//! `tests/bench/queue/run.sh` runs it; nothing here fails for being slow.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::cast_precision_loss, missing_docs)]

use std::process::Command;
use std::time::{Duration, Instant};

use civicum_tune::queue::{Database, Made, Queue, Session, Stored, listen, migrate, register};

const LONG: Duration = Duration::from_secs(600);
const JOBS: i64 = 60_000;

struct Place {
    database: Database,
    url: String,
}

async fn place() -> Place {
    let server = std::env::var("CIVICUM_TUNE_TEST_DATABASE").unwrap();
    let session = Database::parse(&server, None).unwrap().connect().await.unwrap();
    session.client.batch_execute("drop database if exists ct_speed with (force)").await.unwrap();
    session.client.batch_execute("create database ct_speed").await.unwrap();
    let url = format!("{}/ct_speed", server.rsplit_once('/').unwrap().0);
    let database = Database::parse(&url, None).unwrap();
    migrate(&mut database.connect().await.unwrap().client).await.unwrap();
    Place { database, url }
}

async fn fill(session: &Session) {
    let sql = format!(
        "truncate civicum.job, civicum.job_archive, civicum.result, civicum.document restart identity cascade;
         insert into civicum.document (sha256, bytes, name) select repeat('0', 64), 1, 'x' from generate_series(1, {JOBS});
         insert into civicum.job (queue, document_id) select 'ocr', id from civicum.document;
         vacuum analyze civicum.job"
    );
    for part in sql.split(';') {
        session.client.batch_execute(part).await.unwrap();
    }
    session.client.batch_execute("checkpoint").await.unwrap();
}

async fn worker(database: &Database) -> (Queue, Session) {
    let id = register(database, "speed").await.unwrap();
    (Queue::open(database, id).await.unwrap(), listen(database, id).await.unwrap())
}

fn made() -> Made {
    Made { file: Stored { sha256: "1".repeat(64), bytes: 1 }, findings: 0, next: None }
}

/// The program's own SQL as pgbench wants it.
fn script(name: &str, asynchronous: bool, with_finish: bool) -> std::path::PathBuf {
    let set = |sql: &str, pairs: &[(&str, &str)]| {
        let plain: Vec<&str> = sql.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
        pairs.iter().fold(plain.join("\n"), |sql, (from, to)| sql.replace(from, to))
    };
    let claim = set(
        include_str!("../src/queue/sql/claim.sql"),
        &[("$1", "'ocr'"), ("limit MOST", "limit 1"), ("$2", "1"), ("$3", "60000"), ("$4", "600000")],
    );
    let finish = set(
        include_str!("../src/queue/sql/finish.sql"),
        &[
            ("$1", ":id"),
            ("$2", ":fence"),
            ("$3", "repeat('1', 64)"),
            ("$4", "1"),
            ("$5", "0"),
            ("$6", "null"),
        ],
    );
    let mut text = if asynchronous { "set synchronous_commit = off;\n".to_owned() } else { String::new() };
    text += &format!("{claim} \\gset\n");
    if with_finish {
        text += &format!("{finish};\n");
    }
    let path = std::env::temp_dir().join(format!("ct-speed-{name}.sql"));
    std::fs::write(&path, text).unwrap();
    path
}

/// Gives tps and the average of the claim, ms.
fn pgbench(url: &str, name: &str, with_finish: bool, clients: u32, seconds: u32) -> (f64, f64) {
    let file = script(name, false, with_finish);
    let output = Command::new("pgbench")
        .args([
            "-n",
            "-M",
            "prepared",
            "-r",
            "-T",
            &seconds.to_string(),
            "-c",
            &clients.to_string(),
            "-j",
            "2",
            "-f",
        ])
        .arg(&file)
        .arg(url)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let tps = text.lines().find_map(|line| line.strip_prefix("tps = ")).unwrap();
    let tps = tps.split_whitespace().next().unwrap().parse().unwrap();
    let claim = text.lines().find(|line| line.contains("with due")).unwrap();
    (tps, claim.split_whitespace().next().unwrap().parse().unwrap())
}

fn mean(times: &[f64]) -> f64 {
    times.iter().sum::<f64>() / times.len() as f64
}

fn percentile(times: &mut [f64], p: f64) -> f64 {
    times.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let at = ((times.len() - 1) as f64 * p) as usize;
    times[at]
}

#[test]
#[ignore = "a benchmark: tests/bench/queue/run.sh"]
fn claims_beside_pgbench() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let place = place().await;
        let session = place.database.connect().await.unwrap();
        let rounds = 3;
        let (mut ours, mut ours_sync, mut theirs, mut theirs_async) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            for asynchronous in [true, false] {
                fill(&session).await;
                let (queue, _heard) = worker(&place.database).await;
                if !asynchronous {
                    queue.commit_claims_synchronously().await.unwrap();
                }
                for _ in 0..3000 {
                    let begun = Instant::now();
                    assert_eq!(queue.claim("ocr", 1, LONG).await.unwrap().len(), 1);
                    let ms = begun.elapsed().as_secs_f64() * 1000.0;
                    if asynchronous { ours.push(ms) } else { ours_sync.push(ms) }
                }
                fill(&session).await;
                let off = if asynchronous { "off" } else { "on" };
                session
                    .client
                    .batch_execute(&format!("alter database ct_speed set synchronous_commit = {off}"))
                    .await
                    .unwrap();
                let (_, claim) = pgbench(&place.url, "claim", false, 1, 3);
                if asynchronous {
                    theirs_async.push(claim);
                } else {
                    theirs.push(claim);
                }
                session
                    .client
                    .batch_execute("alter database ct_speed reset synchronous_commit")
                    .await
                    .unwrap();
            }
        }
        // pgbench tells means alone: ours stand beside them, and then what a median says.
        let told = |times: &mut Vec<f64>, theirs: &[f64]| {
            let (ours, theirs) = (mean(times), mean(theirs));
            let (p50, p99) = (percentile(times, 0.5), percentile(times, 0.99));
            format!("ours mean {ours:.3} ms (p50 {p50:.3}, p99 {p99:.3}), pgbench's mean {theirs:.3} ms")
        };
        println!("claim, commit on disk:        {}", told(&mut ours_sync, &theirs));
        println!("claim, commit not waited for: {}", told(&mut ours, &theirs_async));
        let (mut as_it_is, mut pairs, mut bench) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            fill(&session).await;
            pairs.push(pairs_per_second(&place.database, 8, true).await);
            fill(&session).await;
            bench.push(pgbench(&place.url, "pair", true, 8, 5).0);
            fill(&session).await;
            as_it_is.push(pairs_per_second(&place.database, 8, false).await);
        }
        let median = |times: &mut Vec<f64>| percentile(times, 0.5);
        let (ours, theirs) = (median(&mut pairs), median(&mut bench));
        println!(
            "claim and finish, 8 at a time, both commits on disk: ours {ours:.0}/s, pgbench {theirs:.0}/s: {:.0} %",
            ours / theirs * 100.0
        );
        println!("the same as a worker does it, the claim's commit not waited for: {:.0}/s", median(&mut as_it_is));
    });
}

async fn pairs_per_second(database: &Database, workers: usize, all_on_disk: bool) -> f64 {
    let mut open = Vec::new();
    for _ in 0..workers {
        let one = worker(database).await;
        if all_on_disk {
            one.0.commit_claims_synchronously().await.unwrap();
        }
        open.push(one);
    }
    let until = Instant::now() + Duration::from_secs(5);
    let work = open.iter().map(|(queue, _)| async move {
        let mut done = 0u32;
        while Instant::now() < until {
            for claim in queue.claim("ocr", 1, LONG).await.unwrap() {
                assert!(queue.finish(&claim, &made()).await.unwrap());
                done += 1;
            }
        }
        done
    });
    let begun = Instant::now();
    let done: u32 = futures_util::future::join_all(work).await.iter().sum();
    f64::from(done) / begun.elapsed().as_secs_f64()
}
