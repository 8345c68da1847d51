//! The job: still wanted? claim, send, record.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use common::clock::Clock;
use common::code::Code;
use common::jobs::SendOtp;
use common::phone::masked;
use common::store::delivery::{Claim, DeliveryStore, Outcome, Try};
use redis::RedisError;
use ulid::Ulid;

use crate::provider::{FailureClass, SendError, Sms, SmsProvider};
use crate::retry::{self, Next};
use crate::sms_text::SmsText;

/// A claim outlives the provider's time limit by this, so that the outcome is recorded under it.
const CLAIM_MARGIN: Duration = Duration::from_secs(2);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// Sends one-time passwords.
#[derive(Clone, Debug)]
pub struct OtpSender {
    /// What was asked for.
    pub deliveries: DeliveryStore,
    /// Who sends.
    pub provider: Arc<dyn SmsProvider>,
    /// What the SMS says.
    pub text: SmsText,
    /// Codes expire by it.
    pub clock: Clock,
}

impl OtpSender {
    /// Does one job. Redis is waited for, however long it takes: a job is not over before its outcome is recorded.
    pub async fn run(&self, job: SendOtp) {
        let time_limit = self.provider.time_limit() + CLAIM_MARGIN;
        let claimant = Ulid::generate();
        let claim = until_redis_answers("claim", || self.deliveries.claim(&job, claimant, time_limit)).await;
        let outcome = match claim {
            Claim::Send(this_try) => self.try_once(&job, &this_try).await,
            Claim::Drop { reason } => {
                tracing::info!(event = "sms_dropped", delivery_id = job.delivery_id, reason);
                return;
            }
            Claim::Wait => {
                tracing::info!(event = "sms_put_off", delivery_id = job.delivery_id, reason = "claimed elsewhere");
                return;
            }
            Claim::Ended => return,
        };
        until_redis_answers("record", || self.deliveries.record(&job, claimant, &outcome)).await;
    }

    async fn try_once(&self, job: &SendOtp, this_try: &Try) -> Outcome {
        let delivery_id = &job.delivery_id;
        if this_try.after_unrecorded {
            tracing::warn!(event = "sms_may_repeat", delivery_id, reason = "the try before was never recorded");
        }
        let code = match &this_try.code {
            Ok(code) => code,
            Err(error) => {
                tracing::error!(event = "sms_failed", delivery_id, reason = "code_unreadable", %error);
                return Outcome::Failed { reason: "code_unreadable", may_arrive: false };
            }
        };
        let Some(sms) = self.compose(this_try, code) else {
            tracing::info!(event = "sms_dropped", delivery_id, reason = "expired");
            return Outcome::Dropped { reason: "expired" };
        };
        match self.provider.send(&sms).await {
            Ok(provider_id) => {
                let waited_ms = self.clock.unix_ms() - this_try.requested_at;
                let (provider, number) = (self.provider.name(), masked(&sms.to));
                tracing::info!(
                    event = "sms_sent",
                    delivery_id,
                    provider,
                    provider_id,
                    number,
                    waited_ms,
                    r#try = this_try.number
                );
                Outcome::Sent { provider_id }
            }
            Err(error) => self.after_failure(job, this_try, &error),
        }
    }

    /// None where less than a second is left of the code's life.
    fn compose(&self, this_try: &Try, code: &Code) -> Option<Sms> {
        let left = u64::try_from(this_try.expires_at - self.clock.unix_ms()).unwrap_or(0);
        let valid_for = Duration::from_secs(left / 1000);
        let body = self.text.render(code, Duration::from_millis(left));
        (!valid_for.is_zero()).then(|| Sms { to: this_try.to.clone(), body, valid_for })
    }

    fn after_failure(&self, job: &SendOtp, this_try: &Try, error: &SendError) -> Outcome {
        let (delivery_id, provider, reason) = (&job.delivery_id, self.provider.name(), error.reason);
        let number = masked(&this_try.to);
        match retry::after(error, this_try.number, self.clock.unix_ms(), this_try.expires_at) {
            Next::Retry { at } => {
                tracing::warn!(event = "sms_retry", delivery_id, provider, number, %error, r#try = this_try.number, at);
                Outcome::Retry { at, reason }
            }
            Next::GiveUp => {
                tracing::warn!(event = "sms_failed", delivery_id, provider, number, reason, %error, r#try = this_try.number);
                Outcome::Failed { reason, may_arrive: error.class == FailureClass::Ambiguous }
            }
        }
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
