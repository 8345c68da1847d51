//! The layers around every route, in order. They are written out in one function for each of the
//! two groups, since a layer of poem's own costs each request about a microsecond.

use std::sync::Arc;

use common::domain::client::{Client, Device};
use poem::http::{HeaderValue, Method, header};
use poem::{Endpoint, EndpointExt, IntoEndpoint, IntoResponse, Request, Response};

use super::bearer;
use super::client_address::AddressRule;
use super::client_credentials;
use super::cors::AllowedOrigins;
use super::error;
use super::error::{ApiError, ErrorKind};
use super::files_cookie::FilesCookie;
use super::host;
use super::idempotent_requests::repeated_renewal;
use super::panic_guard;
use super::request_id::RequestId;
use super::request_trace::RequestTrace;
use super::route_lookup::RouteLookup;
use super::security_headers::SecurityHeaders;
use super::tus::{self, TusAnswer};
use crate::metrics::RequestMetrics;
use crate::state::AppState;

/// Around every route, pages and reports of providers included.
pub fn around_everything(
    routes: impl IntoEndpoint<Endpoint: 'static>,
    route_lookup: RouteLookup,
    origins: AllowedOrigins,
) -> impl Endpoint<Output = Response> {
    let shared = Arc::new((route_lookup, origins));
    routes.into_endpoint().around(move |next, request| {
        let shared = Arc::clone(&shared);
        async move {
            let (route_lookup, origins) = &*shared;
            Ok(answer(&next, request, route_lookup, origins).await)
        }
    })
}

async fn answer(
    next: &impl Endpoint,
    mut request: Request,
    route_lookup: &RouteLookup,
    origins: &AllowedOrigins,
) -> Response {
    tus::override_method(&mut request);
    let route = route_lookup.find(request.uri().path());

    // From the outermost layer to the innermost one.
    let metrics = RequestMetrics::begin(&request, route);
    let id = RequestId::of(&request);
    let trace = RequestTrace::begin(&request, &id, route);
    let security_headers = SecurityHeaders::for_request(&request);
    let cors = origins.cors(&request);
    let tus = TusAnswer::for_request(&request);
    request.extensions_mut().insert(id.clone());
    let mut response = match (host::check(&request), cors.preflight(&request, route)) {
        (Err(refusal), _) => ApiError::from(refusal).into_response(),
        (Ok(()), Some(response)) => response,
        (Ok(()), None) => {
            trace.instrument(panic_guard::catch(error::respond(next, request, route))).await
        }
    };

    // And back.
    tus.add_to(response.status(), response.headers_mut());
    cors.add_to(response.headers_mut());
    security_headers.add_to(response.headers_mut());
    trace.end(response.status());
    id.add_to(response.headers_mut());
    metrics.end(response.status());
    response
}

/// Whose request it is.
pub(crate) fn client_of(request: &Request, address_rule: &AddressRule) -> Client {
    let address = address_rule.client_of_connection(request.remote_addr(), request.headers());
    let user_agent =
        request.headers().get(header::USER_AGENT).map_or(&[][..], HeaderValue::as_bytes);
    Client { address, device: Device::from_user_agent(user_agent) }
}

/// The method of a request, as it came: poem leads a `HEAD` to an operation as a `GET`.
#[derive(Clone, Debug)]
pub(crate) struct AskedBy(pub(crate) Method);

/// Around the operations of the OpenAPI document: the client's address and device, the state, and
/// the check of the bearer token, unless a registered client asks.
pub(crate) async fn around_operation<E: Endpoint<Output = Response>>(
    next: &E,
    mut request: Request,
    state: &Arc<AppState>,
    address_rule: &AddressRule,
    files_cookie: &FilesCookie,
) -> poem::Result<Response> {
    let client = client_of(&request, address_rule);
    let method = AskedBy(request.method().clone());
    let data = request.extensions_mut();
    data.insert(method);
    data.insert(client);
    data.insert(Arc::clone(&state.idempotency));
    data.insert(Arc::clone(state));
    if client_credentials::are_asked_for(request.uri().path()) {
        return next.call(request).await;
    }
    files_cookie.admit(&mut request, state).await?;
    if let Err(refusal) = bearer::check(&mut request, state).await {
        let is_dead = refusal == ApiError::from(ErrorKind::InvalidAuthorizationHeader);
        let kept = if is_dead { repeated_renewal(&request).await? } else { None };
        return kept.ok_or(refusal.into());
    }
    next.call(request).await
}
