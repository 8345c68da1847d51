//! Files of users.

mod downloads;
mod links;
mod stored;
mod sweep;
mod upload_faults;
mod uploads;
