//! The operations of the admin API, one file a group: payloads and handlers, nothing else.

mod actions;
mod buckets;
mod clients;
mod deliveries;
mod failures;
mod keys;
mod numbers;
mod outgoing_events;
pub(super) mod overview;
mod payloads;
mod queue;
mod session;
mod user;
mod user_export;
mod user_import;
mod user_sessions;
mod users;

use poem_openapi::{OpenApi, Tags};

/// All operations, in the order of the document.
pub(super) fn operations() -> impl OpenApi + 'static {
    (
        overview::OverviewApi,
        users::UsersApi,
        user_import::UserImportApi,
        user::UserApi,
        user_sessions::UserSessionsApi,
        user_export::UserExportApi,
        numbers::NumbersApi,
        deliveries::DeliveriesApi,
        queue::QueueApi,
        buckets::BucketsApi,
        clients::ClientsApi,
        outgoing_events::OutgoingEventsApi,
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
    /// What is known of numbers, whether a user has them or not.
    Numbers,
    /// SMS that were asked for.
    Deliveries,
    /// What waits to be sent, and who sends it.
    Queue,
    /// What counts unverified sends.
    Buckets,
    /// Programs that may ask about tokens, or that users sign in to.
    Clients,
    /// What the operator's webhook is told, and did not take.
    #[oai(rename = "Outgoing events")]
    OutgoingEvents,
    /// What the holders of keys have done.
    Actions,
    /// Who may use this API.
    Keys,
}
