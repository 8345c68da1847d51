//! Deliveries as the API sees them: looked up by clients, reported on by providers.

use std::sync::LazyLock;

use crate::ledger::connection::RedisConnection;
use redis::Script;

use crate::domain::delivery::{DeliveryStatus, Reason};
use crate::domain::ids::DeliveryId;
use crate::ledger::keys;
use crate::ledger::limits::{LedgerError, within_deadline};
use crate::ledger::script;
use crate::runtime::clock::Clock;

static REPORT: LazyLock<Script> = LazyLock::new(|| {
    let parts = [
        include_str!("lua/limits.lua"),
        include_str!("lua/give_back.lua"),
        include_str!("lua/deliveries.lua"),
        include_str!("lua/report.lua"),
    ];
    // It needs none.
    Script::new(&script::text(&parts, &()))
});

/// Where a delivery is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DeliveryProgress {
    /// The station.
    pub status: DeliveryStatus,
    /// Why it ended, where it ended without reaching the phone.
    pub reason: Option<Reason>,
}

/// What a provider says of an SMS.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DeliveryReport {
    /// The station.
    pub status: DeliveryStatus,
    /// Why it went no farther.
    pub reason: Option<Reason>,
    /// The provider's name for the message.
    pub provider_id: String,
}

/// Deliveries, to look up.
#[derive(Clone, Debug)]
pub struct DeliveryStatuses {
    redis: RedisConnection,
    clock: Clock,
}

impl DeliveryStatuses {
    /// The deliveries in this Redis.
    #[must_use]
    pub fn new(redis: RedisConnection, clock: Clock) -> Self {
        Self { redis, clock }
    }

    /// Where a delivery is; none where it is not known, or not any more.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn find(&self, id: &DeliveryId) -> Result<Option<DeliveryProgress>, LedgerError> {
        let mut redis = self.redis.clone();
        let mut call = redis::cmd("HMGET");
        call.arg(keys::delivery(id.as_str())).arg("status").arg("reason");
        let (status, reason): (Option<String>, Option<String>) =
            within_deadline(call.query_async(&mut redis)).await?;
        let Some(status) = status.and_then(|status| status.parse().ok()) else { return Ok(None) };
        let ended_badly = matches!(
            status,
            DeliveryStatus::Failed | DeliveryStatus::Dropped | DeliveryStatus::Undelivered
        );
        let reason = reason.filter(|_| ended_badly).and_then(|reason| reason.parse().ok());
        Ok(Some(DeliveryProgress { status, reason }))
    }

    /// Takes in a provider's report. Reports come late, twice and out of order: the delivery moves
    /// forward only.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn report(
        &self,
        id: &DeliveryId,
        report: &DeliveryReport,
    ) -> Result<(), LedgerError> {
        let mut redis = self.redis.clone();
        let mut call = REPORT.prepare_invoke();
        call.key(keys::delivery(id.as_str()))
            .arg(self.clock.unix_ms())
            .arg(report.status.into_str())
            .arg(report.reason.map_or("", |reason| reason.into_str()))
            .arg(&report.provider_id);
        within_deadline(call.invoke_async(&mut redis)).await
    }
}
