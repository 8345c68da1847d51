//! SMS that bring news and carry no code.

use std::sync::LazyLock;
use std::time::Duration;

use crate::ledger::connection::RedisConnection;
use ulid::Ulid;

use crate::domain::ids::DeliveryId;
use crate::domain::message::NoticeKind;
use crate::domain::phone::E164;
use crate::ledger::keys;
use crate::ledger::limits::{KEEP_DELIVERY, LedgerError, within_deadline};
use crate::queue::QueueScript;
use crate::queue::job::SendOtp;
use crate::runtime::clock::millis;

/// How long it is tried to send one.
const WORTH_SENDING_FOR: Duration = Duration::from_secs(60 * 60);

static NOTIFY: LazyLock<QueueScript> =
    LazyLock::new(|| QueueScript::new(include_str!("lua/notify.lua")));

/// One SMS without a code.
#[derive(Clone, Debug)]
pub struct Notice {
    kind: NoticeKind,
    number: E164,
    /// When what it tells happened (Unix ms).
    happened_at: i64,
    delivery: DeliveryId,
    job_id: Ulid,
    /// The HTTP request that it comes from, for the logs.
    request_id: String,
}

impl Notice {
    /// News for a number of what happened at `happened_at` (Unix ms). It is worth sending for an
    /// hour.
    #[must_use]
    pub fn new(kind: NoticeKind, number: E164, happened_at: i64, request_id: &str) -> Self {
        let (delivery, job_id, request_id) =
            (DeliveryId::random(), Ulid::generate(), request_id.to_owned());
        Self { kind, number, happened_at, delivery, job_id, request_id }
    }

    /// The SMS, as the logs name it.
    #[must_use]
    pub fn delivery(&self) -> &DeliveryId {
        &self.delivery
    }
}

/// Notices on their way to the workers.
#[derive(Clone, Debug)]
pub struct Notices {
    redis: RedisConnection,
}

impl Notices {
    /// Those in this Redis.
    #[must_use]
    pub fn new(redis: RedisConnection) -> Self {
        Self { redis }
    }

    /// Writes delivery and job. The same notice may be queued again after an error, and is sent
    /// once.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn queue(&self, notice: &Notice) -> Result<(), LedgerError> {
        let Notice { kind, number, happened_at, delivery, job_id, request_id } = notice;
        let job = SendOtp {
            delivery_id: delivery.to_string(),
            request_id: Some(request_id.clone()),
            traceparent: crate::runtime::telemetry::traces::traceparent(),
            job_id: None,
        };
        let mut call = NOTIFY.prepare_invoke();
        call.key(keys::delivery(delivery.as_str()))
            .arg(kind.into_str())
            .arg(number.as_str())
            .arg(happened_at)
            .arg(happened_at + millis(WORTH_SENDING_FOR))
            .arg(millis(WORTH_SENDING_FOR + KEEP_DELIVERY))
            .arg(job_id.to_string())
            .arg(job.to_json());
        let mut redis = self.redis.clone();
        within_deadline(call.invoke_async(&mut redis)).await
    }
}
