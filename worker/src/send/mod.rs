//! The job: claim an attempt if the SMS is still wanted, send, record the outcome.

pub mod recent_attempts;
pub mod retry;
pub mod send_otp;
pub mod sms_size;
pub mod sms_text;
mod trace;
