//! Who talks to it: clients, operators, and connections byte by byte.

pub(crate) mod client;
pub(crate) mod operators;
pub(crate) mod raw;
