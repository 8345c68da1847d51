//! The OTP ledger as the worker uses it: tries claimed, codes opened, outcomes recorded.

use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{FromRedisValue, RedisError, Value};
use ulid::Ulid;

use super::keys;
use super::ledger::GUESSES_PER_CHALLENGE;
use crate::clock::{Clock, millis};
use crate::code::{CannotOpen, Code, OtpKeys};
use crate::jobs::SendOtp;
use crate::queue::QueueScript;

static CLAIM: LazyLock<QueueScript> =
    LazyLock::new(|| QueueScript::new(concat!(include_str!("lua/limits.lua"), include_str!("lua/claim.lua"))));
static RECORD: LazyLock<QueueScript> =
    LazyLock::new(|| QueueScript::new(concat!(include_str!("lua/limits.lua"), include_str!("lua/record.lua"))));

/// What to do about a job.
#[derive(Debug)]
pub enum Claim {
    /// Send: this try is ours.
    Send(Box<Try>),
    /// Nobody wants the SMS any more, or the code cannot be opened.
    Drop {
        /// One of a small stable set, for logs and counters.
        reason: String,
    },
    /// Another try is claimed; the job has been put off until that claim runs out.
    Wait,
    /// The delivery has ended before.
    Ended,
}

/// One try at one SMS.
#[derive(Debug)]
pub struct Try {
    /// The number to send to, in E.164.
    pub to: String,
    /// The code to send, or why it cannot be had.
    pub code: Result<Code, CannotOpen>,
    /// When the code expires (Unix ms).
    pub expires_at: i64,
    /// When the client asked (Unix ms).
    pub requested_at: i64,
    /// 1 for the first.
    pub number: u32,
    /// Whether the try before this one was never recorded, so that this one may send a second SMS.
    pub after_unrecorded: bool,
}

/// What came of a try.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// The provider accepted it under this id.
    Sent {
        /// The provider's name for the message.
        provider_id: String,
    },
    /// To be tried again.
    Retry {
        /// When (Unix ms).
        at: i64,
        /// What went wrong this time.
        reason: &'static str,
    },
    /// Given up.
    Failed {
        /// What went wrong.
        reason: &'static str,
        /// Whether the SMS may be on its way all the same; then its send is not given back.
        may_arrive: bool,
    },
    /// Not wanted any more.
    Dropped {
        /// Why.
        reason: &'static str,
    },
}

/// The deliveries in Redis.
#[derive(Clone, Debug)]
pub struct DeliveryStore {
    redis: ConnectionManager,
    keys: OtpKeys,
    clock: Clock,
}

impl DeliveryStore {
    /// The deliveries whose codes `keys` open.
    #[must_use]
    pub fn new(redis: ConnectionManager, keys: OtpKeys, clock: Clock) -> Self {
        Self { redis, keys, clock }
    }

    /// Claims a try for `time_limit`, if the SMS is still wanted and nobody else is at it. A claimant that lost the
    /// answer may ask again.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses; the try may be claimed all the same.
    pub async fn claim(&self, job: &SendOtp, claimant: Ulid, time_limit: Duration) -> Result<Claim, RedisError> {
        let mut redis = self.redis.clone();
        let now = self.clock.unix_ms();
        let answer: Vec<Value> = CLAIM
            .prepare_invoke()
            .key(keys::delivery(&job.delivery_id))
            .arg(now)
            .arg(now + millis(time_limit))
            .arg(&job.delivery_id)
            .arg(claimant.to_string())
            .arg(Ulid::generate().to_string())
            .arg(job.to_json())
            .arg(keys::CHALLENGE_PREFIX)
            .arg(keys::BUCKET_PREFIX)
            .arg(keys::SENDS_PREFIX)
            .arg(GUESSES_PER_CHALLENGE)
            .invoke_async(&mut redis)
            .await?;
        self.read_claim(answer)
    }

    fn read_claim(&self, answer: Vec<Value>) -> Result<Claim, RedisError> {
        type SendFields = (String, String, String, String, String, Vec<u8>, i64, u32, i64, bool);
        let verdict: Option<String> = answer.first().cloned().map(FromRedisValue::from_redis_value).transpose()?;
        match verdict.as_deref() {
            Some("drop") => {
                let (_, reason): (String, String) = FromRedisValue::from_redis_value(Value::Array(answer))?;
                Ok(Claim::Drop { reason })
            }
            Some("wait") => Ok(Claim::Wait),
            Some("send") => {
                let (_, purpose, to, challenge, key_id, sealed, expires_at, number, requested_at, after_unrecorded): SendFields =
                    FromRedisValue::from_redis_value(Value::Array(answer))?;
                let code = self.keys.open(&key_id, &sealed, &purpose, &to, &challenge);
                Ok(Claim::Send(Box::new(Try { to, code, expires_at, requested_at, number, after_unrecorded })))
            }
            _ => Ok(Claim::Ended),
        }
    }

    /// Records what came of a try, and writes the job of the next one with it.
    ///
    /// # Errors
    /// Redis cannot be reached or refuses.
    pub async fn record(&self, job: &SendOtp, claimant: Ulid, outcome: &Outcome) -> Result<(), RedisError> {
        let mut redis = self.redis.clone();
        let (status, reason, provider_id, give_back) = match outcome {
            Outcome::Sent { provider_id } => ("sent", "", provider_id.as_str(), false),
            Outcome::Retry { reason, .. } => ("queued", *reason, "", false),
            Outcome::Failed { reason, may_arrive } => ("failed", *reason, "", !may_arrive),
            Outcome::Dropped { reason } => ("dropped", *reason, "", true),
        };
        let mut call = RECORD.prepare_invoke();
        call.key(keys::delivery(&job.delivery_id))
            .arg(status)
            .arg(claimant.to_string())
            .arg(reason)
            .arg(provider_id)
            .arg(give_back)
            .arg(keys::BUCKET_PREFIX)
            .arg(keys::SENDS_PREFIX);
        if let Outcome::Retry { at, .. } = outcome {
            call.arg(at).arg(Ulid::generate().to_string()).arg(job.to_json());
        }
        call.invoke_async(&mut redis).await
    }
}
