//! Redis fails, jobs fail, and the worker goes on.

use std::time::Duration;

use common::queue::NAMES;
use common::queue::job::SendOtp;
use redis::Commands;
use ulid::Ulid;

use crate::support::app::SOON;
use crate::support::eventually;
use crate::support::queue::{Log, Queue, Worker, deliveries, settings, taking};
use crate::support::redis_server::Redis;

#[tokio::test]
async fn a_restart_of_redis_loses_nothing_and_repeats_nothing() {
    let mut queue = Queue::on(Redis::start_append_only());
    let log = Log::default();
    let worker = Worker::start(&queue, settings(40), taking(Duration::from_secs(2), &log));
    queue.registered(1).await;
    queue.enqueue(deliveries(60)).await;
    log.wait_for_begun(40).await;

    queue.server.restart();
    log.wait_for_ended(60).await;
    queue.nothing_left().await;
    log.each_ran_once(60);
    queue.enqueue(["later".to_owned()]).await;
    log.wait_for_ended(61).await;
    assert!(!worker.has_ended());
}

/// Here something is always asked of Redis when it goes away, so the apalis worker ends.
#[tokio::test]
async fn restarts_of_redis_under_load_lose_nothing_and_repeat_nothing() {
    let mut queue = Queue::on(Redis::start_append_only());
    let log = Log::default();
    let _worker = Worker::start(&queue, settings(40), taking(Duration::from_millis(5), &log));
    let before = queue.registered(1).await;
    queue.enqueue(deliveries(6_000)).await;
    for restarts in 1..=2 {
        log.wait_for_begun(restarts * 1_500).await;
        queue.server.restart();
    }
    log.wait_for_ended(6_000).await;
    queue.nothing_left().await;
    log.each_ran_once(6_000);
    assert_ne!(queue.registered(1).await, before, "no worker ended: the test proves nothing");
}

#[tokio::test]
async fn a_worker_that_starts_without_redis_waits_for_it() {
    let mut queue = Queue::on(Redis::start_append_only());
    let log = Log::default();
    queue.enqueue(deliveries(1)).await;
    queue.server.stop();
    let worker = Worker::start(&queue, settings(4), taking(Duration::ZERO, &log));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(!worker.has_ended());
    queue.server.start_again();
    log.wait_for_ended(1).await;
}

#[tokio::test]
async fn a_pause_of_redis_ends_no_worker_and_repeats_nothing() {
    let queue = Queue::new();
    let log = Log::default();
    // The default window of 10 s: shorter pauses are to pass unnoticed.
    let _worker = Worker::start(&queue, Default::default(), taking(Duration::from_secs(1), &log));
    let names = queue.registered(1).await;
    queue.enqueue(deliveries(400)).await;
    log.wait_for_begun(200).await;

    queue.server.pause();
    tokio::time::sleep(Duration::from_secs(5)).await;
    queue.server.resume();
    log.wait_for_ended(400).await;
    queue.nothing_left().await;
    log.each_ran_once(400);
    assert_eq!(queue.workers(), names);
}

/// Whatever ends a worker, the next one has another name, what it had not started is back at once,
/// and what it runs is not run again.
#[tokio::test]
async fn a_worker_that_redis_does_not_know_any_more_is_replaced() {
    let queue = Queue::new();
    let log = Log::default();
    let _worker = Worker::start(&queue, Default::default(), taking(Duration::from_secs(3), &log));
    let before = queue.registered(1).await;
    queue.enqueue(deliveries(100)).await;
    log.wait_for_begun(100).await;

    let _: () = queue.server.connection().zrem(&NAMES.workers, &before).unwrap();
    eventually(SOON, "another worker", async || {
        let after = queue.workers();
        (after.len() == 1 && after != before).then_some(())
    })
    .await;
    queue.enqueue(["later".to_owned()]).await;
    eventually(SOON, "the new worker to work", async || log.begun_at("later")).await;
    assert_eq!(log.ended(), 0, "the old worker's jobs still run");
    log.wait_for_ended(101).await;
    queue.nothing_left().await;
    assert_eq!(log.begun().len(), 101);
}

#[tokio::test]
async fn a_panic_ends_its_job_and_nothing_else() {
    let queue = Queue::new();
    let log = Log::default();
    let worker = Worker::start(&queue, settings(10), {
        let calm = taking(Duration::from_millis(500), &log);
        move |job: SendOtp| {
            let in_the_call = job.delivery_id == "3";
            assert!(!in_the_call, "before there is a future");
            let in_the_future = job.delivery_id == "5";
            let calm = calm(job);
            async move {
                assert!(!in_the_future, "while it runs");
                calm.await;
            }
        }
    });
    let names = queue.registered(1).await;
    queue.enqueue(deliveries(10)).await;
    log.wait_for_ended(8).await;
    queue.nothing_left().await;
    assert_eq!(log.begun().len(), 8);
    assert_eq!(queue.workers(), names);
    assert!(!worker.has_ended());
}

#[tokio::test]
async fn a_broken_job_does_not_stand_in_the_way() {
    let queue = Queue::new();
    let log = Log::default();
    let mut redis = queue.server.connection();
    queue.enqueue(deliveries(2)).await;
    let ids: Vec<String> = redis.lrange(&NAMES.active, 0, -1).unwrap();
    let _: () = redis.hset(&NAMES.data, &ids[0], "{not json").unwrap();
    // apalis-redis refuses the whole batch that such an id is in.
    let _: () = redis.lpush(&NAMES.active, Ulid::generate().to_string()).unwrap();

    let _worker = Worker::start(&queue, settings(40), taking(Duration::ZERO, &log));
    log.wait_for_ended(1).await;
    queue.nothing_left().await;
    assert_eq!(log.begun(), ["1"]);
}
