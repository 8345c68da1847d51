//! SMS providers behind one trait: which there are, how they are built from their settings, and in
//! which order they are tried.

pub mod answer;
pub mod console;
mod settings;
pub mod twilio;
pub mod webhook;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use common::config::{AppConfig, CallbackConfig, ProviderChoice, ProviderName, SettingError};
use common::domain::delivery::Reason;
use common::domain::phone::E164;
use common::ledger::dev_inbox::InboxPublisher;
use common::runtime::clock::Clock;
use futures_util::future::BoxFuture;

use self::console::Console;
use self::twilio::{Twilio, TwilioConfig};
use self::webhook::{Webhook, WebhookConfig};

/// A message on its way to a phone. `Debug` hides what it says and to whom.
#[derive(Clone)]
pub struct Sms {
    /// The same for all attempts.
    pub delivery_id: String,
    pub to: E164,
    pub body: String,
    /// Until its OTP or notice expires: it is not to be delivered after that. At least a second.
    pub valid_for: Duration,
}

impl fmt::Debug for Sms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sms").field("delivery_id", &self.delivery_id).finish_non_exhaustive()
    }
}

pub trait SmsProvider: fmt::Debug + Send + Sync {
    /// As settings, logs and the breaker have it.
    fn name(&self) -> &'static str;

    /// Returns the provider's id of the message.
    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<String, SendError>>;

    /// How long [`SmsProvider::send`] takes at most.
    fn time_limit(&self) -> Duration;
}

/// All providers, in the order in which they are tried.
#[derive(Clone, Debug)]
pub struct Providers(Vec<Arc<dyn SmsProvider>>);

impl Providers {
    /// At least one.
    #[must_use]
    pub fn new(in_order: Vec<Arc<dyn SmsProvider>>) -> Self {
        Self(in_order)
    }

    #[must_use]
    pub fn named(&self, name: &str) -> Option<&dyn SmsProvider> {
        self.iter().find(|provider| provider.name() == name)
    }

    pub fn iter(&self) -> impl Iterator<Item = &dyn SmsProvider> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// `Debug` hides everything: URLs may hold passwords.
#[derive(Args, Clone)]
pub struct ProviderConfig {
    #[command(flatten)]
    choice: ProviderChoice,
    #[command(flatten)]
    twilio: TwilioConfig,
    #[command(flatten)]
    webhook: WebhookConfig,
    /// Seconds that a provider may take to accept an SMS (1 to 60)
    #[arg(long, env, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=60))]
    provider_timeout_seconds: u64,
}

impl fmt::Debug for ProviderConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProviderConfig").finish_non_exhaustive()
    }
}

impl ProviderConfig {
    /// The providers to send by.
    ///
    /// # Errors
    /// A setting that a provider needs and has not got, or the console in production.
    pub fn providers(
        &self,
        app: &AppConfig,
        callbacks: &CallbackConfig,
        inbox: &InboxPublisher,
        clock: &Clock,
    ) -> Result<Providers, SettingError> {
        let timeout = Duration::from_secs(self.provider_timeout_seconds);
        let build = |name| -> Result<Arc<dyn SmsProvider>, SettingError> {
            Ok(match name {
                ProviderName::Console => {
                    let inbox = self.choice.has_dev_inbox(app).then(|| inbox.clone());
                    Arc::new(Console::from_config(app, inbox, clock.clone())?)
                }
                ProviderName::Twilio => {
                    let (shared, own) = (&self.choice, &self.twilio);
                    let clock = clock.clone();
                    Arc::new(Twilio::from_config(app, shared, own, callbacks, timeout, clock)?)
                }
                ProviderName::Webhook => {
                    Arc::new(Webhook::from_config(app, &self.webhook, timeout, clock.clone())?)
                }
            })
        };
        self.choice.order().iter().map(build).collect::<Result<_, _>>().map(Providers::new)
    }
}

/// Why a provider did not accept a message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{class:?}: {}, provider's code {provider_code:?}", .reason.into_str())]
pub struct SendError {
    pub class: FailureClass,
    /// For the delivery's status.
    pub reason: Reason,
    /// The provider's own code, for whoever looks it up.
    pub provider_code: Option<u32>,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
}

impl SendError {
    /// Without details from the provider.
    #[must_use]
    pub fn new(class: FailureClass, reason: Reason) -> Self {
        Self { class, reason, provider_code: None, retry_after: None }
    }
}

/// What a failure means for another attempt at the same message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FailureClass {
    /// This provider will never accept this message.
    Permanent,
    /// This provider accepts no message until an operator corrects our settings or account.
    Misconfigured,
    /// This provider gets more messages than it takes.
    Throttled,
    /// The next attempt may succeed.
    Transient,
    /// The request was written and no answer came: the SMS may arrive.
    Ambiguous,
}
