//! `worker dead-letters`: the last deliveries that ended without being sent.

use std::io::{ErrorKind, Write};

use anyhow::Context;
use common::store::delivery::{DeadLetter, dead_letters};
use common::store::redis::Redis;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::runner::RESPONSE_TIMEOUT;

/// How long an operator waits for a Redis that may be away.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// Prints them, newest first, as a table or as JSON.
///
/// # Errors
/// Redis cannot be reached.
pub async fn print(redis: &Redis, json: bool) -> anyhow::Result<()> {
    let mut connection = redis.connection(RESPONSE_TIMEOUT)?;
    let letters = tokio::time::timeout(PATIENCE, dead_letters(&mut connection))
        .await
        .context("REDIS_URL: no answer within 5 s")?
        .context("REDIS_URL")?;
    let text = if json { serde_json::to_string_pretty(&letters)? + "\n" } else { table(&letters) };
    match std::io::stdout().write_all(text.as_bytes()) {
        // Who reads has seen enough.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn table(letters: &[DeadLetter]) -> String {
    let (delivery, number) = ("DELIVERY", "NUMBER");
    let head =
        format!("{:20} {delivery:26} {number:16} {:9} {:22} {:9} CODE\n", "TIME", "STATUS", "REASON", "PROVIDER");
    letters.iter().map(row).fold(head, |text, row| text + &row + "\n")
}

fn row(letter: &DeadLetter) -> String {
    let DeadLetter { at, delivery_id, number, status, reason, provider, provider_code } = letter;
    let time = OffsetDateTime::from_unix_timestamp(at.div_euclid(1000))
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_default();
    let provider = provider.as_deref().unwrap_or("-");
    let code = provider_code.map_or_else(|| "-".to_owned(), |code| code.to_string());
    format!("{time:20} {delivery_id:26} {number:16} {status:9} {reason:22} {provider:9} {code}")
}
