//! The operations, one file each: payloads and handler, nothing else.

pub mod deletion;
pub mod deliveries;
pub mod health;
pub mod phone_number;
pub mod protected;
pub mod sign_up;
pub mod twilio_status;

use poem_openapi::Tags;

/// How the document groups the operations.
#[derive(Tags)]
pub enum Tag {
    /// Get a one-time password by SMS and buy a bearer token with it.
    #[oai(rename = "Sign-up")]
    SignUp,
    /// The account of who is signed in.
    Account,
    /// What a token opens.
    Protected,
    /// For operators.
    Operations,
}
