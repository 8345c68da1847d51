//! The worker: takes jobs off the queue and sends SMS.

pub mod commands;
pub mod config;
pub mod events;
pub mod files;
pub mod logouts;
pub mod metrics;
mod operations;
mod outbox;
pub mod pictures;
pub mod provider;
pub mod queue;
mod retention;
pub mod send;
pub mod startup;
mod warn_once;
pub mod webhook_signature;
