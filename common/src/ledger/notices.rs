//! SMS that bring news and carry no code.

use std::sync::LazyLock;
use std::time::Duration;

use serde::Serialize;
use ulid::Ulid;

use crate::domain::ids::DeliveryId;
use crate::domain::message::NoticeKind;
use crate::domain::phone::E164;
use crate::ledger::connection::RedisConnection;
use crate::ledger::deliveries::DeliveryKey;
use crate::ledger::keys;
use crate::ledger::limits::{KEEP_DELIVERY, LedgerError, within_deadline};
use crate::ledger::script::{Call, Script, Source, named};
use crate::ledger::scripts;
use crate::queue::job::SendOtp;
use crate::runtime::clock::millis;

/// How long it is tried to send one.
const WORTH_SENDING_FOR: Duration = Duration::from_secs(60 * 60);

static NOTIFY: LazyLock<Script<NotifyCall<'static>>> = LazyLock::new(|| Script::new(&()));

named! {
    #[derive(Serialize)]
    pub(crate) struct NotifyCall<'a> {
        kind: &'a str,
        number: &'a str,
        happened_at: i64,
        expires_at: i64,
        /// How long the delivery can be looked up (ms).
        kept_for: i64,
        job_id: String,
        job: String,
    }
}

impl Call for NotifyCall<'_> {
    type Settings = ();
    type Keys = DeliveryKey;
    type Reply = bool;
    const SOURCE: Source = scripts::NOTIFY;
}

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
        let call = NotifyCall {
            kind: kind.into_str(),
            number: number.as_str(),
            happened_at: *happened_at,
            expires_at: happened_at + millis(WORTH_SENDING_FOR),
            kept_for: millis(WORTH_SENDING_FOR + KEEP_DELIVERY),
            job_id: job_id.to_string(),
            job: job.to_json(),
        };
        let mut redis = self.redis.clone();
        let keys = DeliveryKey { delivery: keys::delivery(delivery.as_str()) };
        within_deadline(NOTIFY.run(&mut redis, keys, &call)).await.map(|_| ())
    }
}
