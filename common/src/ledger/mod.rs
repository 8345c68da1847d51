//! What Redis knows of numbers, codes, deliveries and repeated requests. Every check-and-change is
//! one script.

pub mod authorization_requests;
pub mod connection;
pub mod deliveries;
pub mod delivery_status;
pub mod dev_inbox;
pub mod error;
pub mod file_sweeps;
pub mod happened;
pub mod idempotency;
pub(crate) mod keys;
pub mod limits;
pub mod notices;
pub mod otp;
pub mod outcome;
pub mod outgoing_events;
mod pending_rollbacks;
pub mod records;
pub mod rights;
pub(crate) mod script;
pub(crate) mod scripts;
mod sentinel;
pub mod session_changes;
pub mod settings;
pub mod solved_challenges;
pub mod subscription;

pub use self::scripts::decisions;
