//! One apalis worker after the other, and what runs beside its jobs.

mod apalis_worker;
mod drain;
mod heartbeat;
mod in_flight;
mod job_service;
pub(crate) mod maintenance;
pub(crate) mod queue_error;
pub mod runner;
mod wake;
