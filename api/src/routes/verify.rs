//! `/auth/verify` and every path below it: a gateway asks who sent the request that it holds.
//!
//! Some gateways ask with the method and the path of that request, and ask for every request, so
//! none of the layers around operations is needed, and poem-openapi describes this one and does
//! not route it.

use std::collections::HashMap;
use std::sync::Arc;

use poem::endpoint::BoxEndpoint;
use poem::http::header::InvalidHeaderValue;
use poem::http::{HeaderName, HeaderValue, Method, header};
use poem::{IntoResponse, Request, Response};
use poem_openapi::registry::{
    MetaApi, MetaHeader, MetaOperation, MetaPath, MetaResponse, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::{ApiExtractor, ApiResponse, OpenApi, Tags};

use super::Tag;
use crate::http::bearer::{BearerToken, bearer_token};
use crate::http::error::{ApiError, ErrorKind, Failure, Failures};
use crate::http::percent_encoded::percent_encoded;
use crate::http::session_cookie::SessionCookie;
use crate::http::sign_in_redirect::SignInRedirect;
use crate::service::sessions::{self, CurrentUser};
use crate::state::AppState;

pub(crate) const PATH: &str = "/auth/verify";

const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
const USER_PHONE_NUMBER: HeaderName = HeaderName::from_static("x-user-phone-number");
const USER_NAME: HeaderName = HeaderName::from_static("x-user-name");
const SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");

/// Whether a request for this path asks who sent it.
pub(crate) fn is_at(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|below| below.is_empty() || below.starts_with('/'))
}

/// What it is answered with, beside the state.
#[derive(Clone, Debug)]
pub struct Verify {
    pub(crate) cookie: SessionCookie,
    /// Where browsers are led to that are not signed in.
    pub(crate) redirect: Option<SignInRedirect>,
}

impl Verify {
    /// Says in headers who sent a request, or refuses it. Its body is not read.
    pub(crate) async fn answer(&self, mut request: Request, state: &AppState) -> Response {
        let mut response = match self.sender(&request, state).await {
            Ok(current) => identity(&current).unwrap_or_else(|error| {
                tracing::error!(event = "identity_not_sent", user_id = current.user.id, %error);
                ApiError::from(ErrorKind::Internal).into_response()
            }),
            Err(refusal) => {
                let is_anonymous = refusal == ApiError::from(ErrorKind::Unauthorized);
                let redirect = self.redirect.as_ref().filter(|_| is_anonymous);
                let redirected = redirect.and_then(|redirect| redirect.answer(&request, PATH));
                redirected.unwrap_or_else(|| refusal.into_response())
            }
        };
        let headers = response.headers_mut();
        headers.insert(header::VARY, HeaderValue::from_static("Cookie"));
        if !request.take_body().is_empty() {
            // Nobody reads it, so nothing that came after it could be told from it.
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// By the header, where there is one, and else by the cookie.
    async fn sender(
        &self,
        request: &Request,
        state: &AppState,
    ) -> Result<Arc<CurrentUser>, ApiError> {
        let (token, refusal) = match bearer_token(request.headers())? {
            Some(token) => (Some(token), ErrorKind::InvalidAuthorizationHeader),
            None => (self.cookie.token_for_apps_in(request.headers()), ErrorKind::Unauthorized),
        };
        let Some(token) = token else { return Err(refusal.into()) };
        Ok(sessions::find(state, &token).await?.ok_or(refusal)?)
    }
}

/// Every header, always: where one were missing, a gateway would let the client's own pass.
fn identity(current: &CurrentUser) -> Result<Response, InvalidHeaderValue> {
    let CurrentUser { user, session } = current;
    let name = percent_encoded(&user.name);
    let mut response = Response::default();
    let headers = response.headers_mut();
    headers.insert(USER_ID, HeaderValue::from(user.id));
    headers.insert(USER_PHONE_NUMBER, HeaderValue::from_str(user.phone_number.as_str())?);
    headers.insert(USER_NAME, HeaderValue::try_from(name)?);
    headers.insert(SESSION_ID, HeaderValue::from_str(session.id.as_str())?);
    Ok(response)
}

/// The description of [`Verify::answer`], for the document.
#[derive(Debug)]
pub struct VerifyApi;

#[derive(Debug)]
struct VerifyFailures;

impl Failures for VerifyFailures {
    const KINDS: &'static [ErrorKind] = &[ErrorKind::Unauthorized];
}

impl OpenApi for VerifyApi {
    fn meta() -> Vec<MetaApi> {
        let mut responses = Failure::<VerifyFailures>::meta();
        responses.responses.insert(0, identity_response());
        let operation = MetaOperation {
            method: Method::GET,
            tags: vec![Tag::Gateways.name()],
            summary: Some("Say who sent a request"),
            description: Some(
                "For gateways, which ask before they pass a request on, and add these headers to it. \
                 The answer is the same for every method, and on every path below; no body is read. \
                 Without the header, the cookie of the sign-in page says who it is. With \
                 `SIGN_IN_REDIRECT=on` a browser that is not signed in gets 302 to that page.",
            ),
            external_docs: None,
            params: Vec::new(),
            request: None,
            responses,
            deprecated: false,
            security: BearerToken::security_schemes()
                .into_iter()
                .map(|scheme| HashMap::from([(scheme, Vec::new())]))
                .collect(),
            operation_id: Some("verify"),
            code_samples: Vec::new(),
        };
        let path = MetaPath { path: PATH.to_owned(), operations: vec![operation] };
        vec![MetaApi { paths: vec![path] }]
    }

    fn register(registry: &mut Registry) {
        Tag::Gateways.register(registry);
        BearerToken::register(registry);
    }

    fn add_routes(self, _: &mut HashMap<String, HashMap<Method, BoxEndpoint<'static>>>) {}
}

fn identity_response() -> MetaResponse {
    let header = |name: &str, schema, description: &str| MetaHeader {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        required: true,
        deprecated: false,
        schema: MetaSchemaRef::Inline(Box::new(MetaSchema::new(schema))),
    };
    MetaResponse {
        description: "The sender has a live session",
        status: Some(200),
        status_range: None,
        content: Vec::new(),
        headers: vec![
            header("X-User-Id", "integer", "The user's id"),
            header("X-User-Phone-Number", "string", "E.164"),
            header("X-User-Name", "string", "As the person gave it, in UTF-8, percent-encoded"),
            header("X-Session-Id", "string", "The session's id. It is not the token"),
        ],
    }
}
