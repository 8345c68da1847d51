//! The development inbox: what the console provider would have sent, on its way from the workers to
//! the API. It goes over a channel of Redis, which stores nothing.

use std::convert::Infallible;
use std::fmt;

use crate::ledger::connection::RedisConnection;
use redis::RedisResult;
use serde::{Deserialize, Serialize};

use crate::domain::phone::E164;
use crate::ledger::connection::Redis;
use crate::ledger::subscription::Subscription;

const CHANNEL: &str = "{cheershare}:dev:inbox";

/// An SMS as a phone would show it. `Debug` hides what it says and to whom.
#[derive(Clone, Deserialize, Serialize)]
pub struct InboxMessage {
    /// Which one.
    pub id: String,
    /// Unix ms.
    pub sent_at: i64,
    pub to: E164,
    /// What the phone shows.
    pub body: String,
}

impl fmt::Debug for InboxMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InboxMessage")
            .field("id", &self.id)
            .field("to", &self.to)
            .finish_non_exhaustive()
    }
}

/// Tells every API process of a message.
#[derive(Clone)]
pub struct InboxPublisher(RedisConnection);

impl fmt::Debug for InboxPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InboxPublisher")
    }
}

impl InboxPublisher {
    /// Over this connection.
    #[must_use]
    pub fn new(connection: RedisConnection) -> Self {
        Self(connection)
    }

    /// Whoever listens gets it; nobody has to.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn publish(&self, message: &InboxMessage) -> RedisResult<()> {
        let text = serde_json::to_string(message).map_err(std::io::Error::from)?;
        redis::cmd("PUBLISH").arg(CHANNEL).arg(text).query_async(&mut self.0.clone()).await
    }
}

/// Passes messages on until the connection is lost.
///
/// # Errors
/// Redis cannot be reached.
pub async fn listen(
    redis: &Redis,
    mut on_message: impl FnMut(InboxMessage),
) -> RedisResult<Infallible> {
    let mut subscription = Subscription::open(&redis.primary().await?, CHANNEL).await?;
    loop {
        if let Ok(message) = serde_json::from_slice(subscription.next().await?.get_payload_bytes())
        {
            on_message(message);
        }
    }
}
