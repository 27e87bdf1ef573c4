//! The worker on a real PostgreSQL server, reading real documents with the tools that a host has.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

#[path = "support/database.rs"]
mod database;
#[path = "support/stage.rs"]
#[allow(dead_code)]
mod stage;

use std::path::Path;
use std::time::{Duration, Instant};

use civicum_tune::queue::{Queued, Reviewed, Verdict};
use nix::sys::signal::Signal;
use serde_json::Value;
use stage::{TEXT, children, long, pdf, worker_test};

#[test]
fn what_can_be_read_is_done_and_what_cannot_says_why() {
    worker_test("reads", async |stage| {
        let good = stage.enqueue("carta.pdf", &pdf(3, TEXT)).await;
        let bad = [
            (stage.enqueue("empty.pdf", b"").await, "empty"),
            (stage.enqueue("text.pdf", b"Estimados vecinos").await, "not_a_document"),
            (stage.enqueue("broken.pdf", b"%PDF-1.4\n%%EOF").await, "damaged"),
            (stage.enqueue("many.pdf", &pdf(300, "x")).await, "too_many_pages"),
        ];
        let mut worker = stage.worker(&["--until-empty"]);
        assert!(worker.0.wait().unwrap().success());
        let document = stage.document(good).await;
        assert_eq!((document.state.as_str(), document.attempt), ("done", Some(1)), "{document:?}");
        let result = stage.result(good).await;
        assert_eq!(
            (&result["schema"], result["pages"].as_array().unwrap().len()),
            (&"civicum-tune/ocr/1".into(), 3)
        );
        assert!(result["text"].as_str().unwrap().contains("su solicitud fue acogida"), "{result}");
        assert_eq!(
            (&result["ruts"][0]["rut"], &result["ruts"][0]["valid"]),
            (&"12345678-5".into(), &true.into())
        );
        for (id, code) in bad {
            let document = stage.document(id).await;
            let why = document.last_error.clone().unwrap_or_default();
            assert!(
                document.state == "failed" && why.starts_with(code) && document.attempt == Some(1),
                "{document:?}"
            );
        }
        let log = stage.log();
        for secret in ["municipalidad", "12.345.678", "12345678", "carta.pdf"] {
            assert!(!log.contains(secret), "the log tells {secret}: {log}");
        }
        assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
    });
}

#[test]
fn a_worker_that_is_killed_loses_nothing_and_one_that_is_asked_to_stop_gives_back() {
    worker_test("killed", async |stage| {
        let wait =
            "select greatest(0, 10 - extract(epoch from now() - pg_postmaster_start_time()))::bigint + 1";
        tokio::time::sleep(Duration::from_secs(stage.place.one(wait).await.unsigned_abs())).await;
        let slow = ["--ocr-option", "--text-layer=never"];
        let id = stage.enqueue("largo.pdf", &long(12)).await;
        let first = stage.worker(&slow);
        stage.until(id, &["reading"]).await;
        let second = stage.worker(&[&slow[..], &["--grace", "0s"]].concat());
        tokio::time::sleep(Duration::from_secs(2)).await;
        let reader = children(first.0.id());
        // Its tools, too: they would read on for minutes.
        let begun = Instant::now();
        let tools = loop {
            let tools: Vec<u32> = reader.iter().flat_map(|reader| children(*reader)).collect();
            if !tools.is_empty() || begun.elapsed() > Duration::from_secs(10) {
                break tools;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        assert!(!tools.is_empty(), "the reader ran no tool");
        let reader = [reader, tools].concat();
        first.signal(Signal::SIGKILL);
        let begun = Instant::now();
        loop {
            let document = stage.document(id).await;
            if document.state == "queued" || document.attempt == Some(2) {
                assert_eq!(document.crashes, Some(1));
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{document:?}\n{}", stage.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        eprintln!("back in the queue {} ms after kill -9", begun.elapsed().as_millis());
        assert!(!reader.is_empty(), "there was no reader");
        for pid in reader {
            // Nobody may have asked for its end yet: a zombie reads nothing.
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            assert!(
                status.is_empty() || status.contains("State:\tZ"),
                "the reader outlived its worker: {status}"
            );
        }
        stage.until(id, &["reading"]).await;
        let mut second = second;
        second.signal(Signal::SIGTERM);
        assert!(second.0.wait().unwrap().success());
        let document = stage.document(id).await;
        assert_eq!(
            (document.state.as_str(), document.attempt),
            ("queued", Some(1)),
            "a release costs no attempt"
        );
        // With time to spare it ends what it has.
        let small = stage.enqueue("corto.pdf", &long(1)).await;
        stage
            .place
            .session()
            .await
            .client
            .execute("update civicum.job set priority = 9 where document_id = $1", &[&small])
            .await
            .unwrap();
        let mut third = stage.worker(&slow);
        stage.until(small, &["reading"]).await;
        third.signal(Signal::SIGTERM);
        assert!(third.0.wait().unwrap().success());
        assert_eq!(stage.document(small).await.state, "done", "{}", stage.log());
        assert_eq!(stage.document(id).await.state, "queued");
    });
}

#[test]
fn cancel_pause_and_a_database_that_goes_away() {
    worker_test("cancel", async |stage| {
        let slow = ["--ocr-option", "--text-layer=never"];
        let worker = stage.worker(&slow);
        let id = stage.enqueue("largo.pdf", &long(20)).await;
        stage.until(id, &["reading"]).await;
        let begun = Instant::now();
        Queued(&stage.place.session().await.client).cancel(id).await.unwrap();
        stage.until(id, &["cancelled"]).await;
        assert!(begun.elapsed() < Duration::from_secs(3), "it took {:?}", begun.elapsed());
        // A reader that is killed tidies up nothing: its worker does.
        let left = std::fs::read_dir(stage.folder.path().join("tmp")).unwrap().count();
        assert_eq!(left, 0, "scratch files were left");
        worker.signal(Signal::SIGUSR1);
        tokio::time::sleep(Duration::from_millis(300)).await;
        let small = stage.enqueue("corto.pdf", &long(2)).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(stage.document(small).await.state, "queued", "it claimed while it was paused");
        worker.signal(Signal::SIGUSR2);
        stage.until(small, &["reading"]).await;
        // All its sessions are cut in the middle; it goes on, and stores what it read.
        let cut = "select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
        assert!(stage.place.one(cut).await >= 3);
        let document = stage.until(small, &["done"]).await;
        assert_eq!(document.crashes, Some(0), "{}", stage.log());
        assert_eq!(stage.place.one("select count(*) from civicum.result").await, 1);
    });
}

#[test]
fn what_was_kept_long_enough_goes_and_nothing_else() {
    worker_test("retention", async |stage| {
        let pdf = |text: &str| [&long(1)[..], format!("%{text}").as_bytes()].concat();
        // Accepted and old; accepted lately; the same file as the first, not reviewed; old, failed and not looked at.
        let first = pdf("first");
        let ids = [
            stage.enqueue("uno.pdf", &first).await,
            stage.enqueue("dos.pdf", &pdf("second")).await,
            stage.enqueue("tres.pdf", &first).await,
            stage.enqueue("cuatro.pdf", b"%PDF-1.4 nothing").await,
            stage.enqueue("cinco.pdf", &pdf("fifth")).await,
        ];
        let mut worker = stage.worker(&["--until-empty"]);
        assert!(worker.0.wait().unwrap().success(), "{}", stage.log());
        let session = stage.place.session().await;
        let queued = Queued(&session.client);
        for id in [ids[0], ids[1], ids[4]] {
            assert_eq!(
                queued.review(id, Verdict::Accepted, "Ana", Some("visto")).await.unwrap(),
                Reviewed::Taken
            );
        }
        assert_eq!(
            queued.review(ids[3], Verdict::Accepted, "Ana", None).await.unwrap(),
            Reviewed::Not("failed".to_owned())
        );
        let older = |days: i32, ids: Vec<i64>| {
            let client = &session.client;
            async move {
                let days = f64::from(days);
                for sql in [
                    "update civicum.document set submitted_at = submitted_at - $1 * interval '1 day', ended_at = ended_at - $1 * interval '1 day' where id = any($2)",
                    "update civicum.job_archive set finished_at = finished_at - $1 * interval '1 day' where document_id = any($2)",
                    "update civicum.review set made_at = made_at - $1 * interval '1 day' where document_id = any($2)",
                ] {
                    client.execute(sql, &[&days, &ids]).await.unwrap();
                }
            }
        };
        older(40, vec![ids[0], ids[2], ids[3], ids[4]]).await;
        let files = |folder: &Path| -> usize {
            let folders = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            folders.filter(|path| path.is_dir()).map(|path| std::fs::read_dir(path).unwrap().count()).sum()
        };
        // Four files came in, four results out.
        assert_eq!(files(stage.folder.path()), 8);
        let round = async |keep: &[&str]| {
            let worker = stage.worker(keep);
            tokio::time::sleep(Duration::from_secs(3)).await;
            worker.signal(Signal::SIGTERM);
            let mut worker = worker;
            assert!(worker.0.wait().unwrap().success());
        };
        // Without a word nothing goes, and by itself nothing unreviewed does.
        round(&[]).await;
        assert_eq!(
            stage.place.one("select count(*) from civicum.document where deleted_at is not null").await,
            0
        );
        round(&["--keep-reviewed", "30"]).await;
        for (id, state) in ids.iter().zip(["deleted", "accepted", "done", "failed", "deleted"]) {
            let document = stage.document(*id).await;
            assert_eq!(document.state, state, "{document:?}");
            assert_eq!(document.name.is_empty(), state == "deleted");
        }
        // The files are young yet.
        assert_eq!(files(stage.folder.path()), 8);
        let folders = std::fs::read_dir(stage.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        for folder in folders.filter(|path| path.is_dir()) {
            for file in std::fs::read_dir(folder).unwrap() {
                let file = std::fs::File::options().write(true).open(file.unwrap().path()).unwrap();
                file.set_modified(std::time::SystemTime::now() - Duration::from_secs(7200)).unwrap();
            }
        }
        session.client.execute("update civicum.trash set since = now()", &[]).await.unwrap();
        // Somebody sends the fifth again: it stays, whatever was decided of the one before.
        let again = stage.enqueue("otra.pdf", &pdf("fifth")).await;
        session
            .client
            .execute("update civicum.job set run_at = now() + interval '1 hour'", &[])
            .await
            .unwrap();
        round(&["--keep-reviewed", "30"]).await;
        // The first file is the third document's too; of the fifth the result alone goes.
        assert_eq!(files(stage.folder.path()), 6, "{}", stage.log());
        stage.result(ids[2]).await;
        // Who wants what nobody looked at gone is told so, before and after.
        round(&["--keep-reviewed", "30", "--keep-unreviewed", "45"]).await;
        // The worker has ended; as long as one lives it counts.
        session.client.execute("update civicum.worker set lost_at = null", &[]).await.unwrap();
        let stats = queued.review_stats().await.unwrap();
        assert_eq!(
            (stats.soon_deleted, stats.deleted, stats.deleted_unreviewed, stats.waiting),
            (2, 2, 0, 1),
            "{stats:?}"
        );
        round(&["--keep-unreviewed", "35"]).await;
        let stats = queued.review_stats().await.unwrap();
        assert_eq!((stats.deleted, stats.deleted_unreviewed, stats.failed), (4, 2, 0), "{stats:?}");
        assert_eq!(stage.log().matches("nobody reviewed").count(), 2, "{}", stage.log());
        assert_eq!(queued.retry(Some(ids[3])).await.unwrap(), 0, "what is deleted is not read again");
        // What is not there any more ends as that.
        session.client.execute("update civicum.job set run_at = now()", &[]).await.unwrap();
        let sum = stage.document(again).await.sha256;
        std::fs::remove_file(stage.folder.path().join(&sum[..2]).join(&sum)).unwrap();
        let worker = stage.worker(&[]);
        let document = stage.until(again, &["failed"]).await;
        assert!(document.last_error.as_deref().unwrap().starts_with("gone:"), "{document:?}");
        drop(worker);
    });
}
