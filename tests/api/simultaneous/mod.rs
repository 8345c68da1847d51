//! Many requests at the same moment, through two API processes.

mod limited_requests;
mod session_changes;
mod sign_ups;
