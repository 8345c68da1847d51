//! In the test's own process, where time is moved instead of waited for.

mod send_limits;
