//! The operations, one file each: payloads and handler, nothing else.

pub mod browser_session;
pub mod deletion;
pub mod deliveries;
pub mod events;
mod file_download;
pub mod file_links;
pub mod files;
pub mod health;
pub mod jwts;
pub mod me;
pub mod oauth;
pub(crate) mod openid;
pub(crate) mod paging;
pub mod payloads;
pub mod phone_number;
pub mod pictures;
pub mod protected;
pub mod sign_up;
pub mod tokens;
pub mod twilio_status;
pub mod uploads;
pub mod verify;

use poem_openapi::{OpenApi, Tags};

/// All operations, in the order of the document.
pub(crate) fn operations() -> impl OpenApi + 'static {
    (
        sign_up::SignUpApi,
        deliveries::DeliveriesApi,
        me::MeApi,
        pictures::PicturesApi,
        phone_number::PhoneNumberApi,
        deletion::DeletionApi,
        events::EventsApi,
        tokens::TokensApi,
        files::FilesApi,
        file_links::FileLinksApi,
        jwts::JwtsApi,
        protected::ProtectedApi,
        verify::VerifyApi,
        oauth::OAuthApi,
        health::HealthApi,
    )
}

/// How the document groups the operations.
#[derive(Tags)]
pub enum Tag {
    /// Get a one-time password by SMS and buy a bearer token with it.
    #[oai(rename = "Sign-up")]
    SignUp,
    /// The signed-in user, and what happened to their account.
    Account,
    /// Where the user is signed in, by the tokens that they hold.
    Sessions,
    /// What users keep here and share.
    Files,
    /// What a token opens.
    Protected,
    /// For gateways in front of other programs.
    Gateways,
    /// For programs of the operator's own, which CLIENTS_FILE lists.
    Programs,
    /// For operators.
    Operations,
}
