//! Files of users.

mod downloads;
mod links;
mod pictures;
mod stored;
mod uploads;
