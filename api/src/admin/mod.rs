//! The admin API: what operators see and change, on an address of its own.

pub mod config;
mod console_cookie;
pub mod document;
mod key_check;
pub mod listener;
mod live;
mod look_ups;
mod overview;
pub mod roles;
mod routes;
pub mod state;
mod wrong_keys;

use std::collections::HashMap;
use std::sync::Arc;

use common::domain::admin_key::AdminRole;
use poem::http::Method;
use poem::{Endpoint, EndpointExt, IntoEndpoint, Request, Response, RouteMethod, get};
use serde_json::Value;

use self::state::AdminState;
pub use self::wrong_keys::WrongKeys;
use crate::http::cors::AllowedOrigins;
use crate::http::error::{ApiError, ErrorKind};
use crate::http::host;
use crate::http::middleware::around_everything;
use crate::http::route_lookup::RouteLookup;
use crate::http::static_content::StaticContent;
use crate::pages::console;
use crate::service::background::{Cancelled, run_to_completion};

const SWAGGER_UI_PATH: &str = "/docs";
const DOCUMENT_PATH: &str = "/openapi.json";

/// The app behind the admin API's address.
pub fn endpoint(state: Arc<AdminState>) -> impl Endpoint<Output = Response> + use<> {
    let document = document::document();
    let contents = contents(&document);
    let others = contents.keys().copied().chain([live::PATH]);
    let others: Vec<_> = others.map(|path| (path, &[Method::GET][..])).collect();
    let lookup = RouteLookup::new(&document, &others);
    let shared = Arc::new((contents, state, lookup.clone()));
    let routes = document::operations().into_endpoint().around(move |operation, request| {
        let shared = Arc::clone(&shared);
        async move {
            let (contents, state, lookup) = &*shared;
            check_host(&request, state)?;
            let path = request.uri().path();
            match contents.get(path) {
                Some(content) => content.call(request).await,
                None if path == live::PATH => live(request, state).await,
                None => around_operation(operation, request, state, lookup).await,
            }
        }
    });
    // No other website's scripts may read an answer.
    around_everything(routes, lookup, AllowedOrigins::default())
}

/// What is the same for everybody: the console, Swagger UI and the document.
fn contents(document: &Value) -> HashMap<&'static str, RouteMethod> {
    let text = crate::document::text(document);
    let document_json = StaticContent::new("application/json; charset=utf-8", text, None);
    let (page, policy) = document::swagger_ui(document);
    let swagger_ui = StaticContent::new("text/html; charset=utf-8", page, Some(&policy));
    let files = console::files().map(|(path, content)| (path, get(content)));
    files.chain([(SWAGGER_UI_PATH, get(swagger_ui)), (DOCUMENT_PATH, get(document_json))]).collect()
}

/// The document has no streams.
async fn live(mut request: Request, state: &Arc<AdminState>) -> poem::Result<Response> {
    if request.method() != Method::GET {
        return Err(ApiError::from(ErrorKind::MethodNotAllowed).into());
    }
    key_check::check(&mut request, state, AdminRole::Viewer).await?;
    Ok(live::events(&request, state)?)
}

fn check_host(request: &Request, state: &AdminState) -> Result<(), ApiError> {
    let asked = host::asked(request);
    if asked.is_some_and(|asked| state.hosts.allow(asked.host())) {
        Ok(())
    } else {
        Err(ErrorKind::HostNotAllowed.into())
    }
}

/// The key is asked for before anything of a request is read, where there is such an operation. What
/// changes something runs to its end even if its client goes away: what is in the database and what
/// follows it elsewhere are never half of it.
async fn around_operation<E: Endpoint<Output = Response> + 'static>(
    next: Arc<E>,
    mut request: Request,
    state: &Arc<AdminState>,
    lookup: &RouteLookup,
) -> poem::Result<Response> {
    if let Some(route) = lookup.find(request.uri().path()) {
        let needed = roles::needed(request.method(), &route.pattern);
        if route.answers(request.method()) {
            key_check::check(&mut request, state, needed).await?;
        }
    }
    request.extensions_mut().insert(Arc::clone(state));
    if request.method().is_safe() {
        return next.call(request).await;
    }
    let answer = run_to_completion(async move { Ok(next.call(request).await) }).await;
    answer.unwrap_or_else(|_: Cancelled| Err(ApiError::from(ErrorKind::Internal).into()))
}
