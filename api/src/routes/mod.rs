//! The operations, one file each: payloads and handler, nothing else.

/// An enum of the document from a closed set of the domain's words.
macro_rules! documented {
    ($(#[$doc:meta])* $name:ident of $domain:ident { $($variant:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
        #[oai(rename_all = "snake_case")]
        pub enum $name {
            $(#[allow(missing_docs, reason = "see the domain's")] $variant,)+
        }

        impl From<$domain> for $name {
            fn from(word: $domain) -> Self {
                match word {
                    $($domain::$variant => Self::$variant,)+
                }
            }
        }
    };
}

pub mod deletion;
pub mod deliveries;
pub mod events;
pub mod health;
pub mod me;
pub mod nullable;
mod paging;
pub mod phone_number;

pub mod protected;
pub mod sign_up;
pub mod tokens;
pub mod twilio_status;
pub mod user;

use poem_openapi::Tags;

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
    /// What a token opens.
    Protected,
    /// For operators.
    Operations,
}
