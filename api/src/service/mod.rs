//! The use cases. They know the stores, and nothing of HTTP.

pub mod sessions;
pub mod sign_up;
pub mod test_numbers;
