//! Prints messages instead of sending them. For development only.

use std::time::Duration;

use common::id::DeliveryId;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::config::ProviderName;
use super::{SendError, Sms, SmsProvider};

/// The provider of developers.
#[derive(Clone, Copy, Debug)]
pub struct Console;

impl SmsProvider for Console {
    fn name(&self) -> &'static str {
        ProviderName::Console.as_str()
    }

    #[expect(clippy::print_stdout, reason = "this is where a developer reads the SMS")]
    fn send<'a>(&'a self, sms: &'a Sms) -> BoxFuture<'a, Result<String, SendError>> {
        println!(
            "┌── SMS, printed by the console provider (development only, nothing was sent)\n│ to {}\n│ {}\n└──",
            sms.to,
            sms.body.replace('\n', "\n│ "),
        );
        std::future::ready(Ok(format!("console-{}", DeliveryId::random()))).boxed()
    }

    fn time_limit(&self) -> Duration {
        Duration::from_secs(1)
    }
}
