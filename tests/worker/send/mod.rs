//! From the job to the provider and back: what is tried again, what ends, and what is dropped.
//! Nothing here depends on the database.

mod claims;
mod dead_letters;
mod jobs;
mod late_answers;
mod lost_attempts;
mod notices;
mod recovery;
