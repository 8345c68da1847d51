//! What both programs have in common: how they start, stop, and let themselves be watched.

mod metrics;
mod redis_rights;
mod shutdown;
mod startup_checks;
mod traces;
