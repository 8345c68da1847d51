//! `worker breaker`: the state of the providers' breakers.

use std::fmt;

use clap::Subcommand;
use common::admin::breakers::Breaker;
use common::admin::queue_stats::BreakerState;
use common::config::ProviderName;
use common::ledger::connection::RedisConnection;
use common::runtime::clock::Clock;
use common::runtime::command::{self, CommandError, Output};
use serde::Serialize;

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum BreakerCommand {
    /// Print the state of each
    Show(Output),
    /// Close one: the provider is called again at once
    Reset {
        /// Whose
        provider: ProviderName,
        #[command(flatten)]
        output: Output,
    },
}

pub(super) async fn run(
    command: BreakerCommand,
    redis: &mut RedisConnection,
) -> Result<(), CommandError> {
    let now = Clock::default().unix_ms();
    match command {
        BreakerCommand::Show(Output { json }) => {
            let found = Breaker::all(redis, now).await?.into_iter();
            command::answer(&Table(found.map(|(_, breaker)| breaker).collect()), json)
        }
        BreakerCommand::Reset { provider, output } => {
            let before = Breaker::reset(redis, provider.into_str(), now).await?;
            command::answer(&Reset { before }, output.json)
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Table(Vec<Breaker>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for breaker in &self.0 {
            let Breaker { provider, failures, .. } = breaker;
            write!(
                f,
                "{provider:8} {}, failures since it last worked: {failures}",
                state(breaker)
            )?;
            writeln!(
                f,
                "{}",
                if breaker.misconfigured { ", our settings or account are refused" } else { "" }
            )?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Reset {
    before: Breaker,
}

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Breaker { provider, failures, .. } = &self.before;
        write!(
            f,
            "The breaker of {provider} is closed. Before: {}, failures: {failures}.",
            state(&self.before)
        )
    }
}

fn state(breaker: &Breaker) -> String {
    match (breaker.state, breaker.open_until) {
        (BreakerState::Closed, _) => "closed".to_owned(),
        (BreakerState::HalfOpen, _) => "half open".to_owned(),
        (BreakerState::Open, None) => "open".to_owned(),
        (BreakerState::Open, Some(until)) => format!("open until {until}"),
    }
}
