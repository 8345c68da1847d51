//! Long runs under faults: what `bin/test faults` runs. They stand on what the black-box tests
//! stand on, and print their figures. `FAULTS_SEED` repeats a run's choices.

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

mod admin_lists;
mod backlog;
#[cfg(target_os = "linux")]
mod connection_memory;
mod database;
mod events;
mod failover;
mod fault;
mod large_migration;
mod long_outages;
mod pgbouncer;
mod postgres_failover;
mod random;
mod reconciliation;
mod redis;
mod rolling;
mod sign_out;
mod silence;
mod slow_clients;
#[allow(dead_code, unused_imports, reason = "shared with the black-box tests, which use all of it")]
#[path = "../support/mod.rs"]
mod support;
mod tls;
mod users;
