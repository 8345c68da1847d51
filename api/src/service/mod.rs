//! The use cases. They know the stores, and nothing of HTTP.

mod background_retry;
pub mod codes;
pub mod deletion;
pub mod number_change;
pub mod sessions;
pub mod sign_up;
pub mod test_numbers;
