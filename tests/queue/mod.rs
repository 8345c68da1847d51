//! The queue in process, on a real Redis, with handlers of the tests' own. These tests hold every
//! behaviour of apalis and apalis-redis that the queue leans on: an upgrade has to pass them.

mod failure;
mod liveness;
mod promptness;
mod retries;
mod stopping;
mod volume;
