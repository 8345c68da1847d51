//! The job: is the SMS still wanted, claim an attempt, send, record what came of it.

pub mod retry;
pub mod send_otp;
pub mod sms_size;
pub mod sms_text;
mod trace;
