//! Removes expired tokens and old events from the database, in steps of bounded size.

use std::future::Future;
use std::time::Duration;

use common::accounts::{Accounts, AccountsError};
use common::runtime::clock::{Clock, millis};
use tokio::time::{MissedTickBehavior, interval};

use crate::metrics;

const INTERVAL: Duration = Duration::from_secs(60);
/// How long events for the webhook that were given up stay on the list.
const DEAD_EVENTS_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How long a session's end waits that no worker tells an OpenID client of.
const LOGOUTS_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// So few that no sign-in waits long for the statement.
const ROWS_PER_STATEMENT: u64 = 1_000;

/// Never ends. Events are kept for `events_for`.
pub async fn prune_database(accounts: Accounts, clock: Clock, events_for: Duration) {
    let mut ticks = interval(INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        remove("tokens", || accounts.prune_expired_tokens(clock.now(), ROWS_PER_STATEMENT)).await;
        remove("grants", || accounts.prune_expired_grants(clock.now(), ROWS_PER_STATEMENT)).await;
        remove("file_links", || accounts.prune_file_links(clock.now(), ROWS_PER_STATEMENT)).await;
        remove("pictures", || accounts.prune_gone_pictures(clock.unix_ms(), ROWS_PER_STATEMENT))
            .await;
        remove("logouts", || {
            let now = clock.unix_ms();
            accounts.prune_untold_logouts(now - millis(LOGOUTS_FOR), now, ROWS_PER_STATEMENT)
        })
        .await;
        remove("events", || accounts.prune_events(clock.now() - events_for, ROWS_PER_STATEMENT))
            .await;
        let dead = clock.now() - DEAD_EVENTS_FOR;
        remove("dead_events", || accounts.prune_dead_events(dead, ROWS_PER_STATEMENT)).await;
    }
}

/// Repeats `statement` until it removes nothing, or fails.
async fn remove<F>(what: &'static str, statement: impl Fn() -> F)
where
    F: Future<Output = Result<u64, AccountsError>>,
{
    loop {
        match statement().await {
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
