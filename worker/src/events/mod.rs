//! Posts events to the operator's webhook. The outbox in the database keeps them, however many they
//! are, and for as long as it takes. A few at a time get a job in a queue of their own, so that
//! workers share the work and neither a slow webhook nor a backlog of events is in the way of SMS.

mod feed;
mod post;

use std::time::Duration;

use clap::Args;
use common::accounts::Accounts;
use common::config::{AppConfig, EventsConfig, SettingError};
use common::ledger::connection::{Redis, RedisConnection};
use common::ledger::outgoing_events::EventQueue;
use common::queue::Queue;
use common::queue::job::PostEvent;
use common::runtime::clock::Clock;
use common::runtime::retry::{Backoff, retry_until_ok};
use reqwest::{Client, Url, redirect};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::queue::runner::{self, RunnerSettings};
use crate::webhook_signature::WebhookSecret;

/// How long the webhook may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Requests at once of one worker.
const CONCURRENCY: u16 = 16;
const ASK_AGAIN: Backoff = Backoff::constant(Duration::from_secs(1));

#[derive(Args, Clone, Debug)]
pub struct EventsSecretConfig {
    /// Secret that signs events (Standard Webhooks): `whsec_` and 24 to 64 bytes in base64
    #[arg(long, env, hide_env_values = true, value_parser = WebhookSecret::parse)]
    events_webhook_secret: Option<WebhookSecret>,
}

/// Warns of events that wait for a webhook where none is set. Asks until the database answers.
pub async fn warn_of_what_waits(accounts: Accounts) {
    let counts = retry_until_ok(ASK_AGAIN, || accounts.count_events(), |_| {}).await;
    if counts.waiting > 0 {
        tracing::warn!(
            event = "events_wait_for_webhook",
            setting = "EVENTS_WEBHOOK_URL",
            waiting = counts.waiting,
            "events are in the outbox, and this worker is not told where to post them"
        );
    }
}

/// The operator's webhook. `Debug` hides its URL: it may hold a password.
#[derive(Clone)]
pub struct EventsWebhook {
    url: Url,
    secret: WebhookSecret,
    http: Client,
}

impl std::fmt::Debug for EventsWebhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EventsWebhook(…)")
    }
}

impl EventsWebhook {
    /// None where events are posted nowhere.
    ///
    /// # Errors
    /// One of the two settings is missing or wrong, or TLS cannot be set up on this machine.
    pub fn from_config(
        app: &AppConfig,
        config: &EventsConfig,
        secret: &EventsSecretConfig,
    ) -> Result<Option<Self>, SettingError> {
        let missing = |name: &str, other: &str| {
            SettingError::new(name, format!("is not set, and {other} needs it"))
        };
        let (url, secret) = match (config.url(app)?, &secret.events_webhook_secret) {
            (Some(url), Some(secret)) => (url.clone(), secret.clone()),
            (None, None) => return Ok(None),
            (Some(_), None) => return Err(missing("EVENTS_WEBHOOK_SECRET", "EVENTS_WEBHOOK_URL")),
            (None, Some(_)) => return Err(missing("EVENTS_WEBHOOK_URL", "EVENTS_WEBHOOK_SECRET")),
        };
        let http = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build();
        let http = http.map_err(|error| {
            SettingError::new("EVENTS_WEBHOOK_URL", format!("TLS cannot be set up: {error}"))
        })?;
        Ok(Some(Self { url, secret, http }))
    }
}

/// What posts events.
#[derive(Clone, Debug)]
pub struct EventPoster {
    pub accounts: Accounts,
    pub queue: EventQueue,
    pub redis: RedisConnection,
    pub webhook: EventsWebhook,
    pub clock: Clock,
}

impl EventPoster {
    /// Posts events until `stop`, then ends what runs.
    pub async fn run(self, redis: &Redis, shutdown_deadline: Duration, stop: CancellationToken) {
        let _feed = AbortOnDropHandle::new(tokio::spawn(self.clone().feed()));
        let settings = RunnerSettings {
            queue: Queue::Events,
            concurrency: CONCURRENCY,
            shutdown_deadline,
            ..RunnerSettings::default()
        };
        let clock = self.clock.clone();
        let handler = move |job: PostEvent| {
            let poster = self.clone();
            async move { poster.post(job).await }
        };
        runner::run(redis, settings, clock, handler, stop).await;
    }
}
