//! The job: still wanted? claim, send, record.

use std::future::Future;
use std::time::Duration;

use common::domain::delivery::Reason;
use common::domain::message::Message;
use common::ledger::deliveries::{Attempt, Claim, DeliveryStore};
use common::ledger::outcome::{BreakerEvent, Outcome, ProviderState};
use common::queue::job::SendOtp;
use common::runtime::clock::{Clock, millis};
use redis::RedisError;
use tracing::Instrument;
use ulid::Ulid;

use crate::metrics;
use crate::provider::{FailureClass, Providers, SendError, Sms, SmsProvider};
use crate::send::retry::{self, Next};
use crate::send::sms_text::SmsText;
use crate::send::trace;

/// A claim outlives the provider's time limit by this, so that the outcome is recorded under it.
pub const CLAIM_MARGIN: Duration = Duration::from_secs(2);
/// A call that begins this long after its instant still ends, and is recorded, within its claim.
const FRESH: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Sends one-time passwords, and news without one.
#[derive(Clone, Debug)]
pub struct OtpSender {
    /// What was asked for.
    pub deliveries: DeliveryStore,
    /// Who sends.
    pub providers: Providers,
    /// What the SMS says.
    pub text: SmsText,
    /// SMS expire by it.
    pub clock: Clock,
}

impl OtpSender {
    /// Does one job. Redis is waited for, however long it takes: a job is not over before its outcome is recorded.
    pub async fn run(&self, job: SendOtp) {
        let span = trace::job(&job);
        let outcome = self.work(&job).instrument(span.clone()).await;
        span.record("outcome", outcome);
        metrics::job_ran(outcome);
    }

    /// Answers what the job came to.
    #[tracing::instrument(name = "job", skip_all, fields(request_id = job.request_id))]
    async fn work(&self, job: &SendOtp) -> &'static str {
        let claimant = Ulid::generate();
        let delivery_id = &job.delivery_id;
        let (outcome, tries) = match self.claim(job, claimant).await {
            Claim::Send(attempt) => (self.try_once(job, &attempt).await, attempt.number),
            Claim::Drop { reason } => {
                tracing::info!(event = "sms_dropped", delivery_id, reason);
                return "dropped";
            }
            Claim::Wait { why } => {
                tracing::debug!(event = "sms_put_off", delivery_id, reason = why);
                return "put_off";
            }
            Claim::Ended => return "ended_before",
        };
        let breaker = until_redis_answers("record", || self.deliveries.record(job, claimant, &outcome)).await;
        report_breaker(breaker, &outcome);
        metrics::tried(&outcome, tries)
    }

    /// Claims until there is an answer that is fresh enough: behind a Redis that hung, or a process that was frozen, the
    /// claim may have run out, and another worker may be sending.
    async fn claim(&self, job: &SendOtp, claimant: Ulid) -> Claim {
        loop {
            let claim = until_redis_answers("claim", || self.deliveries.claim(job, claimant)).await;
            let Claim::Send(attempt) = &claim else { return claim };
            self.wait_for_slot(attempt).await;
            if self.clock.unix_ms() - attempt.start_at <= millis(FRESH) {
                return claim;
            }
        }
    }

    async fn try_once(&self, job: &SendOtp, attempt: &Attempt) -> Outcome {
        let (delivery_id, provider_name) = (&job.delivery_id, attempt.provider.as_str());
        if attempt.after_unrecorded {
            metrics::may_repeat();
            tracing::warn!(event = "sms_may_repeat", delivery_id, reason = "a try before was never recorded");
        }
        let message = match &attempt.message {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(event = "sms_failed", delivery_id, reason = "code_unreadable", %error);
                return Outcome::failed(provider_name, Reason::CodeUnreadable);
            }
        };
        let Some(sms) = self.compose(job, attempt, message) else {
            tracing::info!(event = "sms_dropped", delivery_id, reason = "expired");
            return Outcome::dropped(provider_name, Reason::Expired);
        };
        let Some(provider) = self.providers.named(provider_name) else {
            // The claim knows only the names that this worker gave it.
            return Outcome::failed(provider_name, Reason::Misconfigured);
        };
        match metrics::provider_call(provider.name(), provider.send(&sms)).await {
            Ok(provider_id) => self.after_success(job, attempt, provider_id),
            Err(error) => self.after_failure(job, attempt, provider, &error),
        }
    }

    async fn wait_for_slot(&self, attempt: &Attempt) {
        let wait = u64::try_from(attempt.start_at - self.clock.unix_ms()).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    /// None where less than a second is left of its life.
    fn compose(&self, job: &SendOtp, attempt: &Attempt, message: &Message) -> Option<Sms> {
        let left = u64::try_from(attempt.expires_at - self.clock.unix_ms()).unwrap_or(0);
        let valid_for = Duration::from_secs(left / 1000);
        let body = self.text.render(message, Duration::from_millis(left));
        let (delivery_id, to) = (job.delivery_id.clone(), attempt.to.clone());
        (!valid_for.is_zero()).then_some(Sms { delivery_id, to, body, valid_for })
    }

    fn after_success(&self, job: &SendOtp, attempt: &Attempt, provider_id: String) -> Outcome {
        let waited_ms = self.clock.unix_ms() - attempt.requested_at;
        if attempt.message.as_ref().is_ok_and(|message| message.code().is_some()) {
            metrics::accepted(waited_ms);
        }
        let (delivery_id, provider, number) = (&job.delivery_id, &attempt.provider, &attempt.to);
        tracing::info!(
            event = "sms_sent",
            delivery_id,
            provider,
            provider_id,
            %number,
            waited_ms,
            r#try = attempt.number
        );
        Outcome::sent(provider, provider_id)
    }

    fn after_failure(
        &self,
        job: &SendOtp,
        attempt: &Attempt,
        provider: &dyn SmsProvider,
        error: &SendError,
    ) -> Outcome {
        let others_left = self
            .providers
            .iter()
            .any(|other| other.name() != provider.name() && !attempt.excluded.iter().any(|name| name == other.name()));
        let next = retry::after(error, attempt.number, others_left, self.clock.unix_ms(), attempt.expires_at);
        let (provider, reason) = (provider.name(), error.reason);
        let outcome = match next {
            Next::Retry { at } => Outcome::retry(provider, reason, at),
            Next::NextProvider => Outcome::next_provider(provider, reason),
            Next::GiveUp => Outcome::failed(provider, reason),
        };
        let (delivery_id, number, r#try) = (&job.delivery_id, &attempt.to, attempt.number);
        if error.class == FailureClass::Misconfigured {
            // The breaker's event is the one that an operator gets, not one for each SMS.
            tracing::debug!(event = "sms_try_failed", delivery_id, provider, %number, %error, r#try, ?next);
        } else {
            tracing::warn!(event = "sms_try_failed", delivery_id, provider, %number, %error, r#try, ?next);
        }
        outcome.with_provider_state(state_shown_by(error.class), error.provider_code, error.retry_after)
    }
}

fn state_shown_by(class: FailureClass) -> ProviderState {
    match class {
        FailureClass::Permanent => ProviderState::Works,
        FailureClass::Misconfigured => ProviderState::Misconfigured,
        FailureClass::Throttled | FailureClass::Transient | FailureClass::Ambiguous => ProviderState::Fails,
    }
}

fn report_breaker(event: Option<BreakerEvent>, outcome: &Outcome) {
    let (provider, reason) = (outcome.provider(), outcome.reason().unwrap_or_default());
    match event {
        Some(BreakerEvent::Opened) => tracing::error!(event = "breaker_opened", provider, reason),
        Some(BreakerEvent::Reopened) => tracing::info!(event = "breaker_reopened", provider, reason),
        Some(BreakerEvent::Closed) => tracing::info!(event = "breaker_closed", provider),
        None => {}
    }
}

/// Repeats a script until Redis has answered. What it did before an answer was lost is found by the claim.
async fn until_redis_answers<T, F>(what: &'static str, mut call: impl FnMut() -> F) -> T
where
    F: Future<Output = Result<T, RedisError>>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(error) => tracing::warn!(event = "redis_waited_for", what, %error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
