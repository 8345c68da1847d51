//! SMS that bring news and carry no code.

use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::domain::ids::DeliveryId;
use crate::domain::message::NoticeKind;
use crate::domain::phone::E164;
use crate::ledger::connection::RedisConnection;
use crate::ledger::deliveries::DeliveryKey;
use crate::ledger::error::{LedgerError, within_deadline};
use crate::ledger::keys;
use crate::ledger::script::{Call, Script, Source, named};
use crate::ledger::scripts;
use crate::ledger::settings::KEEP_DELIVERY;
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
        job_id: &'a str,
        job: String,
    }
}

impl Call for NotifyCall<'_> {
    type Settings = ();
    type Keys = DeliveryKey;
    type Reply = bool;
    const SOURCE: Source = scripts::NOTIFY;
}

/// One SMS without a code, as the outbox keeps it too.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Notice {
    kind: String,
    number: String,
    /// When what it tells happened (Unix ms).
    happened_at: i64,
    delivery_id: String,
    job_id: String,
    /// The HTTP request that it comes from, for the logs.
    request_id: String,
    /// The trace of that request.
    traceparent: Option<String>,
}

impl Notice {
    /// News for a number of what happened at `happened_at` (Unix ms). It is worth sending for an
    /// hour.
    #[must_use]
    pub fn new(kind: NoticeKind, number: &E164, happened_at: i64, request_id: &str) -> Self {
        Self {
            kind: kind.into_str().to_owned(),
            number: number.as_str().to_owned(),
            happened_at,
            delivery_id: DeliveryId::random().to_string(),
            job_id: Ulid::generate().to_string(),
            request_id: request_id.to_owned(),
            traceparent: crate::runtime::telemetry::traces::traceparent(),
        }
    }

    /// The SMS, as the logs name it.
    #[must_use]
    pub fn delivery(&self) -> &str {
        &self.delivery_id
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
        let job = SendOtp {
            delivery_id: notice.delivery_id.clone(),
            request_id: Some(notice.request_id.clone()),
            traceparent: notice.traceparent.clone(),
            job_id: None,
        };
        let call = NotifyCall {
            kind: &notice.kind,
            number: &notice.number,
            happened_at: notice.happened_at,
            expires_at: notice.happened_at + millis(WORTH_SENDING_FOR),
            kept_for: millis(WORTH_SENDING_FOR + KEEP_DELIVERY),
            job_id: &notice.job_id,
            job: job.to_json(),
        };
        let mut redis = self.redis.clone();
        let keys = DeliveryKey { delivery: keys::delivery(&notice.delivery_id) };
        within_deadline(NOTIFY.run(&mut redis, keys, &call)).await.map(|_| ())
    }
}
