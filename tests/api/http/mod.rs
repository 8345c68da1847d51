//! What stands around every operation.

mod bearer;
mod cors;
mod host;
mod long_bodies;
mod paths_and_methods;
mod security_headers;
mod static_answers;
mod strict_json;
