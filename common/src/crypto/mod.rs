//! What derives from `OTP_SECRET`: seals and tags. And the keys that sign JWTs.

pub mod challenge_keys;
pub mod cookie_keys;
pub mod idempotency_keys;
pub mod otp_keys;
pub mod secret;
pub mod signing_keys;
