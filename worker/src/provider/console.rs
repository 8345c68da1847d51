//! Prints messages instead of sending them, and shows them in the development inbox. For
//! development only.

use std::time::Duration;

use common::config::{AppConfig, ProviderName, SettingError};
use common::domain::ids::DeliveryId;
use common::ledger::dev_inbox::{InboxMessage, InboxPublisher};
use common::runtime::clock::Clock;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{SendError, Sms, SmsProvider};

/// A message that the inbox misses was printed all the same.
const INBOX_TIMEOUT: Duration = Duration::from_millis(500);

#[derive(Clone, Debug)]
pub struct Console {
    inbox: Option<InboxPublisher>,
    clock: Clock,
}

impl SmsProvider for Console {
    fn name(&self) -> &'static str {
        ProviderName::Console.into_str()
    }

    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<String, SendError>> {
        async move {
            print(sms);
            let id = format!("console-{}", DeliveryId::random());
            if let Some(inbox) = &self.inbox {
                self.show(inbox, &id, sms).await;
            }
            Ok(id)
        }
        .boxed()
    }

    fn time_limit(&self) -> Duration {
        Duration::from_secs(1)
    }
}

impl Console {
    /// # Errors
    /// In production.
    pub fn from_config(
        app: &AppConfig,
        inbox: Option<InboxPublisher>,
        clock: Clock,
    ) -> Result<Self, SettingError> {
        if app.is_production() {
            return Err(SettingError::new(
                "SMS_PROVIDERS",
                "console prints OTPs and is refused when APP_ENV=production; set up twilio or webhook",
            ));
        }
        Ok(Self { inbox, clock })
    }

    async fn show(&self, inbox: &InboxPublisher, id: &str, sms: &Sms) {
        let message = InboxMessage {
            id: id.to_owned(),
            sent_at: self.clock.unix_ms(),
            to: sms.to.clone(),
            body: sms.body.clone(),
        };
        let shown = tokio::time::timeout(INBOX_TIMEOUT, inbox.publish(&message)).await;
        if !matches!(shown, Ok(Ok(()))) {
            tracing::warn!(
                event = "inbox_missed",
                delivery_id = sms.delivery_id,
                "the SMS is printed only"
            );
        }
    }
}

#[expect(clippy::print_stdout, reason = "this is where a developer reads the SMS")]
fn print(sms: &Sms) {
    println!(
        "┌── SMS, printed by the console provider (development only, nothing was sent)\n│ to {}\n│ {}\n└──",
        sms.to.as_str(),
        sms.body.replace('\n', "\n│ "),
    );
}
