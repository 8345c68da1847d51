//! The worker: takes jobs off the queue and runs them.

mod apalis_worker;
mod held;
mod housekeeping;
mod job_service;
mod keep_alive;
mod outage;
mod retirement;
pub mod runner;
mod wake;
