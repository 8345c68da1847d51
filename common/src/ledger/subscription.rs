//! A channel of Redis that is listened to, until nobody is at the other end any more.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use redis::{Client, Msg, RedisResult, Value};
use tokio::time::timeout;

/// For connecting and subscribing.
const OPEN_TIMEOUT: Duration = Duration::from_secs(2);
/// A subscription that heard nothing for so long is asked for a sign of life.
const QUIET: Duration = Duration::from_secs(1);
/// How long it has for that.
const SIGN_OF_LIFE_TIMEOUT: Duration = Duration::from_secs(1);

/// A channel that is listened to.
pub struct Subscription {
    sink: PubSubSink,
    messages: PubSubStream,
}

impl Subscription {
    /// Listens to `channel`.
    ///
    /// # Errors
    /// Redis cannot be reached within two seconds, or refuses.
    pub async fn open(client: &Client, channel: &str) -> RedisResult<Self> {
        let open = async {
            let mut subscription = client.get_async_pubsub().await?;
            subscription.subscribe(channel).await?;
            let (sink, messages) = subscription.split();
            Ok(Self { sink, messages })
        };
        timeout(OPEN_TIMEOUT, open).await.map_err(io::Error::from)?
    }

    /// The next message.
    ///
    /// # Errors
    /// The connection is lost, or shows no sign of life for two seconds.
    pub async fn next(&mut self) -> RedisResult<Msg> {
        loop {
            match timeout(QUIET, self.messages.next()).await {
                Ok(Some(message)) => return Ok(message),
                Ok(None) => return Err(io::Error::from(io::ErrorKind::ConnectionReset).into()),
                Err(_quiet) => {
                    let sign_of_life = timeout(SIGN_OF_LIFE_TIMEOUT, self.sink.ping::<Value>());
                    sign_of_life.await.map_err(io::Error::from)??;
                }
            }
        }
    }
}
