//! `/admin/queue` and `/admin/breakers`

use std::sync::Arc;

use common::admin::breakers;
use common::admin::queue_stats;
use common::admin::queue_summary::QueueSummary;
use common::config::ProviderName;
use common::domain::admin_action::AdminActionKind;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use time::OffsetDateTime;

use super::Tag;
use super::failures::failures;
use super::payloads::Because;
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::Failure;
use crate::http::strict_json::StrictJson;

#[derive(Debug)]
pub(super) struct QueueApi;

/// What waits to be sent, and what ended unsent.
#[derive(Debug, Object)]
#[oai(example)]
struct Queue {
    /// Workers that live.
    workers: u64,
    /// Jobs that wait for a worker.
    waiting: u64,
    /// Jobs that wait for another try.
    retrying: u64,
    /// Jobs that a worker is at.
    in_flight: u64,
    /// How long the oldest has waited.
    oldest_waiting_seconds: f64,
    /// Deliveries that ended without being sent, 1,000 at most.
    dead_letters: u64,
    /// How many of them ended why.
    dead_letters_by_reason: Vec<ReasonCount>,
}

/// How many deliveries ended for one reason.
#[derive(Debug, Object)]
struct ReasonCount {
    /// Why.
    reason: String,
    /// How many.
    count: u64,
}

/// The breakers of all providers.
#[derive(Debug, Object)]
#[oai(example)]
struct Breakers {
    /// One for each provider.
    breakers: Vec<Breaker>,
}

/// Whether a provider is called.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
struct Breaker {
    /// Whose.
    provider: Provider,
    /// Whether it is called.
    state: BreakerState,
    /// Failures since it last worked.
    failures: u32,
    /// Whether one of them was of our own settings or account.
    misconfigured: bool,
    /// Where it is open, when it may be tried again (RFC 3339, UTC).
    retry_at: Option<OffsetDateTime>,
}

/// `closed`: the provider is called. `open`: it is not. `half_open`: a probe decides.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "queue_stats::BreakerState")]
enum BreakerState {
    Closed,
    Open,
    HalfOpen,
}

/// Who sends SMS.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "ProviderName")]
enum Provider {
    Twilio,
    Webhook,
    Console,
}

failures! {
    SeeFailures { RedisUnavailable }
    ResetFailures {
        InvalidParameter, InvalidPayload, InvalidReason, RequestTimeout, PayloadTooLarge,
        UnsupportedMediaType, RedisUnavailable,
    }
}

#[OpenApi]
impl QueueApi {
    /// See what waits
    #[oai(path = "/admin/queue", method = "get", tag = "Tag::Queue", operation_id = "getQueue")]
    async fn queue(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
    ) -> Result<Json<Queue>, Failure<SeeFailures>> {
        let now = state.app.clock.unix_ms();
        let summary = QueueSummary::read(&mut state.redis.clone(), now).await?;
        let reasons = summary.dead_letters.reasons.into_iter();
        Ok(Json(Queue {
            workers: summary.workers,
            waiting: summary.waiting,
            retrying: summary.retrying,
            in_flight: summary.in_flight,
            oldest_waiting_seconds: summary.oldest_waiting_seconds,
            dead_letters: summary.dead_letters.kept,
            dead_letters_by_reason: reasons
                .map(|(reason, count)| ReasonCount { reason, count })
                .collect(),
        }))
    }

    /// See which providers are called
    #[oai(
        path = "/admin/breakers",
        method = "get",
        tag = "Tag::Queue",
        operation_id = "listBreakers"
    )]
    async fn breakers(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
    ) -> Result<Json<Breakers>, Failure<SeeFailures>> {
        let (mut redis, now) = (state.redis.clone(), state.app.clock.unix_ms());
        let found = breakers::Breaker::all(&mut redis, now).await?.into_iter();
        let breakers = found.map(|(provider, breaker)| Breaker::of(provider, breaker)).collect();
        Ok(Json(Breakers { breakers }))
    }

    /// Close a breaker
    ///
    /// The provider is called again at once. Answers how the breaker was before.
    #[oai(
        path = "/admin/breakers/:provider/reset",
        method = "post",
        tag = "Tag::Queue",
        operation_id = "resetBreaker"
    )]
    async fn reset(
        &self,
        state: Data<&Arc<AdminState>>,
        key: AdminKeyHolder,
        /// Whose.
        #[oai(example = "example_provider")]
        provider: Path<Provider>,
        body: StrictJson<Because>,
    ) -> Result<Json<Breaker>, Failure<ResetFailures>> {
        let reason = body.0.reason()?;
        let provider = ProviderName::from(provider.0);
        let name = provider.into_str();
        let kind = AdminActionKind::BreakerReset;
        key.notes(&state, kind, |action| action.about(name).because(reason)).await?;
        let now = state.app.clock.unix_ms();
        let before = breakers::Breaker::reset(&mut state.redis.clone(), name, now).await?;
        Ok(Json(Breaker::of(provider, before)))
    }
}

impl Breaker {
    fn of(provider: ProviderName, breaker: breakers::Breaker) -> Self {
        Self {
            provider: provider.into(),
            state: breaker.state.into(),
            failures: breaker.failures,
            misconfigured: breaker.misconfigured,
            retry_at: breaker.open_until.map(|until| until.time()),
        }
    }
}

fn example_provider() -> Provider {
    Provider::Twilio
}

impl Example for Queue {
    fn example() -> Self {
        Self {
            workers: 2,
            waiting: 3,
            retrying: 1,
            in_flight: 4,
            oldest_waiting_seconds: 0.2,
            dead_letters: 1,
            dead_letters_by_reason: vec![ReasonCount {
                reason: "invalid_number".to_owned(),
                count: 1,
            }],
        }
    }
}

impl Example for Breakers {
    fn example() -> Self {
        Self { breakers: vec![Breaker::example()] }
    }
}

impl Example for Breaker {
    fn example() -> Self {
        Self {
            provider: Provider::Twilio,
            state: BreakerState::Closed,
            failures: 0,
            misconfigured: false,
            retry_at: None,
        }
    }
}
