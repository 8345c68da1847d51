//! What is parsed at the edge. `Debug` and `Display` show no secret and no whole number.

pub mod admin_action;
pub mod admin_key;
pub(crate) mod characters;
pub mod client;
pub mod cursor;
pub mod delivery;
pub mod event;
pub mod file_name;
pub mod ids;
pub mod last_day;
pub mod message;
pub mod openid;
pub mod otp;
pub mod outgoing_event;
pub mod person_name;
pub mod phone;
pub mod picture;
pub mod purpose;
pub mod token;
pub mod twilio_error_codes;
