//! Who is taken for alive, and whose jobs go to others.

use std::time::Duration;

use crate::support::app::SOON;
use crate::support::eventually;
use crate::support::queue::{Log, Queue, Worker, deliveries, settings, taking};

#[tokio::test]
async fn jobs_that_outlast_the_orphan_window_with_every_slot_taken_run_once() {
    let queue = Queue::new();
    let log = Log::default();
    // A window of 3 s. Who ends a job first looks for orphans then, while the other has long been
    // silent. A fetch takes 5 jobs, so some are buffered.
    let _quick = Worker::start(&queue, settings(21), taking(Duration::from_millis(3_500), &log));
    let _slow = Worker::start(&queue, settings(21), taking(Duration::from_secs(5), &log));
    let names = queue.registered(2).await;
    queue.enqueue(deliveries(60)).await;
    log.wait_for_begun(42).await;
    assert!(queue.depth().await.in_flight > 42, "nothing is buffered");

    log.wait_for_ended(60).await;
    queue.nothing_left().await;
    log.each_ran_once(60);
    assert_eq!(queue.workers(), names, "a worker died");
}

#[tokio::test]
async fn the_jobs_of_a_killed_worker_come_back() {
    let queue = Queue::new();
    let (killed, alive) = (Log::default(), Log::default());
    let victim = Worker::start(&queue, settings(40), taking(Duration::from_secs(3_600), &killed));
    queue.registered(1).await;
    queue.enqueue(deliveries(100)).await;
    killed.wait_for_begun(40).await;
    victim.kill();
    let held = queue.depth().await.in_flight;
    assert!(held >= 40, "it held {held}");

    let _worker = Worker::start(&queue, settings(40), taking(Duration::ZERO, &alive));
    alive.wait_for_ended(100).await;
    queue.nothing_left().await;
    alive.each_ran_once(100);
    eventually(SOON, "the dead worker to go", async || (queue.workers().len() == 1).then_some(()))
        .await;
}

#[tokio::test]
async fn every_start_has_a_name_of_its_own() {
    let queue = Queue::new();
    let log = Log::default();
    let mut names = Vec::new();
    for _ in 0..3 {
        let worker = Worker::start(&queue, settings(1), taking(Duration::ZERO, &log));
        names.extend(queue.registered(1).await);
        worker.stopped().await;
        assert_eq!(queue.workers(), Vec::<String>::new(), "a stopped worker looks alive");
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 3);
}
