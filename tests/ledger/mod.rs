//! The ledger, as an attacker meets it.
//!
//! What `in_process` holds needs neither the programs nor the database that `TEST_DATABASE` names, so `bin/test` runs it once.

mod given_back;
mod in_process;
pub(crate) mod numbers;
mod over_the_wire;
mod simultaneous;
