//! Deliveries from end to end: what each answer of a provider leads to, breakers, several providers, reports, rate,
//! dead letters and recovery.

mod claims;
mod jobs;
mod ledger;
mod rate;
