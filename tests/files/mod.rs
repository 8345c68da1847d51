//! Files of users.

mod downloads;
mod fake_s3;
mod links;
mod pictures;
mod store_faults;
mod stored;
mod sweep;
mod upload_faults;
mod uploads;
