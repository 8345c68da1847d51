//! What derives from `OTP_SECRET`: seals and tags.

pub mod challenge_keys;
pub mod idempotency_keys;
pub mod otp_keys;
pub mod secret;
