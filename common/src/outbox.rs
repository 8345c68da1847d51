//! Does what the database wants done elsewhere. What was done and not removed is done again, so it
//! has to be something that happens once, however often it is done.

use redis::RedisError;
use time::OffsetDateTime;

use crate::accounts::{Accounts, AccountsError};
use crate::domain::outgoing_event::{OutgoingEvent, UndeliveredSms};
use crate::ledger::error::LedgerError;
use crate::ledger::notices::{Notice, Notices};
use crate::ledger::outgoing_events::EventQueue;

/// Entries that are read at once.
const MOST_AT_ONCE: u64 = 100;

/// Why something is still to be done.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Redis(#[from] RedisError),
}

/// Queues the oldest SMS without a code, and removes them from the database. Several processes may
/// do so at once.
///
/// # Errors
/// [`OutboxError`]; what was not done stays.
pub async fn queue_notices(accounts: &Accounts, notices: &Notices) -> Result<(), OutboxError> {
    for entry in accounts.notices_to_queue(MOST_AT_ONCE).await? {
        match serde_json::from_str::<Notice>(&entry.payload) {
            Ok(notice) => {
                notices.queue(&notice).await?;
                tracing::info!(event = "notice_queued", delivery_id = %notice.delivery());
            }
            Err(error) => tracing::error!(event = "notice_unreadable", id = entry.id, %error),
        }
        accounts.remove_from_outbox(entry.id).await?;
    }
    Ok(())
}

/// Writes into the outbox that SMS will not arrive, as Redis has it. One worker at a time does so,
/// and each SMS becomes one row. Only where a worker ends, or a store fails, between the row and
/// Redis' forgetting is there another row, which has the same id.
///
/// # Errors
/// [`OutboxError`]; what was not written stays in Redis.
pub async fn take_undelivered(
    accounts: &Accounts,
    events: &EventQueue,
    now: OffsetDateTime,
) -> Result<(), OutboxError> {
    if events.undelivered().await?.is_empty() || !events.begin_taking().await? {
        return Ok(());
    }
    let entries = events.undelivered().await?;
    let mut told = Vec::with_capacity(entries.len());
    for entry in &entries {
        match serde_json::from_str::<UndeliveredSms>(entry) {
            Ok(sms) => told.push(OutgoingEvent::sms_undelivered(&sms)),
            Err(error) => tracing::error!(event = "undelivered_unreadable", %error),
        }
    }
    if !told.is_empty() {
        accounts.add_events(told, now).await?;
    }
    for entry in &entries {
        events.forget_undelivered(entry).await?;
    }
    // After a failure nobody does so for five seconds: a database that hangs may write all the same.
    events.end_taking().await?;
    Ok(())
}
