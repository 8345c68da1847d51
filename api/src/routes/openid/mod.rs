//! What OpenID clients and their users' browsers ask for. Discovery describes it, so it is not in
//! the document.

mod authorize;
mod discovery;
mod end_session;
mod token;
mod user_info;

use std::sync::Arc;

use poem::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use poem::{Endpoint, Request, Response, RouteMethod};

use crate::http::browser_cookie::BrowserCookie;
use crate::http::client_address::AddressRule;
use crate::http::form::{self, Form};
use crate::http::middleware::client_of;
use crate::http::oauth_error::OAuthError;
use crate::http::origin::Origin;
use crate::http::session_cookie::SessionCookie;
use crate::pages::notice::{NoticeForm, Notices};
use crate::service::openid::{Answer, OpenId, ResponseMode};
use crate::state::AppState;

const DISCOVERY_PATH: &str = "/.well-known/openid-configuration";
const AUTHORIZE_PATH: &str = "/oauth/authorize";
/// Where the sign-in page leads back to.
const CONTINUE_PATH: &str = "/oauth/continue";
const TOKEN_PATH: &str = "/oauth/token";
const USER_INFO_PATH: &str = "/oauth/userinfo";
const END_SESSION_PATH: &str = "/oauth/end_session";
const JWKS_PATH: &str = "/oauth/jwks";
const INTROSPECTION_PATH: &str = "/oauth/introspect";
const REVOCATION_PATH: &str = "/oauth/revoke";

const GET_AND_POST: &[Method] = &[Method::GET, Method::POST];

/// All paths, with their methods.
pub(crate) const PATHS: [(&str, &[Method]); 6] = [
    (DISCOVERY_PATH, &[Method::GET]),
    (AUTHORIZE_PATH, GET_AND_POST),
    (CONTINUE_PATH, &[Method::GET]),
    (TOKEN_PATH, &[Method::POST]),
    (USER_INFO_PATH, GET_AND_POST),
    (END_SESSION_PATH, GET_AND_POST),
];

/// The longest request that browsers bring, in bytes of its query or form.
const LONGEST_REQUEST: usize = 8 * 1024;

/// Everything that the routes need.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) state: Arc<AppState>,
    pub(crate) openid: OpenId,
    pub(crate) session_cookie: SessionCookie,
    pub(crate) browser_cookie: BrowserCookie,
    pub(crate) address_rule: AddressRule,
    /// Where browsers reach the pages.
    pub(crate) own: Option<Origin>,
    pub(crate) notices: Notices,
}

#[derive(Clone)]
struct Route {
    path: &'static str,
    provider: Arc<Provider>,
}

impl Provider {
    pub(crate) fn routes(self) -> impl Iterator<Item = (&'static str, RouteMethod)> {
        let provider = Arc::new(self);
        PATHS.into_iter().map(move |(path, methods)| {
            let route = Route { path, provider: Arc::clone(&provider) };
            let add =
                |routes: RouteMethod, method: &Method| routes.method(method.clone(), route.clone());
            (path, methods.iter().fold(RouteMethod::new(), add))
        })
    }

    /// Leads a browser to a page of ours.
    fn redirect(&self, to: &str) -> Response {
        see_other(&format!("{}{to}", self.openid.issuer))
    }

    /// Leads a browser back to the client.
    fn answer(&self, answer: &Answer) -> Response {
        match answer.mode {
            ResponseMode::Query => see_other(&answer.location()),
            ResponseMode::FormPost => {
                let form = NoticeForm {
                    action: &answer.redirect_uri,
                    fields: &answer.parameters,
                    button: "Continue",
                    submits_itself: true,
                };
                let text = "You are being led back to the app.";
                self.notices.page(StatusCode::OK, "One moment", text, Some(&form))
            }
        }
    }

    /// What people are told where no client is.
    fn refusal(&self, text: &str) -> Response {
        self.notices.page(StatusCode::BAD_REQUEST, "This does not work", text, None)
    }

    fn unavailable(&self) -> Response {
        let text = "The service has a problem right now. Try again in a moment.";
        let page = self.notices.page(StatusCode::SERVICE_UNAVAILABLE, "Not now", text, None);
        with_header(page, header::RETRY_AFTER, Some(HeaderValue::from_static("1")))
    }

    /// Repeats a browser's POST as the GET that means the same: with a POST that comes from another
    /// site, browsers send no cookie that says `SameSite=Lax`.
    async fn as_get(&self, path: &str, request: &mut Request) -> poem::Result<Response> {
        let body = request.take_body();
        let query = form::read(request, body).await?.encoded();
        if query.len() > LONGEST_REQUEST {
            return Ok(self.refusal(TOO_LONG));
        }
        Ok(self.redirect(&format!("{path}?{query}")))
    }
}

const TOO_LONG: &str = "What the app asked for is too long.";

/// The parameters of a query.
///
/// # Errors
/// Why there are none, for people.
fn parameters(request: &Request) -> Result<Form, &'static str> {
    let query = request.uri().query().unwrap_or_default();
    if query.len() > LONGEST_REQUEST {
        return Err(TOO_LONG);
    }
    form::parse(query.as_bytes()).map_err(|_: OAuthError| "The app says something twice.")
}

/// 303, and never 307, by which a browser would repeat a form (RFC 9700, 4.12).
fn see_other(location: &str) -> Response {
    let response = Response::builder().status(StatusCode::SEE_OTHER);
    response.header(header::LOCATION, location).finish()
}

fn with_header(mut response: Response, name: HeaderName, value: Option<HeaderValue>) -> Response {
    response.headers_mut().extend(value.map(|value| (name, value)));
    response
}

impl Endpoint for Route {
    type Output = Response;

    async fn call(&self, mut request: Request) -> poem::Result<Response> {
        let provider = &*self.provider;
        let client = client_of(&request, &provider.address_rule);
        request.extensions_mut().insert(client);
        match self.path {
            AUTHORIZE_PATH => provider.authorize(request).await,
            CONTINUE_PATH => Ok(provider.go_on(&request).await),
            TOKEN_PATH => provider.token(request).await,
            USER_INFO_PATH => provider.user_info(request).await,
            END_SESSION_PATH => provider.end_session(request).await,
            _ => Ok(provider.discovery()),
        }
    }
}
