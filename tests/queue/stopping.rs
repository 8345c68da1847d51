//! Stopping a worker.

use std::time::Duration;

use worker::queue::runner::RunnerSettings;

use crate::support::app::SOON;
use crate::support::eventually;
use crate::support::queue::{Log, Queue, Worker, deliveries, settings, taking};
use crate::support::redis_server::Redis;

#[tokio::test]
async fn a_stopped_worker_gives_back_what_it_has_not_started_and_finishes_the_rest() {
    let queue = Queue::new();
    let (old, new) = (Log::default(), Log::default());
    // A fetch takes 10 jobs: 50 are taken, 8 of them wait for a slot.
    let first = Worker::start(&queue, settings(42), taking(Duration::from_secs(2), &old));
    queue.registered(1).await;
    queue.enqueue(deliveries(60)).await;
    old.wait_for_begun(42).await;
    eventually(SOON, "a buffer", async || (queue.depth().await.in_flight == 50).then_some(()))
        .await;

    first.stop();
    eventually(Duration::from_secs(1), "what was not started to go back", async || {
        let depth = queue.depth().await;
        ((depth.waiting, depth.in_flight) == (18, 42)).then_some(())
    })
    .await;
    assert_eq!(old.ended(), 0, "the others still run");
    let _second = Worker::start(&queue, settings(1), taking(Duration::ZERO, &new));
    new.wait_for_ended(18).await;
    let mut first_begun = new.begun()[..8].to_vec();
    first_begun.sort();
    assert_eq!(
        first_begun,
        ["42", "43", "44", "45", "46", "47", "48", "49"],
        "they go to the head of the queue"
    );
    first.stopped().await;
    assert_eq!(old.ended(), 42);
    assert_eq!(queue.workers().len(), 1);
    queue.nothing_left().await;
}

#[tokio::test]
async fn jobs_that_outlast_the_deadline_are_run_by_others() {
    let queue = Queue::new();
    let (old, new) = (Log::default(), Log::default());
    let hurried = RunnerSettings { shutdown_deadline: Duration::from_secs(1), ..settings(4) };
    let endless = Worker::start(&queue, hurried, taking(Duration::from_secs(3_600), &old));
    queue.registered(1).await;
    queue.enqueue(deliveries(2)).await;
    old.wait_for_begun(2).await;
    let took = endless.stopped().await;
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(3), "it took {took:?}");

    let _worker = Worker::start(&queue, settings(4), taking(Duration::ZERO, &new));
    new.wait_for_ended(2).await;
    queue.nothing_left().await;
}

#[tokio::test]
async fn an_idle_worker_stops_at_once_even_without_redis() {
    let mut queue = Queue::on(Redis::start_append_only());
    let worker = Worker::start(&queue, settings(4), taking(Duration::ZERO, &Log::default()));
    queue.registered(1).await;
    queue.server.stop();
    let took = worker.stopped().await;
    assert!(took < Duration::from_secs(3), "it took {took:?}");
}
