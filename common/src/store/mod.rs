//! All SQL and all Redis: every check-and-change is one statement, transaction or script.

pub mod accounts;
pub mod breakers;
pub mod buckets;
pub mod delivery;
pub mod delivery_status;
pub mod figures;
pub mod first_contact;
pub mod idempotency;
mod keys;
pub mod ledger;
pub mod notices;
pub mod numbers;
pub mod operator;
pub mod otp;
pub mod outcome;
pub mod pool;
pub mod redis;
mod script;
mod unsettled;
pub mod users;
