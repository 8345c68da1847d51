//! The use cases. They know the stores, and nothing of HTTP.

pub mod codes;
pub mod deletion;
mod follow_up;
pub mod number_change;
pub mod sessions;
pub mod sign_up;
pub mod test_numbers;
