//! A job on an idle queue starts at once.

use std::time::{Duration, Instant};

use common::queue::NAMES;
use redis::{AsyncCommands, pipe};
use ulid::Ulid;
use worker::queue::runner::RunnerSettings;

use crate::support::app::SOON;
use crate::support::eventually;
use crate::support::queue::{Log, Queue, Worker, deliveries, settings, taking};

/// So that nothing but the wake-up can be what starts a job: heartbeats make apalis poll as well.
fn never_polling() -> RunnerSettings {
    RunnerSettings {
        heartbeat: Duration::from_secs(60),
        poll_interval: Duration::from_secs(60),
        ..RunnerSettings::default()
    }
}

async fn longest_wait(queue: &Queue, log: &Log, jobs: usize) -> Duration {
    let mut longest = Duration::ZERO;
    for delivery in deliveries(jobs) {
        let start = Instant::now();
        queue.enqueue([delivery.clone()]).await;
        let begun = eventually(SOON, "the job to begin", async || log.begun_at(&delivery)).await;
        longest = longest.max(begun.duration_since(start));
    }
    longest
}

#[tokio::test]
async fn a_job_on_an_idle_queue_starts_at_once() {
    let queue = Queue::new();
    let log = Log::default();
    let _worker = Worker::start(&queue, never_polling(), taking(Duration::ZERO, &log));
    queue.registered(1).await;
    // Proves that the subscription stands.
    queue.enqueue(["first".to_owned()]).await;
    log.wait_for_begun(1).await;

    let longest = longest_wait(&queue, &log, 50).await;
    assert!(longest < Duration::from_millis(100), "a job waited {longest:?}");
}

#[tokio::test]
async fn no_wake_up_is_lost_while_the_worker_looks_for_jobs() {
    let queue = Queue::new();
    let log = Log::default();
    let _worker = Worker::start(&queue, never_polling(), taking(Duration::ZERO, &log));
    queue.registered(1).await;
    queue.enqueue(["first".to_owned()]).await;
    log.wait_for_begun(1).await;

    // The first message makes it look, in vain; the second one comes at any moment of that.
    for number in 0..400 {
        let _: () = queue.connection.clone().publish(&NAMES.wake, "").await.unwrap();
        let pause = Duration::from_micros(10 * (number % 80));
        let start = Instant::now();
        while start.elapsed() < pause {
            std::hint::spin_loop();
        }
        let delivery = number.to_string();
        queue.enqueue([delivery.clone()]).await;
        let begun = eventually(SOON, "the job to begin", async || log.begun_at(&delivery)).await;
        let waited = begun.duration_since(start);
        assert!(waited < Duration::from_millis(200), "job {number} waited {waited:?}");
    }
}

#[tokio::test]
async fn a_job_that_nobody_told_of_is_found_by_polling() {
    let queue = Queue::new();
    let log = Log::default();
    let _worker = Worker::start(&queue, settings(4), taking(Duration::ZERO, &log));
    queue.registered(1).await;
    queue.enqueue(["told".to_owned()]).await;
    log.wait_for_begun(1).await;

    let id = Ulid::generate().to_string();
    let start = Instant::now();
    pipe()
        .hset(&NAMES.data, &id, r#"{"delivery_id":"untold"}"#)
        .hset_multiple(
            format!("{}:{id}", NAMES.meta),
            &[("attempts", "0"), ("max_attempts", "1"), ("status", "Pending")],
        )
        .rpush(&NAMES.active, &id)
        .exec_async(&mut queue.connection.clone())
        .await
        .unwrap();
    log.wait_for_begun(2).await;
    assert!(start.elapsed() < Duration::from_secs(1), "found after {:?}", start.elapsed());
}
