//! Takes out of the database what is past its time, a bounded step at a time: expired tokens and
//! old events.

use std::future::Future;
use std::time::Duration;

use common::accounts::{Accounts, AccountsError};
use common::runtime::clock::Clock;
use tokio::time::{MissedTickBehavior, interval};

use crate::metrics;

const EVERY: Duration = Duration::from_secs(60);
/// Rows a statement: few enough that no sign-in waits long for it.
const STEP: u64 = 1_000;

/// Never ends. Events are kept for `events_for`.
pub async fn remove_what_is_past(accounts: Accounts, clock: Clock, events_for: Duration) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        remove("tokens", || accounts.prune_expired_tokens(clock.now(), STEP)).await;
        remove("events", || accounts.prune_events(clock.now() - events_for, STEP)).await;
    }
}

/// Takes steps until nothing is left to remove, or one fails.
async fn remove<F>(what: &'static str, step: impl Fn() -> F)
where
    F: Future<Output = Result<u64, AccountsError>>,
{
    loop {
        match step().await {
            Ok(0) => return,
            Ok(removed) => {
                metrics::removed(what, removed);
                tracing::info!(event = "removed_what_is_past", what, removed);
            }
            Err(error) => {
                tracing::warn!(event = "nothing_removed", what, %error);
                return;
            }
        }
    }
}
