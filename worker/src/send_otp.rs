//! The job: still wanted? claim, send, record.

use std::future::Future;
use std::time::Duration;

use common::clock::{Clock, millis};
use common::delivery::Reason;
use common::jobs::SendOtp;
use common::message::Message;
use common::phone::masked;
use common::store::delivery::{Claim, DeliveryStore, Try};
use common::store::outcome::{BreakerEvent, Outcome, ProviderState};
use redis::RedisError;
use ulid::Ulid;

use crate::metrics;
use crate::provider::{FailureClass, Providers, SendError, Sms, SmsProvider};
use crate::retry::{self, Next};
use crate::sms_text::SmsText;

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
    #[tracing::instrument(name = "job", skip_all, fields(request_id = job.request_id))]
    pub async fn run(&self, job: SendOtp) {
        let claimant = Ulid::generate();
        let delivery_id = &job.delivery_id;
        let (outcome, tries) = match self.claim(&job, claimant).await {
            Claim::Send(this_try) => (self.try_once(&job, &this_try).await, this_try.number),
            Claim::Drop { reason } => {
                metrics::job_ran("dropped");
                return tracing::info!(event = "sms_dropped", delivery_id, reason);
            }
            Claim::Wait { why } => {
                metrics::job_ran("put_off");
                return tracing::debug!(event = "sms_put_off", delivery_id, reason = why);
            }
            Claim::Ended => return metrics::job_ran("ended_before"),
        };
        let breaker = until_redis_answers("record", || self.deliveries.record(&job, claimant, &outcome)).await;
        metrics::tried(&outcome, tries);
        report_breaker(breaker, &outcome);
    }

    /// Claims until there is an answer that is fresh enough: behind a Redis that hung, or a process that was frozen, the
    /// claim may have run out, and another worker may be sending.
    async fn claim(&self, job: &SendOtp, claimant: Ulid) -> Claim {
        loop {
            let claim = until_redis_answers("claim", || self.deliveries.claim(job, claimant)).await;
            let Claim::Send(this_try) = &claim else { return claim };
            self.wait_for_slot(this_try).await;
            if self.clock.unix_ms() - this_try.start_at <= millis(FRESH) {
                return claim;
            }
        }
    }

    async fn try_once(&self, job: &SendOtp, this_try: &Try) -> Outcome {
        let (delivery_id, provider_name) = (&job.delivery_id, this_try.provider.as_str());
        if this_try.after_unrecorded {
            metrics::may_repeat();
            tracing::warn!(event = "sms_may_repeat", delivery_id, reason = "a try before was never recorded");
        }
        let message = match &this_try.message {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(event = "sms_failed", delivery_id, reason = "code_unreadable", %error);
                return Outcome::failed(provider_name, Reason::CodeUnreadable);
            }
        };
        let Some(sms) = self.compose(job, this_try, message) else {
            tracing::info!(event = "sms_dropped", delivery_id, reason = "expired");
            return Outcome::dropped(provider_name, Reason::Expired);
        };
        let Some(provider) = self.providers.named(provider_name) else {
            // The claim knows only the names that this worker gave it.
            return Outcome::failed(provider_name, Reason::Misconfigured);
        };
        match metrics::provider_call(provider.name(), provider.send(&sms)).await {
            Ok(provider_id) => self.after_success(job, this_try, provider_id),
            Err(error) => self.after_failure(job, this_try, provider, &error),
        }
    }

    async fn wait_for_slot(&self, this_try: &Try) {
        let wait = u64::try_from(this_try.start_at - self.clock.unix_ms()).unwrap_or(0);
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }

    /// None where less than a second is left of its life.
    fn compose(&self, job: &SendOtp, this_try: &Try, message: &Message) -> Option<Sms> {
        let left = u64::try_from(this_try.expires_at - self.clock.unix_ms()).unwrap_or(0);
        let valid_for = Duration::from_secs(left / 1000);
        let body = self.text.render(message, Duration::from_millis(left));
        let (delivery_id, to) = (job.delivery_id.clone(), this_try.to.clone());
        (!valid_for.is_zero()).then_some(Sms { delivery_id, to, body, valid_for })
    }

    fn after_success(&self, job: &SendOtp, this_try: &Try, provider_id: String) -> Outcome {
        let waited_ms = self.clock.unix_ms() - this_try.requested_at;
        if this_try.message.as_ref().is_ok_and(|message| message.code().is_some()) {
            metrics::accepted(waited_ms);
        }
        let (delivery_id, provider, number) = (&job.delivery_id, &this_try.provider, masked(&this_try.to));
        tracing::info!(
            event = "sms_sent",
            delivery_id,
            provider,
            provider_id,
            number,
            waited_ms,
            r#try = this_try.number
        );
        Outcome::sent(provider, provider_id)
    }

    fn after_failure(&self, job: &SendOtp, this_try: &Try, provider: &dyn SmsProvider, error: &SendError) -> Outcome {
        let others_left = self
            .providers
            .iter()
            .any(|other| other.name() != provider.name() && !this_try.excluded.iter().any(|name| name == other.name()));
        let next = retry::after(error, this_try.number, others_left, self.clock.unix_ms(), this_try.expires_at);
        let (provider, reason) = (provider.name(), error.reason);
        let outcome = match next {
            Next::Retry { at } => Outcome::retry(provider, reason, at),
            Next::NextProvider => Outcome::next_provider(provider, reason),
            Next::GiveUp => Outcome::failed(provider, reason),
        };
        let (delivery_id, number, r#try) = (&job.delivery_id, masked(&this_try.to), this_try.number);
        if error.class == FailureClass::Misconfigured {
            // The breaker's event is the one that an operator gets, not one for each SMS.
            tracing::debug!(event = "sms_try_failed", delivery_id, provider, number, %error, r#try, ?next);
        } else {
            tracing::warn!(event = "sms_try_failed", delivery_id, provider, number, %error, r#try, ?next);
        }
        outcome.showing(state_shown_by(error.class), error.provider_code, error.retry_after)
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
