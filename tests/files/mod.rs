//! Files of users.

mod downloads;
mod links;
mod stored;
mod uploads;
