//! All SQL and all Redis: every check-and-change is one statement, transaction or script.

pub mod accounts;
pub mod delivery;
pub mod delivery_status;
pub mod figures;
pub mod idempotency;
mod keys;
pub mod ledger;
pub mod notices;
pub mod otp;
pub mod outcome;
pub mod pool;
pub mod redis;
