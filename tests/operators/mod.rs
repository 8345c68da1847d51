//! The commands for operators: what they print, what they change in a running service, and how they
//! fail.

mod breakers;
mod buckets;
mod clients;
mod failures;
mod health;
mod numbers;
mod sessions;

use serde_json::Value;

use crate::support::app::{App, SOON};
use crate::support::numbers::NUMBER;
use crate::support::process::Process;
use crate::support::settings::{Settings, limits};

const MASKED: &str = "+91********10";

/// A command that ran to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// In production, where nothing has a default, with no more than the stores and the limits: no
/// secret, no provider.
pub(crate) fn settings_of(app: &App) -> Settings {
    let mut settings = app.settings.clone();
    let limits = limits(0);
    settings.retain(|name, _| {
        ["REDIS_URL", "DATABASE_URL"].contains(&name.as_str()) || limits.contains_key(name)
    });
    settings.insert("APP_ENV".to_owned(), "production".to_owned());
    settings
}

/// Runs `line`, a program and its arguments.
pub(crate) async fn run_with(app: &App, settings: &Settings, line: &str) -> Ended {
    let words: Vec<&str> = line.split_whitespace().collect();
    let mut process =
        Process::spawn(&line.replace('/', "-"), words[0], &words[1..], settings, app.folder());
    let status = process.ended(SOON).await;
    Ended { code: status.code().unwrap(), stdout: process.stdout(), stderr: process.stderr() }
}

/// What a command prints for people.
pub(crate) async fn text(app: &App, line: &str) -> String {
    let ended = run_with(app, &settings_of(app), line).await;
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{line}: {ended:?}");
    assert!(ended.stdout.ends_with('\n') && !ended.stdout.ends_with("\n\n"), "{line}: {ended:?}");
    ended.stdout
}

/// What it prints for programs.
pub(crate) async fn json(app: &App, line: &str) -> Value {
    let printed = text(app, &format!("{line} --json")).await;
    serde_json::from_str(&printed).unwrap_or_else(|_| panic!("JSON, not {printed}"))
}
