//! The worker: takes jobs off the queue and sends SMS.

mod apalis_worker;
pub mod commands;
pub mod config;
mod held;
mod housekeeping;
mod job_service;
mod keep_alive;
pub mod metrics;
mod operations;
mod outage;
pub mod provider;
mod retention;
mod retirement;
pub mod retry;
pub mod runner;
pub mod send_otp;
pub mod sms_size;
pub mod sms_text;
pub mod startup;
mod trace;
mod wake;
