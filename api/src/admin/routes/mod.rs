//! The operations of the admin API, one file a group: payloads and handlers, nothing else.

mod actions;
mod failures;
mod keys;
pub(super) mod overview;
mod payloads;
mod session;
mod users;

use poem_openapi::{OpenApi, Tags};

/// All operations, in the order of the document.
pub(super) fn operations() -> impl OpenApi + 'static {
    (
        overview::OverviewApi,
        users::UsersApi,
        actions::ActionsApi,
        keys::KeysApi,
        session::SessionApi,
    )
}

/// How the document groups the operations.
#[derive(Tags)]
enum Tag {
    /// What happens, in numbers.
    Overview,
    /// Who has signed in with a phone number.
    Users,
    /// What the holders of keys have done.
    Actions,
    /// Who may use this API.
    Keys,
}
