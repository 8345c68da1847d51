//! `worker dead-letters`: the last deliveries that ended without being sent.

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
#[expect(clippy::print_stdout, reason = "this is the program's answer")]
pub async fn print(redis: &Redis, json: bool) -> anyhow::Result<()> {
    let mut connection = redis.connection(RESPONSE_TIMEOUT)?;
    let letters = tokio::time::timeout(PATIENCE, dead_letters(&mut connection))
        .await
        .context("REDIS_URL: no answer within 5 s")?
        .context("REDIS_URL")?;
    if json {
        println!("{}", serde_json::to_string_pretty(&letters)?);
        return Ok(());
    }
    println!("{:20} {:26} {:16} {:9} {:22} {:9} CODE", "TIME", "DELIVERY", "NUMBER", "STATUS", "REASON", "PROVIDER");
    for letter in &letters {
        println!("{}", row(letter));
    }
    Ok(())
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
