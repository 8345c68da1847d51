//! Deliveries from end to end: what each answer of a provider leads to, breakers, several providers, reports, rate,
//! dead letters and recovery. Nothing here depends on the database.

mod answers;
mod breaker;
mod callbacks;
mod claims;
mod dead_letters;
mod jobs;
mod late_answers;
mod ledger;
mod lifecycle;
mod notices;
mod providers;
mod rate;
mod recovery;

/// `count` numbers that may be sent to.
fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|last| format!("+9198765{last:05}")).collect()
}
