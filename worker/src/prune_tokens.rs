//! Takes expired tokens out of the database, a bounded step at a time.

use std::time::Duration;

use common::clock::Clock;
use common::store::accounts::Accounts;
use tokio::time::{MissedTickBehavior, interval};

use crate::metrics;

const EVERY: Duration = Duration::from_secs(60);
/// Rows a statement: few enough that no sign-in waits long for it.
const STEP: u64 = 1_000;

/// Never ends.
pub async fn prune_tokens(accounts: Accounts, clock: Clock) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        loop {
            match accounts.prune_expired_tokens(clock.now(), STEP).await {
                Ok(0) => break,
                Ok(removed) => {
                    metrics::removed("tokens", removed);
                    tracing::info!(event = "tokens_pruned", removed);
                }
                Err(error) => {
                    tracing::warn!(event = "tokens_not_pruned", %error);
                    break;
                }
            }
        }
    }
}
