//! `GET /admin/clients`

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Object, OpenApi};

use super::Tag;
use super::failures::failures;
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::state::AdminState;
use crate::http::error::Failure;
use crate::service::registered_clients::RegisteredClient;

#[derive(Debug)]
pub(super) struct ClientsApi;

/// All entries of `CLIENTS_FILE`.
#[derive(Debug, Object)]
#[oai(example)]
struct Clients {
    /// In the order of their ids.
    clients: Vec<Client>,
}

/// A program of the operator's own.
#[derive(Debug, Object)]
#[oai(example)]
struct Client {
    /// What it calls itself when it asks.
    id: String,
    /// What people call it.
    name: String,
    /// How many secrets it may use; none where it can keep none.
    secrets: u32,
    /// It may ask who holds a token, and end its session.
    introspect: bool,
    /// It is told phone numbers with that.
    phone_number: bool,
    /// Where users sign in to it; none where they do not.
    redirect_uris: Vec<String>,
}

failures! {
    SeeFailures {}
}

#[OpenApi]
impl ClientsApi {
    /// See the registered clients
    ///
    /// As this process has read them last. They are changed in `CLIENTS_FILE`.
    #[oai(
        path = "/admin/clients",
        method = "get",
        tag = "Tag::Clients",
        operation_id = "listClients"
    )]
    async fn list(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
    ) -> Result<Json<Clients>, Failure<SeeFailures>> {
        let registered = state.app.registered_clients.get();
        let mut clients: Vec<_> = registered.all().map(Client::of).collect();
        clients.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Json(Clients { clients }))
    }
}

impl Client {
    fn of(client: &RegisteredClient) -> Self {
        let openid = client.openid.as_ref();
        Self {
            id: client.id.to_string(),
            name: client.name.as_str().to_owned(),
            secrets: u32::try_from(client.secrets()).unwrap_or(u32::MAX),
            introspect: client.introspect,
            phone_number: client.phone_number,
            redirect_uris: openid.into_iter().flat_map(|terms| terms.redirect_uris()).collect(),
        }
    }
}

impl Example for Clients {
    fn example() -> Self {
        Self { clients: vec![Client::example()] }
    }
}

impl Example for Client {
    fn example() -> Self {
        Self {
            id: "billing".to_owned(),
            name: "Billing".to_owned(),
            secrets: 1,
            introspect: true,
            phone_number: false,
            redirect_uris: vec![],
        }
    }
}
