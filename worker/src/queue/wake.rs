//! Wakes the worker when a job is added, so that nothing waits for the next poll.

use std::time::Duration;

use common::ledger::connection::Redis;
use common::queue::NAMES;
use futures_util::{Stream, StreamExt, stream};
use redis::RedisResult;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use crate::queue::queue_error::{Outage, QueueError};

/// A message can come while a fetch is under way that looked before the job was there. So each is followed by
/// a second wake.
const ECHO: Duration = Duration::from_millis(20);

/// How long to wait before connecting again. Until then the poll interval finds the jobs.
const RECONNECT: Duration = Duration::from_millis(500);

/// Yields whenever there may be a job. Stops listening when dropped.
pub(crate) fn wakes(redis: &Redis) -> impl Stream<Item = ()> + Unpin + Send + Sync + 'static {
    // One wake that was not yet looked at says as much as many.
    let (wake, mut woken) = mpsc::channel(1);
    let listener = AbortOnDropHandle::new(tokio::spawn(listen_always(redis.clone(), wake)));
    stream::poll_fn(move |cx| {
        let _lives_as_long = &listener;
        let poll = woken.poll_recv(cx);
        if poll.is_ready() {
            // apalis asks once and then works; this makes it ask again, which is what registers its waker.
            cx.waker().wake_by_ref();
        }
        poll
    })
}

async fn listen_always(redis: Redis, wake: mpsc::Sender<()>) {
    let mut outage = Outage::new("listen for new jobs");
    loop {
        let end = listen(&redis, &wake, &mut outage).await;
        outage.note(end.map_err(QueueError::from));
        tokio::time::sleep(RECONNECT).await;
    }
}

async fn listen(redis: &Redis, wake: &mpsc::Sender<()>, outage: &mut Outage) -> RedisResult<()> {
    let mut subscription = redis.client().get_async_pubsub().await?;
    subscription.subscribe(&NAMES.wake).await?;
    outage.note(Ok(()));
    // For what was added while nobody listened.
    let _full = wake.try_send(());
    let mut messages = subscription.on_message();
    while messages.next().await.is_some() {
        let _full = wake.try_send(());
        while let Ok(Some(_)) = timeout(ECHO, messages.next()).await {
            let _full = wake.try_send(());
        }
        let _full = wake.try_send(());
    }
    Ok(())
}
