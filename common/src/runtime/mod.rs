//! What every program stands on: time, start and stop, health, logs, metrics.

pub mod clock;
pub mod command;
pub mod health;
pub mod listen_address;
pub mod metrics;
pub mod readiness;
pub mod retry;
pub mod shutdown;
pub mod startup;
pub mod startup_checks;
pub mod telemetry;
pub mod timeout;
