//! `worker dead-letters`: the last deliveries that ended without being sent.

use std::fmt;

use common::admin::ask_redis;
use common::ledger::connection::RedisConnection;
use common::ledger::deliveries::{DeadLetter, dead_letters};
use common::runtime::clock::Timestamp;
use common::runtime::command::{self, CommandError};
use serde::Serialize;

/// Prints them, newest first, as a table or as JSON.
pub(super) async fn run(redis: &mut RedisConnection, json: bool) -> Result<(), CommandError> {
    command::answer(&Table(ask_redis(dead_letters(redis)).await?), json)
}

#[derive(Serialize)]
#[serde(transparent)]
struct Table(Vec<DeadLetter>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:20} {:26} {:16} {:9} {:22} {:9} CODE",
            "TIME", "DELIVERY", "NUMBER", "STATUS", "REASON", "PROVIDER",
        )?;
        for letter in &self.0 {
            let DeadLetter { at, delivery_id, number, status, reason, provider, provider_code } =
                letter;
            let time = Timestamp::of_unix_ms(*at);
            let provider = provider.as_deref().unwrap_or("-");
            let code = provider_code.map_or_else(|| "-".to_owned(), |code| code.to_string());
            writeln!(
                f,
                "{time:20} {delivery_id:26} {number:16} {status:9} {reason:22} {provider:9} {code}"
            )?;
        }
        Ok(())
    }
}
