//! What came of a try, for the delivery and for its provider's breaker.

use std::time::Duration;

use serde::Serialize;
use strum::EnumString;

use crate::domain::delivery::{DeliveryStatus, Reason};
use crate::runtime::clock::millis;

/// What a try showed about the provider.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderState {
    /// It answered as it should, be it with a refusal.
    Works,
    /// It was not reached, failed, was silent, or had too much to do.
    Fails,
    /// It will accept nothing until an operator mends our settings or account.
    Misconfigured,
}

/// What came of a try.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Outcome {
    provider: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_state: Option<ProviderState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provider_code: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_at: Option<i64>,
    exclude: bool,
    surely_not_sent: bool,
    blames_number: bool,
}

impl Outcome {
    fn new(provider: &str, status: DeliveryStatus) -> Self {
        Self {
            provider: provider.to_owned(),
            status: status.into_str(),
            reason: None,
            provider_state: None,
            provider_id: None,
            provider_code: None,
            retry_after: None,
            retry_at: None,
            exclude: false,
            surely_not_sent: false,
            blames_number: false,
        }
    }

    /// The provider accepted it under its id.
    #[must_use]
    pub fn sent(provider: &str, provider_id: String) -> Self {
        let provider_state = Some(ProviderState::Works);
        Self {
            provider_id: Some(provider_id),
            provider_state,
            ..Self::new(provider, DeliveryStatus::Sent)
        }
    }

    /// To be tried again at `at` (Unix ms); the reason is told if it never works.
    #[must_use]
    pub fn retry(provider: &str, reason: Reason, at: i64) -> Self {
        let reason = Some(reason.into_str());
        Self { reason, retry_at: Some(at), ..Self::new(provider, DeliveryStatus::Queued) }
    }

    /// To be tried at once by another provider than this one.
    #[must_use]
    pub fn next_provider(provider: &str, reason: Reason) -> Self {
        Self { exclude: true, ..Self::retry(provider, reason, 0) }
    }

    /// Given up. A send that surely never left is given back to the limits, but for that of all
    /// sends where it is the number that the provider refused.
    #[must_use]
    pub fn failed(provider: &str, reason: Reason) -> Self {
        let surely_not_sent = reason != Reason::NoAnswer;
        Self {
            reason: Some(reason.into_str()),
            surely_not_sent,
            blames_number: reason.is_the_number_s(),
            ..Self::new(provider, DeliveryStatus::Failed)
        }
    }

    /// Not wanted any more.
    #[must_use]
    pub fn dropped(provider: &str, reason: Reason) -> Self {
        Self {
            surely_not_sent: true,
            ..Self { status: DeliveryStatus::Dropped.into_str(), ..Self::failed(provider, reason) }
        }
    }

    /// Who was asked.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Where the delivery is after it.
    #[must_use]
    pub fn status(&self) -> &'static str {
        self.status
    }

    /// What went wrong.
    #[must_use]
    pub fn reason(&self) -> Option<&'static str> {
        self.reason
    }

    /// What the try showed about the provider, its own code, and how long it asked to be left
    /// alone.
    #[must_use]
    pub fn with_provider_state(
        mut self,
        state: ProviderState,
        code: Option<u32>,
        retry_after: Option<Duration>,
    ) -> Self {
        self.provider_state = Some(state);
        self.provider_code = code;
        self.retry_after = retry_after.map(millis);
        self
    }
}

/// What a try did to its provider's breaker.
#[derive(Clone, Copy, Debug, EnumString, Eq, PartialEq)]
#[strum(serialize_all = "snake_case")]
pub enum BreakerEvent {
    /// Sends wait from now on.
    Opened,
    /// The probe failed: sends go on waiting, for longer.
    Reopened,
    /// Sends go out again.
    Closed,
}
