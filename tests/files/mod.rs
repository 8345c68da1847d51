//! Files of users.

mod downloads;
mod links;
mod pictures;
mod stored;
mod sweep;
mod upload_faults;
mod uploads;
