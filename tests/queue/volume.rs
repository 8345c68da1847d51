//! Many jobs at once.

use std::time::Duration;

use crate::support::queue::{Log, Queue, Worker, deliveries, settings, taking};
use common::queue::{MAX_CONCURRENCY, NAMES, batch_size};
use common::runtime::clock::Clock;
use redis::Commands;

#[tokio::test]
async fn jobs_that_waited_for_the_first_worker_all_run_and_leave_nothing() {
    let queue = Queue::new();
    let log = Log::default();
    queue.enqueue(deliveries(20_000)).await;
    assert_eq!(queue.depth().await.waiting, 20_000);

    let _worker = Worker::start(&queue, settings(500), taking(Duration::from_millis(1), &log));
    log.wait_for_ended(20_000).await;
    queue.nothing_left().await;
    log.each_ran_once(20_000);
}

#[tokio::test]
async fn a_worker_that_stops_leaves_no_record_of_ended_jobs() {
    let queue = Queue::new();
    let log = Log::default();
    queue.enqueue(deliveries(5_000)).await;
    let worker = Worker::start(&queue, settings(500), taking(Duration::ZERO, &log));
    log.wait_for_ended(5_000).await;
    worker.stopped().await;
    assert_eq!(queue.keys_of_jobs(), Vec::<String>::new());
}

/// The most that one worker can hold is taken back in one script, which has to be able to.
#[tokio::test]
async fn the_jobs_of_the_biggest_worker_come_back() {
    let queue = Queue::new();
    let log = Log::default();
    let most = usize::from(MAX_CONCURRENCY) + batch_size(MAX_CONCURRENCY);
    queue.enqueue(deliveries(most)).await;
    let mut redis = queue.server.connection();
    let ids: Vec<String> = redis.lrange(&NAMES.active, 0, -1).unwrap();
    let _: () = redis.sadd(NAMES.in_flight_of("dead"), ids).unwrap();
    let _: () = redis.del(&NAMES.active).unwrap();
    let seconds = Clock::default().unix_ms() / 1_000;
    let _: () = redis.zadd(&NAMES.workers, "dead", seconds - 60).unwrap();

    let _worker = Worker::start(&queue, settings(500), taking(Duration::ZERO, &log));
    log.wait_for_ended(most).await;
    queue.nothing_left().await;
    log.each_ran_once(most);
    assert_eq!(queue.workers().len(), 1);
}
