//! Black-box tests: the real programs, a real Redis, a real database; only Twilio is a fake, over real HTTP.
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

mod accounts;
mod contract;
mod conversation;
mod delivery;
mod documentation;
mod expiry;
mod idempotency;
mod ledger;
mod metrics;
mod outages;
mod own_account;
mod pages;
mod queue;
mod queue_under_failure;
mod secrets_at_rest;
mod server_times;
mod sessions;
mod settings;
mod shutdown;
mod simultaneous;
mod sms_text;
mod support;
