//! SMS providers behind one trait.

pub mod console;
pub mod twilio;

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;

/// A message on its way to a phone. `Debug` hides what it says and to whom.
#[derive(Clone)]
pub struct Sms {
    /// E.164.
    pub to: String,
    /// What the phone shows.
    pub body: String,
    /// After this it is worth nothing, and is not to be delivered any more. At least a second.
    pub valid_for: Duration,
}

impl fmt::Debug for Sms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sms").field("to", &common::phone::masked(&self.to)).finish_non_exhaustive()
    }
}

/// Somebody who sends SMS.
pub trait SmsProvider: fmt::Debug + Send + Sync {
    /// A short name for logs.
    fn name(&self) -> &'static str;

    /// Hands a message over. The answer is the provider's id of the message.
    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<String, SendError>>;

    /// How long [`SmsProvider::send`] takes at most.
    fn time_limit(&self) -> Duration;
}

/// Why a message was not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{class:?}: {reason}, provider's code {provider_code:?}")]
pub struct SendError {
    /// What it means for another try.
    pub class: FailureClass,
    /// One of a small stable set.
    pub reason: &'static str,
    /// The provider's own code, for whoever looks it up.
    pub provider_code: Option<u32>,
    /// How long the provider asks to be left alone.
    pub retry_after: Option<Duration>,
}

impl SendError {
    /// A failure without a word from the provider.
    #[must_use]
    pub fn new(class: FailureClass, reason: &'static str) -> Self {
        Self { class, reason, provider_code: None, retry_after: None }
    }
}

/// What a failure means for another try of the same message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailureClass {
    /// This message will never be accepted.
    Permanent,
    /// No message will be accepted until an operator mends our settings or account.
    Misconfigured,
    /// Too fast; later.
    Throttled,
    /// It may work the next time.
    Transient,
    /// The request was written and no answer came: the SMS may be on its way.
    Ambiguous,
}
