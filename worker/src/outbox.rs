//! Does what the database wants done elsewhere, where the API could not or has ended too early.

use std::time::Duration;

use common::accounts::Accounts;
use common::ledger::notices::Notices;
use common::outbox::queue_notices;
use tokio::time::{MissedTickBehavior, interval};

use crate::warn_once::WarnOnce;

const INTERVAL: Duration = Duration::from_secs(2);

/// Never ends.
pub async fn empty_outbox(accounts: Accounts, notices: Notices) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut failing = WarnOnce::default();
    loop {
        ticks.tick().await;
        let done = queue_notices(&accounts, &notices).await;
        failing.note(&done, |error| tracing::warn!(event = "outbox_not_emptied", %error));
    }
}
