//! Black-box tests: the real programs, a real Redis, a real database; only Twilio is a fake, over
//! real HTTP.
//!
//! `TEST_DATABASE` chooses the database (`sqlite`, the default, or `postgres`); `bin/test` provides what they need.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails by panicking, in its support code too"
)]

#[macro_use(async_test)]
extern crate async_test;

mod accounts;
mod admin;
mod api;
mod conversation;
mod deploy;
mod documentation;
mod fault_table;
mod files;
mod ledger;
mod migration;
mod openid;
mod operators;
mod queue;
mod runtime;
mod secrets_at_rest;
mod settings;
#[allow(dead_code, unused_imports, reason = "shared with the long runs, which use the rest")]
mod support;
mod worker;
