//! The service over those stores: as processes, or in the test's own process.

pub(crate) mod app;
pub(crate) mod in_process;
pub(crate) mod process;
pub(crate) mod settings;
