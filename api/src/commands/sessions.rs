//! `api sessions end`: signs a user out everywhere.

use std::fmt;

use clap::{Args, Subcommand};
use common::accounts::{Accounts, SessionFilter, UserSelector};
use common::admin::{self, OperatorError};
use common::config::SettingError;
use common::ledger::session_changes::SessionChanges;
use common::runtime::clock::Clock;
use common::runtime::command::{self, CommandError, Output};
use serde::Serialize;

use super::parse_number;
use crate::config::Config;

/// What can be done with sessions.
#[derive(Clone, Debug, Subcommand)]
pub enum SessionsCommand {
    /// End all sessions of a user: their tokens stop working at once
    End(OneUser),
}

/// Which user, and how to answer.
#[derive(Args, Clone, Debug)]
pub struct OneUser {
    /// The user's number, in any usual spelling; without a country code it belongs to
    /// DEFAULT_COUNTRY
    number: Option<String>,
    /// The user's id, in place of the number
    #[arg(long)]
    user: Option<i64>,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(
    SessionsCommand::End(which): &SessionsCommand,
    config: &Config,
) -> Result<(), CommandError> {
    let who = match (&which.number, which.user) {
        (Some(number), None) => UserSelector::Number(parse_number(number, config)?.e164().clone()),
        (None, Some(id)) => UserSelector::Id(id),
        _ => {
            return Err(
                SettingError::new("NUMBER", "has to be given, or --user; one of the two").into()
            );
        }
    };
    // Where Redis is away, the programs forget what they remember within two seconds.
    let redis = admin::connect(&config.redis)?;
    let accounts = Accounts::connect(&config.database.url(&config.app)?, 1)
        .await?
        .telling(SessionChanges::new(redis))
        .telling_webhook(config.events.is_set());
    let found = accounts.user(&who).await.map_err(OperatorError::from)?;
    let Some(user) = found else {
        return Err(CommandError::NotFound(match who {
            UserSelector::Number(number) => format!("no user has the number {number}"),
            UserSelector::Id(id) => format!("no user has the id {id}"),
        }));
    };
    let ended = accounts
        .end_sessions_by_operator(user.id, SessionFilter::All, None, Clock::default().now())
        .await
        .map_err(OperatorError::from)?;
    let number = user.phone_number.to_string();
    command::answer(
        &Ended { user_id: user.id, number, sessions_ended: ended.len() },
        which.output.json,
    )
}

#[derive(Serialize)]
struct Ended {
    user_id: i64,
    number: String,
    sessions_ended: usize,
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "User {} ({}): sessions ended: {}.",
            self.user_id, self.number, self.sessions_ended
        )
    }
}
