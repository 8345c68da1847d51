//! The operations, one file each: payloads and handler, nothing else.

pub mod health;
pub mod protected;
pub mod sign_up;

use poem_openapi::Tags;

/// How the document groups the operations.
#[derive(Tags)]
pub enum Tag {
    /// Get a one-time password by SMS and buy a bearer token with it.
    #[oai(rename = "Sign-up")]
    SignUp,
    /// What a token opens.
    Protected,
    /// For operators.
    Operations,
}
