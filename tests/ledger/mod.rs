//! In the test's own process, where time is moved instead of waited for.

mod abuse;
mod authorization_requests;
mod challenge;
mod challenges;
mod connection;
mod decisions;
mod destinations;
mod fuzz;
mod guess_limits;
mod happened;
mod hygiene;
mod invalid_numbers;
mod owners;
mod same_answers;
mod send_limits;
mod skewed_clocks;
mod test_numbers;
mod versions;

use crate::support::durations::{DAY, HOUR, MILLISECOND, MINUTE, SECOND};
use crate::support::numbers::NUMBER;
