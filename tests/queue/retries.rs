//! Jobs that wait for their time.

use std::time::Duration;

use common::queue::{MAX_STEP, promote_due};
use common::runtime::clock::Clock;

use crate::support::app::SOON;
use crate::support::eventually;
use crate::support::queue::{Log, Queue, Worker, deliveries, settings, taking};

const NOW: i64 = 1_700_000_000_000;

#[tokio::test]
async fn due_retries_go_back_in_order_and_in_steps() {
    let queue = Queue::new();
    let mut connection = queue.connection.clone();
    // Planned in another order than they are due in.
    let due = |number: usize| NOW - 1_000 + i64::try_from(number).unwrap();
    queue.plan((0..5).rev().map(|number| (number.to_string(), due(number)))).await;
    queue.plan([("later".to_owned(), NOW + 1)]).await;

    assert_eq!(promote_due(&mut connection, NOW, 3).await.unwrap(), 3);
    let depth = queue.depth().await;
    assert_eq!((depth.waiting, depth.retrying), (3, 3));
    assert_eq!(promote_due(&mut connection, NOW, 3).await.unwrap(), 2);
    assert_eq!(promote_due(&mut connection, NOW, 3).await.unwrap(), 0);

    let log = Log::default();
    let _worker =
        Worker::start_at(Clock::manual(NOW), &queue, settings(1), taking(Duration::ZERO, &log));
    log.wait_for_ended(5).await;
    assert_eq!(log.begun(), ["0", "1", "2", "3", "4"]);
    assert_eq!(queue.depth().await.retrying, 1);
}

#[tokio::test]
async fn a_retry_runs_when_it_is_due_and_not_before() {
    let queue = Queue::new();
    let log = Log::default();
    let clock = Clock::manual(NOW);
    let _worker =
        Worker::start_at(clock.clone(), &queue, settings(4), taking(Duration::ZERO, &log));
    queue.plan([("soon".to_owned(), NOW + 1_000), ("later".to_owned(), NOW + 2_000)]).await;
    clock.advance(Duration::from_millis(999));
    queue.enqueue(["at once".to_owned()]).await;
    log.wait_for_ended(1).await;

    clock.advance(Duration::from_millis(1));
    log.wait_for_ended(2).await;
    clock.advance(Duration::from_millis(1_000));
    log.wait_for_ended(3).await;
    assert_eq!(log.begun(), ["at once", "soon", "later"]);
    queue.nothing_left().await;
}

#[tokio::test]
async fn a_provider_outage_that_ends_does_not_wedge_the_queue() {
    let queue = Queue::new();
    queue.plan(deliveries(20_000).map(|delivery| (delivery, NOW))).await;
    let moved = promote_due(&mut queue.connection.clone(), NOW, usize::MAX).await.unwrap();
    assert_eq!(moved, MAX_STEP, "a step is bounded");

    let log = Log::default();
    let _worker =
        Worker::start_at(Clock::manual(NOW), &queue, settings(500), taking(Duration::ZERO, &log));
    eventually(SOON, "all retries to be promoted", async || {
        (queue.depth().await.retrying == 0).then_some(())
    })
    .await;
    log.wait_for_ended(20_000).await;
    queue.nothing_left().await;
    log.each_ran_once(20_000);
}
