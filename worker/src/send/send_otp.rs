//! The job: claim an attempt if the SMS is still wanted, send, record the outcome.

use std::time::Duration;

use common::domain::delivery::Reason;
use common::domain::message::Message;
use common::ledger::deliveries::{Attempt, Claim, DeliveryStore};
use common::ledger::outcome::{BreakerEvent, Outcome, ProviderState};
use common::queue::job::SendOtp;
use common::runtime::clock::{Clock, millis};
use common::runtime::retry::{Backoff, retry_until_ok};
use redis::RedisError;
use tracing::Instrument;
use ulid::Ulid;

use crate::metrics;
use crate::provider::{FailureClass, Providers, SendError, Sms, SmsProvider};
use crate::send::recent_attempts::RecentAttempts;
use crate::send::retry::{self, Next};
use crate::send::sms_text::SmsText;
use crate::send::trace;

/// A claim outlives the provider's time limit by this, so that the outcome is recorded under it.
pub const CLAIM_MARGIN: Duration = Duration::from_secs(2);
/// A call that begins this long after `Attempt::start_at` still ends, and is recorded, within its
/// claim.
const START_WINDOW: Duration = Duration::from_secs(1);
/// Between calls of a Redis that does not answer.
const REDIS_BACKOFF: Backoff =
    Backoff { first: Duration::from_millis(100), longest: Duration::from_secs(2) };

/// Sends the SMS of deliveries: OTPs and notices.
#[derive(Clone, Debug)]
pub struct OtpSender {
    pub deliveries: DeliveryStore,
    pub providers: Providers,
    pub text: SmsText,
    pub clock: Clock,
    pub recent: RecentAttempts,
}

impl OtpSender {
    /// Runs one job. It waits for Redis as long as that takes: a job has not ended before its
    /// outcome is recorded.
    pub async fn run(&self, job: SendOtp) {
        let span = trace::job(&job);
        let outcome = self.deliver(&job).instrument(span.clone()).await;
        span.record("outcome", outcome);
        metrics::job_ran(outcome);
    }

    /// Returns the outcome as `cheershare_jobs_total` has it.
    #[tracing::instrument(name = "job", skip_all, fields(request_id = job.request_id))]
    async fn deliver(&self, job: &SendOtp) -> &'static str {
        let claimant = Ulid::generate();
        let delivery_id = &job.delivery_id;
        let attempt = match self.claim(job, claimant).await {
            Claim::Send(attempt) => attempt,
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
        let send = self.send(job, &attempt);
        let outcome = self.recent.run(delivery_id, attempt.number, send).await;
        let record = || self.deliveries.record(job, claimant, &outcome);
        let breaker =
            retry_until_ok(REDIS_BACKOFF, record, |error| log_retry("record", &error)).await;
        log_breaker(breaker, &outcome);
        match outcome.status() {
            "queued" => "retried",
            end => {
                metrics::delivery_ended(attempt.number);
                end
            }
        }
    }

    /// Claims, and waits until the attempt may start. Repeats where that comes too late, after
    /// Redis hung or the process was frozen: the claim may have expired, and another worker may be
    /// sending.
    async fn claim(&self, job: &SendOtp, claimant: Ulid) -> Claim {
        loop {
            let claim = || self.deliveries.claim(job, claimant);
            let claim =
                retry_until_ok(REDIS_BACKOFF, claim, |error| log_retry("claim", &error)).await;
            let Claim::Send(attempt) = &claim else { return claim };
            let wait = u64::try_from(attempt.start_at - self.clock.unix_ms()).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(wait)).await;
            if self.clock.unix_ms() - attempt.start_at <= millis(START_WINDOW) {
                return claim;
            }
        }
    }

    async fn send(&self, job: &SendOtp, attempt: &Attempt) -> Outcome {
        let delivery_id = &job.delivery_id;
        let provider_name = attempt.provider.as_str();
        if attempt.after_unrecorded {
            metrics::may_repeat();
            tracing::warn!(
                event = "sms_may_repeat",
                delivery_id,
                reason = "a try before was never recorded"
            );
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
            // It does not happen: the script chooses among the names that this worker gave it.
            return Outcome::failed(provider_name, Reason::Misconfigured);
        };
        match metrics::provider_call(provider.name(), provider.send(&sms)).await {
            Ok(provider_id) => self.sent(job, attempt, provider_id),
            Err(error) => self.not_sent(job, attempt, provider, &error),
        }
    }

    /// None where less than a second is left until the OTP or notice expires.
    fn compose(&self, job: &SendOtp, attempt: &Attempt, message: &Message) -> Option<Sms> {
        let left = u64::try_from(attempt.expires_at - self.clock.unix_ms()).unwrap_or(0);
        let valid_for = Duration::from_secs(left / 1000);
        (!valid_for.is_zero()).then(|| Sms {
            delivery_id: job.delivery_id.clone(),
            to: attempt.to.clone(),
            body: self.text.render(message, Duration::from_millis(left)),
            valid_for,
        })
    }

    fn sent(&self, job: &SendOtp, attempt: &Attempt, provider_id: String) -> Outcome {
        let waited_ms = self.clock.unix_ms() - attempt.requested_at;
        if attempt.message.as_ref().is_ok_and(|message| message.code().is_some()) {
            metrics::accepted(waited_ms);
        }
        tracing::info!(
            event = "sms_sent",
            delivery_id = job.delivery_id,
            provider = attempt.provider,
            provider_id,
            number = %attempt.to,
            waited_ms,
            r#try = attempt.number
        );
        Outcome::sent(&attempt.provider, provider_id)
    }

    fn not_sent(
        &self,
        job: &SendOtp,
        attempt: &Attempt,
        provider: &dyn SmsProvider,
        error: &SendError,
    ) -> Outcome {
        let is_excluded = |name| attempt.excluded.iter().any(|excluded| excluded == name);
        let others_left = self
            .providers
            .iter()
            .any(|other| other.name() != provider.name() && !is_excluded(other.name()));
        let next = retry::after(
            error,
            attempt.number,
            others_left,
            self.clock.unix_ms(),
            attempt.expires_at,
        );
        let provider = provider.name();
        let outcome = match next {
            Next::Retry { at } => Outcome::retry(provider, error.reason, at),
            Next::NextProvider => Outcome::next_provider(provider, error.reason),
            Next::GiveUp => Outcome::failed(provider, error.reason),
        };
        let delivery_id = &job.delivery_id;
        let number = &attempt.to;
        let r#try = attempt.number;
        if error.class == FailureClass::Misconfigured {
            // An operator is told once, by the breaker's event, and not for each SMS.
            tracing::debug!(event = "sms_try_failed", delivery_id, provider, %number, %error, r#try, ?next);
        } else {
            tracing::warn!(event = "sms_try_failed", delivery_id, provider, %number, %error, r#try, ?next);
        }
        outcome.with_provider_state(
            provider_state(error.class),
            error.provider_code,
            error.retry_after,
        )
    }
}

fn provider_state(class: FailureClass) -> ProviderState {
    match class {
        FailureClass::Permanent => ProviderState::Works,
        FailureClass::Misconfigured => ProviderState::Misconfigured,
        FailureClass::Throttled | FailureClass::Transient | FailureClass::Ambiguous => {
            ProviderState::Fails
        }
    }
}

fn log_breaker(event: Option<BreakerEvent>, outcome: &Outcome) {
    let provider = outcome.provider();
    let reason = outcome.reason().unwrap_or_default();
    match event {
        Some(BreakerEvent::Opened) => tracing::error!(event = "breaker_opened", provider, reason),
        Some(BreakerEvent::Reopened) => {
            tracing::info!(event = "breaker_reopened", provider, reason)
        }
        Some(BreakerEvent::Closed) => tracing::info!(event = "breaker_closed", provider),
        None => {}
    }
}

/// A call whose answer was lost may be repeated: by the claimant the script knows its own claim.
fn log_retry(what: &'static str, error: &RedisError) {
    tracing::warn!(event = "redis_waited_for", what, %error);
}
