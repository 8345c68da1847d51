//! `worker events`: those that were given up, and whether any are posted.

use std::fmt;

use clap::Subcommand;
use common::accounts::Accounts;
use common::admin::outgoing_events::GivenUpEvent;
use common::admin::{self, OperatorError, ask_redis};
use common::domain::cursor::PageRequest;
use common::ledger::outgoing_events::EventQueue;
use common::runtime::command::{self, CommandError, Output};
use serde::Serialize;

use crate::config::Config;

/// Events that are listed.
const MOST_LISTED: u64 = 1_000;

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum EventsCommand {
    /// Print the last 1,000 that were given up, newest first
    List(Output),
    /// Post those again that were given up
    Replay {
        /// Only the one of that sequence
        #[arg(value_parser = clap::value_parser!(i64).range(1..))]
        sequence: Option<i64>,
        #[command(flatten)]
        output: Output,
    },
    /// Post events again after the webhook answered 410, those that wait for their next attempt at
    /// once
    Resume(Output),
}

pub(super) async fn run(command: EventsCommand, config: &Config) -> Result<(), CommandError> {
    let accounts = Accounts::connect(&config.database.url(&config.app)?, 1).await?;
    match command {
        EventsCommand::List(Output { json }) => {
            let page = PageRequest { cursor: None, limit: MOST_LISTED };
            let dead = accounts.dead_events(page).await.map_err(OperatorError::from)?;
            command::answer(&Table(dead.rows.into_iter().map(GivenUpEvent::from).collect()), json)
        }
        EventsCommand::Replay { sequence, output } => {
            let replayed = accounts.replay_events(sequence).await.map_err(OperatorError::from)?;
            if let Some(sequence) = sequence.filter(|_| replayed == 0) {
                return Err(CommandError::NotFound(format!(
                    "no event of sequence {sequence} was given up"
                )));
            }
            command::answer(&Replayed { replayed }, output.json)
        }
        EventsCommand::Resume(Output { json }) => {
            let queue = EventQueue::new(admin::connect(&config.redis)?);
            let were_off = ask_redis(queue.turn_on()).await?;
            let hastened = accounts.hasten_events().await.map_err(OperatorError::from)?;
            command::answer(&Resumed { were_off, hastened }, json)
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Table(Vec<GivenUpEvent>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:20} {:>10} {:30} {:20} {:>8} FAILURE",
            "TIME", "SEQUENCE", "ID", "TYPE", "ATTEMPTS",
        )?;
        for GivenUpEvent { sequence, at, id, r#type, attempts, failure } in &self.0 {
            let failure = failure.as_deref().unwrap_or("-");
            writeln!(f, "{at:20} {sequence:>10} {id:30} {type:20} {attempts:>8} {failure}")?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Replayed {
    replayed: u64,
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Events that are posted again: {}.", self.replayed)
    }
}

#[derive(Serialize)]
struct Resumed {
    were_off: bool,
    hastened: u64,
}

impl fmt::Display for Resumed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = if self.were_off { "off" } else { "on" };
        write!(f, "Events are on. Before: {before}. Due at once: {}.", self.hastened)
    }
}
