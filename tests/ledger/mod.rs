//! In the test's own process, where time is moved instead of waited for.

mod abuse;
mod challenge;
mod destinations;
mod fuzz;
mod guess_limits;
mod hygiene;
mod invalid_numbers;
mod owners;
mod same_answers;
mod send_limits;
mod skewed_clocks;
mod test_numbers;

use std::time::Duration;

const NUMBER: &str = "+919876543210";

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
