//! Measures the service beside the floor and prints what came of it. `bin/bench` starts it with
//! what it needs, and says what its arguments are.

mod admin;
mod backlog;
mod challenges;
mod doors;
mod drain;
mod fake_provider;
mod files;
mod growth;
mod http;
mod idle;
mod load;
mod machine;
mod memory;
mod open_loop;
mod openid;
mod operations;
mod plot;
mod process;
mod report;
mod round_trips;
mod rounds;
mod scripts;
mod sign_ins;
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
    match std::env::args().nth(1).as_deref() {
        Some("requests") => {
            let operations = operations::measure(&stage).await?;
            report::print(&report::requests(&operations));
            report::print(&report::half_load(&sign_ins::at_half_load(&stage, &operations).await?));
        }
        Some("sign-ins") => {
            report::print(&report::costs(&sign_ins::costs(&stage).await?));
            report::print(&report::scripts(&scripts::measure(&stage).await?));
        }
        Some("doors") => report::print(&doors::text(&doors::measure(&stage).await?)),
        Some("openid") => report::print(&openid::text(&openid::measure(&stage).await?)),
        Some("files") => report::print(&files::text(&files::measure(&stage).await?)),
        Some("admin") => {
            let (all, plans) = admin::measure(&stage).await?;
            report::print(&admin::text(&all));
            report::print(&plans);
            admin::check(&all)?;
        }
        Some("memory") => report::print(&report::memory(&memory::measure(&stage).await?)),
        _ => everything(&stage).await?,
    }
    Ok(())
}

async fn everything(stage: &Stage) -> anyhow::Result<()> {
    let operations = operations::measure(stage).await?;
    let half_load = sign_ins::at_half_load(stage, &operations).await?;
    let costs = sign_ins::costs(stage).await?;
    let scripts = scripts::measure(stage).await?;
    let memory = memory::measure(stage).await?;
    let round_trips = round_trips::count(stage).await?;
    let start_up = start_up::measure(stage).await?;
    // Codes that live long enough for a backlog to be made.
    let api = stage.api(Settings::from([("OTP_TTL_SECONDS", "600".to_owned())])).await?;
    let report = Report {
        machine: machine::describe(stage).await?,
        operations,
        half_load,
        costs,
        scripts,
        memory,
        round_trips,
        start_up,
        idle: idle::measure(stage, &api).await?,
        drain: drain::measure(stage, &api).await?,
        weight: backlog::weigh(stage, &api).await?,
        growth: growth::measure(stage, &api).await?,
    };
    report::print(&report.text());
    report.write(Path::new("docs/benchmarks"))
}
