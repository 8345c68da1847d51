//! The api.
