//! Wakes the worker when a job is added, so that nothing waits for the next poll.

use std::convert::Infallible;
use std::time::Duration;

use common::ledger::connection::Redis;
use common::ledger::subscription::Subscription;
use common::queue::Queue;
use futures_util::{Stream, stream};
use redis::RedisResult;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::queue::queue_error::{LogOnChange, QueueError};

/// A message can come while a fetch runs that looked before the job was there. So each message is
/// followed by a second wake-up.
const SECOND_WAKE_AFTER: Duration = Duration::from_millis(20);

/// Until it is connected again the poll interval finds the jobs.
const RECONNECT_AFTER: Duration = Duration::from_millis(500);

/// Yields whenever there may be a job. Stops listening when dropped.
pub(crate) fn wakes(
    redis: &Redis,
    queue: Queue,
) -> impl Stream<Item = ()> + Unpin + Send + Sync + 'static {
    // One wake-up that was not taken yet is as good as many.
    let (wake, mut woken) = mpsc::channel(1);
    let listener = AbortOnDropHandle::new(tokio::spawn(listen_always(redis.clone(), queue, wake)));
    stream::poll_fn(move |cx| {
        let _keep_alive = &listener;
        let poll = woken.poll_recv(cx);
        if poll.is_ready() {
            // apalis asks once and then works; this makes it ask again, which is what registers its
            // waker.
            cx.waker().wake_by_ref();
        }
        poll
    })
}

async fn listen_always(redis: Redis, queue: Queue, wake: mpsc::Sender<()>) {
    let mut log = LogOnChange::new("listen for new jobs");
    loop {
        let end = listen(&redis, queue, &wake, &mut log).await;
        log.observe(end.map_err(QueueError::from));
        tokio::time::sleep(RECONNECT_AFTER).await;
    }
}

async fn listen(
    redis: &Redis,
    queue: Queue,
    wake: &mpsc::Sender<()>,
    log: &mut LogOnChange,
) -> RedisResult<Infallible> {
    let mut messages = Subscription::open(&redis.primary().await?, &queue.names().wake).await?;
    log.observe(Ok(()));
    // For jobs that were added before this listened.
    let _full = wake.try_send(());
    loop {
        messages.next().await?;
        let _full = wake.try_send(());
        while let Ok(message) = timeout(SECOND_WAKE_AFTER, messages.next()).await {
            message?;
            let _full = wake.try_send(());
        }
        let _full = wake.try_send(());
    }
}
