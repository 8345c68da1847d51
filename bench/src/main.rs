//! Measures the service beside the floor and prints what came of it. `bin/bench` starts it with
//! what it needs. With the argument
//! `requests` it measures send, verify and authenticated GET alone, with `doors` how fast others
//! learn who holds a token; both write nothing.

mod backlog;
mod challenges;
mod doors;
mod drain;
mod fake_provider;
mod growth;
mod http;
mod idle;
mod load;
mod machine;
mod operations;
mod plot;
mod process;
mod report;
mod round_trips;
mod rounds;
mod stage;
mod start_up;
mod stores;

use std::path::Path;

use process::Settings;
use report::Report;
use stage::Stage;

/// Rounds of each operation, floor and product in turn.
const ROUNDS: usize = 3;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stage = Stage::prepare().await?;
    let part = std::env::args().nth(1);
    if part.as_deref() == Some("doors") {
        report::print(&doors::text(&doors::measure(&stage).await?));
        return Ok(());
    }
    let operations = operations::measure(&stage).await?;
    if part.as_deref() == Some("requests") {
        report::print(&report::requests(&operations));
        return Ok(());
    }
    let round_trips = round_trips::count(&stage).await?;
    let start_up = start_up::measure(&stage).await?;
    // Codes that live long enough for a backlog to be made.
    let api = stage.api(Settings::from([("OTP_TTL_SECONDS", "600".to_owned())])).await?;
    let report = Report {
        machine: machine::describe(&stage).await?,
        operations,
        round_trips,
        start_up,
        idle: idle::measure(&stage, &api).await?,
        drain: drain::measure(&stage, &api).await?,
        weight: backlog::weigh(&stage, &api).await?,
        growth: growth::measure(&stage, &api).await?,
    };
    report::print(&report.text());
    report.write(Path::new("docs/benchmarks"))
}
