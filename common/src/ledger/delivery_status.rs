//! Deliveries as the API sees them: looked up by clients, reported on by providers.

use std::sync::LazyLock;

use serde::Serialize;

use crate::domain::delivery::{DeliveryStatus, Reason};
use crate::domain::ids::DeliveryId;
use crate::ledger::connection::RedisConnection;
use crate::ledger::deliveries::DeliveryKey;
use crate::ledger::error::{LedgerError, within_deadline};
use crate::ledger::happened::HappenedSettings;
use crate::ledger::keys;
use crate::ledger::records::{self, Delivery};
use crate::ledger::script::{Call, Script, Source, named};
use crate::ledger::scripts;
use crate::runtime::clock::Clock;

static REPORT: LazyLock<Script<ReportCall<'static>>> =
    LazyLock::new(|| Script::new(&HappenedSettings::default()));

named! {
    #[derive(Serialize)]
    pub(crate) struct ReportCall<'a> {
        now: i64,
        status: &'static str,
        reason: Option<&'static str>,
        provider_id: &'a str,
        delivery_id: &'a str,
        /// The list of those that will not arrive, where it is kept.
        undelivered: Option<&'a str>,
    }
}

impl Call for ReportCall<'_> {
    type Settings = HappenedSettings;
    type Keys = DeliveryKey;
    type Reply = bool;
    const SOURCE: Source = scripts::REPORT;
}

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
    undelivered: Option<&'static str>,
}

impl DeliveryStatuses {
    /// The deliveries in this Redis.
    #[must_use]
    pub fn new(redis: RedisConnection, clock: Clock) -> Self {
        Self { redis, clock, undelivered: None }
    }

    /// The same, keeping what will not arrive for the operator's webhook, where it is set.
    #[must_use]
    pub fn telling_webhook(self, is_set: bool) -> Self {
        Self { undelivered: is_set.then_some(keys::UNDELIVERED), ..self }
    }

    /// Where a delivery is; none where it is not known, or not any more.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn find(&self, id: &DeliveryId) -> Result<Option<DeliveryProgress>, LedgerError> {
        let mut redis = self.redis.clone();
        let mut call = redis::cmd("GET");
        call.arg(keys::delivery(id.as_str()));
        let kept: Option<Vec<u8>> = within_deadline(call.query_async(&mut redis)).await?;
        let sms = kept.and_then(|kept| records::read::<Delivery>(&kept).ok()).unwrap_or_default();
        let Some(status) = sms.status.and_then(|status| status.parse().ok()) else {
            return Ok(None);
        };
        let ended_badly = matches!(
            status,
            DeliveryStatus::Failed | DeliveryStatus::Dropped | DeliveryStatus::Undelivered
        );
        let reason = sms.reason.filter(|_| ended_badly).and_then(|reason| reason.parse().ok());
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
        let call = ReportCall {
            now: self.clock.unix_ms(),
            status: report.status.into_str(),
            reason: report.reason.map(|reason| reason.into_str()),
            provider_id: &report.provider_id,
            delivery_id: id.as_str(),
            undelivered: self.undelivered,
        };
        let keys = DeliveryKey { delivery: keys::delivery(id.as_str()) };
        within_deadline(REPORT.run(&mut redis, keys, &call)).await.map(|_| ())
    }
}
