//! Settings, by the names that operators use.

use std::collections::BTreeMap;

use clap::{Args, Command};
use common::config::LimitConfig;

/// The environment of a program: it gets nothing else but `PATH`.
pub(crate) type Settings = BTreeMap<String, String>;

/// The secret of all tests.
pub(crate) const OTP_SECRET: &str = "a-secret-of-the-tests-8f0c1d7e5b3a94266f1e";

/// All limits on sends and guesses that the programs have, at that value; 0 is off.
pub(crate) fn limits(value: u32) -> Settings {
    let command = LimitConfig::augment_args(Command::new("limits"));
    let names =
        command.get_arguments().map(|argument| argument.get_env().unwrap().to_str().unwrap());
    names.map(|name| (name.to_owned(), value.to_string())).collect()
}
