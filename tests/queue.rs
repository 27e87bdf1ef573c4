//! The queue on a real PostgreSQL server: whoever has the claim, and nobody else, can finish; what is lost comes back.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::process::{Command, Output};
use std::time::{Duration, Instant};

#[path = "support/database.rs"]
mod database;

use database::Place;

use civicum_tune::queue::{
    Became, Claim, Enqueued, Held, Keep, Made, NEWEST, NewDocument, Queue, Queued, Reviewed, Session, Store,
    Stored, Swept, Verdict, listen, migrate, register,
};

impl Place {
    async fn worker(&self, name: &str) -> (Queue, Session) {
        let id = register(&self.database(), name).await.unwrap();
        let session = listen(&self.database(), id).await.unwrap();
        (Queue::open(&self.database(), id).await.unwrap(), session)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_civicum-tune"));
        command.args(args).env("CIVICUM_TUNE_DATABASE", &self.url).env("LC_ALL", "C.UTF-8");
        command.output().unwrap()
    }
}

fn file(of: u8) -> Stored {
    Stored { sha256: format!("{of:064x}"), bytes: 1000 }
}

async fn enqueue(session: &Session, key: Option<&str>, priority: i16) -> Enqueued {
    let new = NewDocument { file: &file(1), name: "carta.pdf", schema: None, key, priority };
    Queued(&session.client).enqueue(&new).await.unwrap()
}

const LONG: Duration = Duration::from_secs(600);

async fn claim(queue: &Queue) -> Claim {
    queue.claim("ocr", 1, LONG).await.unwrap().remove(0)
}

fn made(next: Option<&'static str>) -> Made {
    Made { file: file(2), findings: 0, next }
}

async fn state(session: &Session, id: i64) -> String {
    Queued(&session.client).documents(Some(id), None, 1).await.unwrap().remove(0).state
}

macro_rules! queue_test {
    ($name:ident, $place:ident, $body:block) => {
        #[test]
        fn $name() {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let Some($place) = Place::new(stringify!($name)).await else { return };
                $body
                $place.close().await;
            });
        }
    };
}

queue_test!(a_database_that_is_not_there, place, {
    let Err(error) = place.database().named("nowhere").connect().await else { panic!("it is there") };
    assert!(!error.passing, "{error}");
    assert!(error.to_string().contains("/nowhere can't be used: the server has no such database"), "{error}");
});

queue_test!(a_document_goes_through_both_stages, place, {
    let session = place.session().await;
    let (queue, mut heard) = place.worker("a").await;
    let document = enqueue(&session, None, 0).await;
    assert!(document.is_new);
    assert_eq!(
        tokio::time::timeout(Duration::from_secs(2), heard.notices.recv()).await.unwrap().as_deref(),
        Some("civicum_job")
    );
    assert_eq!(state(&session, document.id).await, "queued");
    let first = claim(&queue).await;
    assert_eq!((first.document, first.attempt), (document.id, 1));
    assert!(queue.claim("ocr", 5, LONG).await.unwrap().is_empty(), "it was claimed twice");
    let held = [Held { job: first.job, fence: first.fence, done: 3, total: 12 }];
    assert_eq!(queue.beat(&held).await.unwrap(), [(first.job, false)]);
    let seen =
        Queued(&session.client).documents(Some(document.id), Some("reading"), 1).await.unwrap().remove(0);
    assert_eq!(seen.progress, (3, 12));
    assert!(queue.finish(&first, &made(Some("extract"))).await.unwrap());
    assert_eq!(state(&session, document.id).await, "read");
    let second = queue.claim("extract", 1, LONG).await.unwrap().remove(0);
    assert!(queue.finish(&second, &made(None)).await.unwrap());
    assert_eq!(state(&session, document.id).await, "done");
    let stages = Queued(&session.client).results(document.id).await.unwrap();
    assert_eq!(stages.iter().map(|(stage, _)| stage.as_str()).collect::<Vec<_>>(), ["ocr", "extract"]);
    assert_eq!(place.one("select count(*) from civicum.job").await, 0);
});

queue_test!(the_urgent_come_first_and_a_key_stands_for_one_document, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let (low, high) = (enqueue(&session, Some("k"), 0).await, enqueue(&session, None, 9).await);
    let again = enqueue(&session, Some("k"), 0).await;
    assert_eq!((again.id, again.is_new), (low.id, false));
    assert_eq!(claim(&queue).await.document, high.id);
    assert_eq!(claim(&queue).await.document, low.id);
    assert!(queue.claim("ocr", 1, LONG).await.unwrap().is_empty());
});

queue_test!(a_stale_claim_stores_nothing, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let (other, _heard_too) = place.worker("b").await;
    let document = enqueue(&session, None, 0).await;
    let stale = claim(&queue).await;
    // Its lease passes, somebody takes it in, and another worker claims it.
    session
        .client
        .batch_execute("update civicum.job set lease_until = now() - interval '1 s'")
        .await
        .unwrap();
    // Not by itself, who knows that it lives.
    assert_eq!(queue.reap().await.unwrap(), []);
    assert_eq!(other.reap().await.unwrap(), [(stale.job, Became::Pending)]);
    session.client.batch_execute("update civicum.job set run_at = now()").await.unwrap();
    let fresh = claim(&queue).await;
    assert_eq!((fresh.job, fresh.attempt, fresh.crashes), (stale.job, 2, 0));
    assert!(!queue.finish(&stale, &made(None)).await.unwrap(), "a stale claim finished");
    let held = [Held { job: stale.job, fence: stale.fence, done: 1, total: 1 }];
    assert!(queue.beat(&held).await.unwrap().is_empty());
    assert_eq!(queue.give_back(&stale, "no", true, false).await.unwrap(), Became::Lost);
    assert_eq!(state(&session, document.id).await, "reading");
    assert!(queue.finish(&fresh, &made(None)).await.unwrap());
    assert!(!queue.finish(&fresh, &made(None)).await.unwrap(), "it was finished twice");
    assert_eq!(place.one("select count(*) from civicum.result").await, 1);
});

queue_test!(a_worker_whose_session_ends_gives_its_jobs_back_within_seconds, place, {
    let session = place.session().await;
    // The server has just been started where this test runs alone: its sessions' ends count after ten seconds.
    let wait = place
        .one("select greatest(0, 10 - extract(epoch from now() - pg_postmaster_start_time()))::bigint + 1")
        .await;
    tokio::time::sleep(Duration::from_secs(wait.unsigned_abs())).await;
    let (lost, gone) = place.worker("lost").await;
    let (queue, _heard) = place.worker("a").await;
    enqueue(&session, None, 0).await;
    let first = claim(&lost).await;
    assert!(queue.reap().await.unwrap().is_empty(), "a living worker's job was taken");
    drop(gone);
    let since = Instant::now();
    let back = loop {
        let back = queue.reap().await.unwrap();
        if !back.is_empty() {
            break back;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "it never came back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    eprintln!("back after {} ms", since.elapsed().as_millis());
    assert_eq!(back, [(first.job, Became::Pending)]);
    assert!(since.elapsed() < Duration::from_secs(3));
});

queue_test!(what_kills_twice_is_quarantined_and_can_be_tried_again, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let document = enqueue(&session, None, 0).await;
    let first = claim(&queue).await;
    assert_eq!(queue.give_back(&first, "killed", true, true).await.unwrap(), Became::Pending);
    assert!(queue.claim("ocr", 1, LONG).await.unwrap().is_empty(), "it is due at once");
    let due = queue.next_due("ocr").await.unwrap().unwrap();
    assert!(due > Duration::from_secs(2) && due < Duration::from_secs(8), "{due:?}");
    session.client.batch_execute("update civicum.job set run_at = now()").await.unwrap();
    let second = claim(&queue).await;
    assert_eq!(queue.give_back(&second, "killed", true, true).await.unwrap(), Became::Quarantined);
    assert_eq!(state(&session, document.id).await, "quarantined");
    assert_eq!(Queued(&session.client).retry(None).await.unwrap(), 1);
    let third = claim(&queue).await;
    assert_eq!((third.document, third.attempt, third.crashes), (document.id, 1, 0));
});

queue_test!(failures_end_and_a_release_costs_no_attempt, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let document = enqueue(&session, None, 0).await;
    for _ in 0..20 {
        let released = claim(&queue).await;
        assert_eq!(released.attempt, 1);
        queue.release(&[released], Duration::ZERO, None).await.unwrap();
    }
    for attempt in 1..=5 {
        let one = claim(&queue).await;
        assert_eq!(one.attempt, attempt);
        let became = queue.give_back(&one, "no", true, false).await.unwrap();
        assert_eq!(became, if attempt < 5 { Became::Pending } else { Became::Dead });
        session.client.batch_execute("update civicum.job set run_at = now()").await.unwrap();
    }
    assert_eq!(state(&session, document.id).await, "failed");
    let other = enqueue(&session, None, 0).await;
    let one = claim(&queue).await;
    assert_eq!(queue.give_back(&one, "encrypted", false, false).await.unwrap(), Became::Dead);
    assert_eq!(state(&session, other.id).await, "failed");
});

queue_test!(cancelling_reaches_what_waits_and_what_runs, place, {
    let session = place.session().await;
    let (queue, mut heard) = place.worker("a").await;
    let (running, waiting) = (enqueue(&session, None, 5).await, enqueue(&session, None, 0).await);
    let claimed = claim(&queue).await;
    let queued = Queued(&session.client);
    assert_eq!(queued.cancel(waiting.id).await.unwrap(), (1, 0));
    assert_eq!(queued.cancel(running.id).await.unwrap(), (0, 1));
    let told = async { while heard.notices.recv().await.unwrap() != "civicum_cancel" {} };
    tokio::time::timeout(Duration::from_secs(2), told).await.unwrap();
    let held = [Held { job: claimed.job, fence: claimed.fence, done: 0, total: 0 }];
    assert_eq!(queue.beat(&held).await.unwrap(), [(claimed.job, true)]);
    assert_eq!(queue.give_back(&claimed, "it was cancelled", false, false).await.unwrap(), Became::Cancelled);
    assert_eq!(
        (state(&session, running.id).await, state(&session, waiting.id).await),
        ("cancelled".into(), "cancelled".into())
    );
    assert_eq!(queued.cancel(running.id).await.unwrap(), (0, 0));
});

queue_test!(heartbeats_are_hot_and_leave_no_index_behind, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    enqueue(&session, None, 0).await;
    let one = claim(&queue).await;
    let hot = "select coalesce(sum(n_tup_hot_upd), 0)::bigint from pg_stat_user_tables where relname = 'job'";
    let before = place.one(hot).await;
    for done in 0..100 {
        queue.beat(&[Held { job: one.job, fence: one.fence, done, total: 100 }]).await.unwrap();
    }
    drop(queue);
    let since = Instant::now();
    // Now and then a page is full before its old versions may go.
    while place.one(hot).await < before + 95 {
        assert!(
            since.elapsed() < Duration::from_secs(10),
            "{} of 100 were HOT",
            place.one(hot).await - before
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
});

queue_test!(the_archive_has_its_months_and_drops_old_ones, place, {
    let session = place.session().await;
    session
        .client
        .batch_execute(
            "create table civicum.job_archive_2001_02 partition of civicum.job_archive for values from ('2001-02-01') to ('2001-03-01')",
        )
        .await
        .unwrap();
    let parts = "select count(*) from pg_inherits where inhparent = 'civicum.job_archive'::regclass";
    assert_eq!(place.one(parts).await, 4, "two months, the default one, and the old one");
    let (queue, _heard) = place.worker("a").await;
    queue.keep_archive(365).await.unwrap();
    assert_eq!(place.one(parts).await, 3);
    assert_eq!(
        migrate(&mut place.session().await.client).await.unwrap(),
        NEWEST,
        "a second migration changes nothing"
    );
    session.client.batch_execute("insert into civicum.migration (version) values (99)").await.unwrap();
    let refused = migrate(&mut place.session().await.client).await.unwrap_err().to_string();
    assert!(refused.contains("newer civicum-tune"), "{refused}");
});

queue_test!(people_hand_in_list_and_cancel, place, {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    std::fs::create_dir(&store).unwrap();
    let hostile = folder.path().join("'; drop table civicum.job; --\u{1b}[31m.pdf");
    std::fs::write(&hostile, "%PDF-1.4 not really").unwrap();
    let documents = store.to_str().unwrap();
    let output = place.run(&["queue", "enqueue", "--documents", documents, hostile.to_str().unwrap()]);
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()),
        (Some(0), "1\n"),
        "{output:?}"
    );
    let output = place.run(&["queue", "list"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("queued") && text.contains("drop table") && !text.contains('\u{1b}'), "{text}");
    let output = place.run(&["queue", "show", "1", "--documents", documents]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("19B, "), "{text}");
    assert_eq!(place.run(&["queue", "show", "7"]).status.code(), Some(2));
    assert_eq!(place.run(&["queue", "cancel", "1"]).status.code(), Some(0));
    let output = place.run(&["queue", "list", "--state", "cancelled", "--format", "json"]);
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["documents"][0]["state"], "cancelled");
    assert_eq!(place.run(&["queue", "retry", "1"]).status.code(), Some(0));
    let stats: serde_json::Value =
        serde_json::from_slice(&place.run(&["queue", "stats", "--format", "json"]).stdout).unwrap();
    assert_eq!((&stats["queues"][0]["queue"], &stats["queues"][0]["waiting"]), (&"ocr".into(), &1.into()));
    let missing = folder.path().join("absent.pdf");
    let output = place.run(&[
        "queue",
        "enqueue",
        "--documents",
        documents,
        hostile.to_str().unwrap(),
        missing.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    for (bytes, why) in [("", "is empty"), ("Estimados vecinos", "no document that can be read")] {
        let odd = folder.path().join("odd.pdf");
        std::fs::write(&odd, bytes).unwrap();
        let both = [hostile.to_str().unwrap(), odd.to_str().unwrap()];
        let output = place.run(&["queue", "enqueue", "--documents", documents, both[0], both[1]]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(why), "{said}");
    }
    assert_eq!(place.one("select count(*) from civicum.document").await, 1, "one of two went in");
});

queue_test!(a_cancel_that_comes_before_the_end_holds, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let document = enqueue(&session, None, 0).await;
    let one = claim(&queue).await;
    Queued(&session.client).cancel(document.id).await.unwrap();
    assert!(queue.finish(&one, &made(Some("extract"))).await.unwrap());
    assert_eq!(state(&session, document.id).await, "cancelled");
    assert_eq!(place.one("select count(*) from civicum.job").await, 0);
    let other = enqueue(&session, None, 0).await;
    let two = claim(&queue).await;
    Queued(&session.client).cancel(other.id).await.unwrap();
    queue.release(&[two], Duration::ZERO, None).await.unwrap();
    assert_eq!(state(&session, other.id).await, "cancelled");
});

queue_test!(a_lease_that_passed_is_no_crash, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let (other, _heard_too) = place.worker("b").await;
    enqueue(&session, None, 0).await;
    for attempt in 1..=3 {
        let one = claim(&queue).await;
        assert_eq!((one.attempt, one.crashes), (attempt, 0));
        session
            .client
            .batch_execute("update civicum.job set lease_until = now() - interval '1 s'")
            .await
            .unwrap();
        assert_eq!(other.reap().await.unwrap(), [(one.job, Became::Pending)]);
        session.client.batch_execute("update civicum.job set run_at = now()").await.unwrap();
    }
    // A deadline that passed is: whoever had it did not stop it.
    let one = claim(&queue).await;
    session.client.batch_execute("update civicum.job set deadline = now() - interval '1 s'").await.unwrap();
    queue.reap().await.unwrap();
    session.client.batch_execute("update civicum.job set run_at = now()").await.unwrap();
    assert_eq!(claim(&queue).await.crashes, 1);
    assert_eq!(queue.give_back(&one, "late", true, true).await.unwrap(), Became::Lost);
});

queue_test!(a_retry_is_nobodys_old_claim, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let (other, _heard_too) = place.worker("b").await;
    let document = enqueue(&session, None, 0).await;
    let old = claim(&queue).await;
    session
        .client
        .batch_execute("update civicum.job set lease_until = now() - interval '1 s', attempt = 5")
        .await
        .unwrap();
    assert_eq!(other.reap().await.unwrap(), [(old.job, Became::Dead)]);
    assert_eq!(Queued(&session.client).retry(Some(document.id)).await.unwrap(), 1);
    let new = claim(&queue).await;
    assert!(!queue.finish(&old, &made(None)).await.unwrap(), "an old claim finished");
    assert!(queue.finish(&new, &made(None)).await.unwrap());
    session.client.batch_execute("delete from civicum.job_archive").await.unwrap();
    assert_eq!(
        state(&session, document.id).await,
        "done",
        "it is done when its jobs have left the archive, too"
    );
});

queue_test!(what_leaves_the_archive_changes_no_document, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let queued = Queued(&session.client);
    let new = NewDocument { file: &file(1), name: "a", schema: Some("carta"), key: None, priority: 0 };
    // Read, and not extracted from; killed twice; cancelled while it waited; read and cancelled.
    let failed = queued.enqueue(&new).await.unwrap().id;
    assert!(queue.finish(&claim(&queue).await, &made(Some("extract"))).await.unwrap());
    let second = queue.claim("extract", 1, LONG).await.unwrap().remove(0);
    assert_eq!(queue.give_back(&second, "no", false, false).await.unwrap(), Became::Dead);
    let poison = enqueue(&session, None, 0).await.id;
    for _ in 0..2 {
        queue.give_back(&claim(&queue).await, "killed", true, true).await.unwrap();
        session.client.batch_execute("update civicum.job set run_at = now()").await.unwrap();
    }
    let waiting = enqueue(&session, None, 0).await.id;
    assert_eq!(queued.cancel(waiting).await.unwrap(), (1, 0));
    let running = queued.enqueue(&new).await.unwrap().id;
    let one = claim(&queue).await;
    assert_eq!(queued.cancel(running).await.unwrap(), (0, 1));
    assert!(queue.finish(&one, &made(Some("extract"))).await.unwrap());
    let all = [failed, poison, waiting, running];
    let states = async || {
        let mut states = Vec::new();
        for id in all {
            let one = queued.documents(Some(id), None, 1).await.unwrap().remove(0);
            assert_eq!(
                queued.documents(None, Some(&one.state), 9).await.unwrap().len(),
                if id > poison { 2 } else { 1 }
            );
            states.push((one.state, one.finished_at));
        }
        states
    };
    let before = states().await;
    assert_eq!(
        before.iter().map(|(state, _)| state.as_str()).collect::<Vec<_>>(),
        ["failed", "quarantined", "cancelled", "cancelled"]
    );
    // The months go, as they do when they are over.
    session.client.batch_execute("update civicum.job_archive set finished_at = '2001-02-03'; update civicum.document set ended_at = '2001-02-03'").await.unwrap();
    queue.keep_archive(365).await.unwrap();
    assert_eq!(place.one("select count(*) from civicum.job_archive").await, 0);
    assert_eq!(
        states().await.iter().map(|(state, _)| state).collect::<Vec<_>>(),
        before.iter().map(|(state, _)| state).collect::<Vec<_>>()
    );
    assert!(states().await.iter().all(|(_, at)| at.as_deref() == Some("2001-02-03T00:00:00Z")));
    assert_eq!(
        queued.review(failed, Verdict::Accepted, "Ana", None).await.unwrap(),
        Reviewed::Not("failed".into()),
        "nothing was extracted"
    );
    // Each goes on where it ended.
    assert_eq!(queued.review(poison, Verdict::Rejected, "Ana", None).await.unwrap(), Reviewed::Taken);
    assert_eq!(
        queued.retry(None).await.unwrap(),
        1,
        "what somebody rejected is only tried again where it is named"
    );
    assert_eq!(state(&session, poison).await, "rejected");
    assert_eq!(queued.retry(Some(poison)).await.unwrap(), 1);
    assert_eq!(queued.retry(Some(waiting)).await.unwrap(), 1);
    assert_eq!(state(&session, failed).await, "read");
    assert_eq!(state(&session, poison).await, "queued");
    assert_eq!(state(&session, waiting).await, "queued");
    assert_eq!(queued.retry(None).await.unwrap(), 0);
    let again = queue.claim("extract", 1, LONG).await.unwrap().remove(0);
    assert!(queue.finish(&again, &made(None)).await.unwrap());
    assert_eq!(state(&session, failed).await, "done");
    assert_eq!(queued.review(failed, Verdict::Accepted, "Ana", None).await.unwrap(), Reviewed::Taken);
    assert_eq!(state(&session, failed).await, "accepted");
    assert_eq!(queued.retry(Some(failed)).await.unwrap(), 0, "what is done is not read again");
    let stats = queued.review_stats().await.unwrap();
    assert_eq!((stats.accepted, stats.waiting, stats.failed), (1, 0, 0), "{stats:?}");
});

queue_test!(documents_of_before_have_their_ends_from_the_archive, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let queued = Queued(&session.client);
    let (done, dead, gone, open) = (
        enqueue(&session, None, 3).await.id,
        enqueue(&session, None, 2).await.id,
        enqueue(&session, None, 1).await.id,
        enqueue(&session, None, 0).await.id,
    );
    queue.finish(&claim(&queue).await, &made(None)).await.unwrap();
    queue.give_back(&claim(&queue).await, "no", false, false).await.unwrap();
    queue.finish(&claim(&queue).await, &made(None)).await.unwrap();
    let ends = "select ended || ended_at from civicum.document where ended is not null order by id";
    let before: Vec<String> =
        session.client.query(ends, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    // As a program of the time before leaves them.
    let old = "update civicum.document set ended = null, ended_at = null; delete from civicum.job_archive where document_id = $1";
    session.client.batch_execute(&old.replace("$1", &gone.to_string())).await.unwrap();
    queue.keep_archive(365).await.unwrap();
    let after: Vec<String> =
        session.client.query(ends, &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(before, after);
    for (id, wanted) in [(done, "done"), (dead, "failed"), (gone, "done"), (open, "queued")] {
        assert_eq!(state(&session, id).await, wanted);
    }
    assert_eq!(queued.retry(Some(dead)).await.unwrap(), 1);
});

queue_test!(tables_of_version_2_are_brought_up_to_date, place, {
    let mut session = place.session().await;
    let old =
        [include_str!("../src/queue/sql/0001_queue.sql"), include_str!("../src/queue/sql/0002_review.sql")];
    session.client.batch_execute("drop schema civicum cascade; create schema civicum; create table civicum.migration (version integer primary key, made_at timestamptz not null default now())").await.unwrap();
    session.client.batch_execute(&old.concat()).await.unwrap();
    let rows = "insert into civicum.migration (version) values (1), (2); \
        insert into civicum.document (sha256, bytes, name, schema) select repeat('a', 64), 1, n::text, case when n = 3 then 'carta' end from generate_series(1, 4) n; \
        insert into civicum.job_archive (id, queue, state, document_id, priority, attempt, max_attempts, crashes, max_crashes, created_at) \
          values (1, 'ocr', 'quarantined', 1, 0, 1, 5, 0, 2, now()), (2, 'ocr', 'done', 2, 0, 1, 5, 0, 2, now()); \
        insert into civicum.result (document_id, stage, sha256, bytes, findings) select n, 'ocr', repeat('b', 64), 1, 0 from generate_series(2, 3) n; \
        insert into civicum.job (queue, document_id) values ('ocr', 4); \
        insert into civicum.review (document_id, verdict, reviewer) values (2, 'accepted', 'Ana')";
    session.client.batch_execute(rows).await.unwrap();
    assert_eq!(migrate(&mut session.client).await.unwrap(), 2);
    // The third was read, and what its schema asks is not there; its jobs have left the archive.
    for (id, wanted) in [(1, "quarantined"), (2, "accepted"), (3, "failed"), (4, "queued")] {
        assert_eq!(state(&session, id).await, wanted, "{id}");
    }
});

queue_test!(a_result_that_is_replaced_or_comes_too_late_is_looked_at_again, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let trash = "select count(*) from civicum.trash where sha256 = ";
    let of = |file: Stored| Made { file, findings: 0, next: None };
    let document = enqueue(&session, None, 0).await;
    let one = claim(&queue).await;
    // Somebody cancelled it, and the result was quicker; it is read again.
    assert!(queue.finish(&one, &of(file(2))).await.unwrap());
    session.client.batch_execute("update civicum.document set ended = 'cancelled'; update civicum.job_archive set state = 'cancelled'").await.unwrap();
    assert_eq!(Queued(&session.client).retry(Some(document.id)).await.unwrap(), 1);
    let two = claim(&queue).await;
    assert!(!queue.finish(&one, &of(file(4))).await.unwrap());
    assert!(queue.finish(&two, &of(file(3))).await.unwrap());
    assert!(!queue.finish(&two, &of(file(3))).await.unwrap());
    for (of, wanted) in [(2, 1), (3, 1), (4, 1), (1, 0)] {
        assert_eq!(place.one(&format!("{trash} '{}'", file(of).sha256)).await, wanted, "{of}");
    }
    // What a row needs stays, whoever put it there.
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    queue.expire(Keep::default(), &store).await.unwrap();
    assert_eq!(place.one("select count(*) from civicum.trash").await, 0);
    assert_eq!(
        place.one(&format!("select count(*) from civicum.result where sha256 = '{}'", file(3).sha256)).await,
        1
    );
});

queue_test!(files_that_no_row_names_are_found_and_go, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path().to_str().unwrap()).unwrap();
    let put = |text: &str| store.put(text.as_bytes()).unwrap();
    let (kept, taken) = (put("a document"), put("one whose deletion was broken off"));
    let (orphan, lost) = (put("refused"), put("refused, and its deletion was broken off"));
    for file in [&kept, &taken] {
        let new = NewDocument { file, name: "a", schema: None, key: None, priority: 0 };
        Queued(&session.client).enqueue(&new).await.unwrap();
    }
    let made = Made { file: put("a result"), findings: 0, next: None };
    assert!(queue.finish(&claim(&queue).await, &made).await.unwrap());
    let place_of = |sum: &str| folder.path().join(&sum[..2]).join(sum);
    for file in [&taken, &lost] {
        let from = place_of(&file.sha256);
        let to = from.with_file_name(format!(".{}.goes", file.sha256));
        std::fs::rename(from, to).unwrap();
    }
    let half = place_of(&kept.sha256).with_file_name(format!(".{}.17-9", kept.sha256));
    std::fs::write(&half, "half").unwrap();
    let strange = place_of(&kept.sha256).with_file_name("notes.txt");
    std::fs::write(&strange, "somebody's own").unwrap();
    // What came lately may be just on its way.
    let day = Duration::from_secs(86_400);
    assert_eq!(queue.sweep(&store, day).await.unwrap(), Swept::default());
    // What was there before the tables is another database's.
    session
        .client
        .batch_execute("update civicum.migration set made_at = now() + interval '1 hour'")
        .await
        .unwrap();
    assert_eq!(queue.sweep(&store, Duration::ZERO).await.unwrap(), Swept { unnamed: 0, halves: 1 });
    assert!(!half.exists() && strange.exists());
    assert!(place_of(&taken.sha256).exists(), "a document has no name any more");
    session
        .client
        .batch_execute("update civicum.migration set made_at = now() - interval '1 year'")
        .await
        .unwrap();
    assert_eq!(queue.sweep(&store, Duration::ZERO).await.unwrap(), Swept { unnamed: 2, halves: 0 });
    assert_eq!(queue.sweep(&store, Duration::ZERO).await.unwrap(), Swept::default());
    // A day later; one of the two has come again by then.
    let new = NewDocument { file: &put("refused"), name: "b", schema: None, key: None, priority: 0 };
    Queued(&session.client).enqueue(&new).await.unwrap();
    assert_eq!(queue.expire(Keep::default(), &store).await.unwrap().files, 0, "it went at once");
    let past = std::time::SystemTime::now() - Duration::from_secs(7200);
    for sum in [&orphan.sha256, &lost.sha256] {
        std::fs::File::options().write(true).open(place_of(sum)).unwrap().set_modified(past).unwrap();
    }
    session.client.batch_execute("update civicum.trash set since = now()").await.unwrap();
    assert_eq!(queue.expire(Keep::default(), &store).await.unwrap().files, 1);
    assert!(!place_of(&lost.sha256).exists());
    for sum in [&kept.sha256, &taken.sha256, &orphan.sha256, &made.file.sha256] {
        assert!(place_of(sum).exists(), "what a row names is gone");
    }
    assert!(strange.exists());
});

queue_test!(a_cancel_that_meets_a_change_of_stage_holds, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let new = NewDocument { file: &file(1), name: "a", schema: Some("carta"), key: None, priority: 0 };
    let document = Queued(&session.client).enqueue(&new).await.unwrap().id;
    let one = claim(&queue).await;
    // The first stage ends, and its end waits: the cancelling begins meanwhile, and waits for it.
    let (finishing, canceller) = (place.session().await, place.session().await);
    let finish = include_str!("../src/queue/sql/finish.sql");
    finishing.client.batch_execute("begin").await.unwrap();
    let (sum, next) = (file(2).sha256, Some("extract"));
    finishing.client.query(finish, &[&one.job, &one.fence, &sum, &9i64, &0i32, &next]).await.unwrap();
    let ends = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        finishing.client.batch_execute("commit").await.unwrap();
    };
    let queued = Queued(&canceller.client);
    let (cancelled, ()) = tokio::join!(queued.cancel(document), ends);
    assert_eq!(cancelled.unwrap(), (1, 0));
    assert_eq!(state(&session, document).await, "cancelled");
    assert_eq!(queued.cancel(document).await.unwrap(), (0, 0));
});

/// As if the worker's lock had been gone for a while.
async fn lost_for(session: &Session, seconds: i32) {
    let sql = format!(
        "update civicum.worker set lost_at = now() - {seconds} * interval '1 s' where lost_at is not null"
    );
    session.client.batch_execute(&sql).await.unwrap();
}

queue_test!(what_the_host_or_the_network_did_is_no_crash, place, {
    let session = place.session().await;
    let wait = place
        .one("select greatest(0, 10 - extract(epoch from now() - pg_postmaster_start_time()))::bigint + 1")
        .await;
    tokio::time::sleep(Duration::from_secs(wait.unsigned_abs())).await;
    let (queue, _heard) = place.worker("a").await;
    let mut number = 0;
    // A worker's job, as it is when the worker has gone, with some SQL on top; how often it is said to have killed.
    let mut after = async |sql: &str| {
        number += 1;
        let id = register(&place.database(), "lost").await.unwrap();
        let heard = listen(&place.database(), id).await.unwrap();
        let lost = Queue::open(&place.database(), id).await.unwrap();
        enqueue(&session, None, 0).await;
        let one = claim(&lost).await;
        drop(heard);
        session.client.batch_execute(sql).await.unwrap();
        let since = Instant::now();
        loop {
            let back = queue.reap().await.unwrap();
            lost_for(&session, 2).await;
            if !back.is_empty() {
                assert_eq!(back, [(one.job, Became::Pending)]);
                break;
            }
            assert!(since.elapsed() < Duration::from_secs(20), "it never came back");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let crashes =
            place.one(&format!("select crashes::bigint from civicum.job where id = {}", one.job)).await;
        (id, crashes)
    };
    let clear = async || session.client.batch_execute("delete from civicum.job").await.unwrap();
    let (_, killed) = after("").await;
    assert_eq!(killed, 1, "a kill");
    clear().await;
    // It comes back after a longer while than its lease.
    let (_, killed) = after("update civicum.job set lease_until = now() - interval '1 s'").await;
    assert_eq!(killed, 1, "a kill that nobody saw for a minute");
    clear().await;
    let (_, rebooted) =
        after("update civicum.worker set held_at = pg_postmaster_start_time() - interval '1 s'").await;
    assert_eq!(rebooted, 0, "the server was started after the worker");
    clear().await;
    let long_off = "update civicum.worker set held_at = pg_postmaster_start_time() - interval '1 day';                     update civicum.job set lease_until = now() - interval '1 day', deadline = now() - interval '1 day'";
    assert_eq!(after(long_off).await.1, 0, "the host was off for a day");
    clear().await;
    // The network was away: its worker comes back, and was never dead.
    let (id, cut) = after("").await;
    assert_eq!(cut, 1);
    let _back = listen(&place.database(), id).await.unwrap();
    assert_eq!(place.one("select crashes::bigint from civicum.job").await, 0, "the worker lives");
    clear().await;
    // The host slept: its worker holds its lock, and its lease has passed as its deadline has.
    enqueue(&session, None, 0).await;
    claim(&queue).await;
    session
        .client
        .batch_execute(
            "update civicum.job set lease_until = now() - interval '1 s', deadline = now() - interval '1 s'",
        )
        .await
        .unwrap();
    assert_eq!(queue.reap().await.unwrap().len(), 1);
    assert_eq!(place.one("select crashes::bigint from civicum.job").await, 0);
});

queue_test!(a_document_goes_before_its_time_when_somebody_asks, place, {
    let session = place.session().await;
    let (queue, _heard) = place.worker("a").await;
    let queued = Queued(&session.client);
    let document = enqueue(&session, None, 0).await.id;
    assert!(!queued.delete(document).await.unwrap(), "it waits");
    assert!(queue.finish(&claim(&queue).await, &made(None)).await.unwrap());
    queued.review(document, Verdict::Rejected, "Ana", Some("secret")).await.unwrap();
    assert!(queued.delete(document).await.unwrap());
    assert!(!queued.delete(document).await.unwrap(), "nothing is left of it");
    assert_eq!(state(&session, document).await, "deleted");
    for left in [
        "select count(*) from civicum.result",
        "select count(*) from civicum.review where note is not null",
        "select count(*) from civicum.document where name <> ''",
    ] {
        assert_eq!(place.one(left).await, 0, "{left}");
    }
    // Its file and its result's are looked at by the worker.
    assert_eq!(place.one("select count(*) from civicum.trash").await, 2);
    assert_eq!(queued.retry(Some(document)).await.unwrap(), 0);
});
