//! What each answer of a provider leads to, breakers, several providers, and the rate of calls.
//! Nothing here depends on the database.

mod answers;
mod breaker;
mod rate;
mod several;
