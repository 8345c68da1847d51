//! The app: state, routes and what stands around them. `main` serves it, and in-process tests call
//! it.

use std::collections::HashMap;
use std::sync::Arc;

use common::config::TWILIO_STATUS_PATH;
use poem::http::Method;
use poem::{Endpoint, EndpointExt, IntoEndpoint, Response, RouteMethod, get, post};
use serde_json::Value;

use crate::admin::state::AdminState;
use crate::document;
use crate::http::browser_cookie::BrowserCookie;
use crate::http::client_address::AddressRule;
use crate::http::cors::AllowedOrigins;
use crate::http::files_cookie::FilesCookie;
use crate::http::middleware::{around_everything, around_operation};
use crate::http::origin::Origin;
use crate::http::route_lookup::RouteLookup;
use crate::http::static_content::StaticContent;
use crate::pages::notice::Notices;
use crate::pages::{Pages, dev_inbox, sign_in};
use crate::routes::browser_session::{self, BrowserSession};
use crate::routes::openid::{self, Provider};
use crate::routes::twilio_status::TwilioStatus;
use crate::routes::uploads::UploadStatus;
use crate::routes::verify::{self, Verify};
use crate::service::openid::OpenId;
use crate::state::AppState;

const SWAGGER_UI_PATH: &str = "/docs";
const DOCUMENT_PATH: &str = "/openapi.json";

/// What the document does not list.
const OTHER_ROUTES: [(&str, &[Method]); 7] = [
    (sign_in::PATH, &[Method::GET]),
    (browser_session::PATH, &browser_session::METHODS),
    (dev_inbox::PATH, &[Method::GET]),
    (dev_inbox::EVENTS_PATH, &[Method::GET]),
    (SWAGGER_UI_PATH, &[Method::GET]),
    (DOCUMENT_PATH, &[Method::GET]),
    (TWILIO_STATUS_PATH, &[Method::POST]),
];

#[derive(Clone, Debug)]
pub struct App {
    pub state: Arc<AppState>,
    /// What is served on the admin API's address.
    pub admin: Arc<AdminState>,
    pub address_rule: AddressRule,
    pub origins: AllowedOrigins,
    pub pages: Pages,
    pub verify: Verify,
    /// Where browsers reach the pages, as far as the settings say.
    pub own: Option<Origin>,
    /// What apps let their users sign in by, where it is known under which URL.
    pub openid: Option<OpenId>,
    pub browser_cookie: BrowserCookie,
    /// Pages of a few words.
    pub notices: Notices,
    /// Where Twilio's reports are asked for.
    pub twilio_status: Option<TwilioStatus>,
}

impl App {
    pub fn into_endpoint(self) -> impl Endpoint<Output = Response> + use<> {
        let document = document::document();
        let mut not_listed = OTHER_ROUTES.to_vec();
        if self.openid.is_some() {
            not_listed.extend(openid::PATHS);
        }
        let route_lookup = RouteLookup::new(&document, &not_listed).with_all_below(verify::PATH);
        let others = self.others(&document);
        let Self { state, address_rule, origins, verify, own, .. } = self;
        let files_cookie = FilesCookie { cookie: verify.cookie.clone(), own };
        let shared = Arc::new((others, state, address_rule, verify, files_cookie));
        let routes = document::service().into_endpoint().around(move |operation, request| {
            let shared = Arc::clone(&shared);
            async move {
                let (others, state, address_rule, verify, files_cookie) = &*shared;
                let path = request.uri().path();
                if verify::is_at(path) {
                    return Ok(verify.answer(request, state).await);
                }
                match others.get(path) {
                    Some(other) => other.call(request).await,
                    None => {
                        let operation = UploadStatus(&*operation);
                        around_operation(&operation, request, state, address_rule, files_cookie)
                            .await
                    }
                }
            }
        });
        around_everything(routes, route_lookup, origins)
    }

    fn others(&self, document: &Value) -> HashMap<&'static str, RouteMethod> {
        let example_number = &self.pages.example_number;
        let text = document::served_text(document, example_number);
        let document_json = StaticContent::new("application/json; charset=utf-8", text, None);
        let (page, policy) = document::swagger_ui(document, example_number);
        let swagger_ui = StaticContent::new("text/html; charset=utf-8", page, Some(&policy));
        let mut others = HashMap::from([
            (SWAGGER_UI_PATH, get(swagger_ui)),
            (DOCUMENT_PATH, get(document_json)),
        ]);
        others.extend(self.pages.routes());
        if self.pages.has_sign_in() {
            let session = BrowserSession {
                state: Arc::clone(&self.state),
                cookie: self.verify.cookie.clone(),
                address_rule: self.address_rule.clone(),
                own: self.own.clone(),
                openid: self.openid.clone(),
                browser_cookie: self.browser_cookie,
            };
            let methods = get(session.clone()).post(session.clone()).delete(session);
            others.insert(browser_session::PATH, methods);
        }
        let provider = self.openid.clone().map(|openid| Provider {
            state: Arc::clone(&self.state),
            openid,
            session_cookie: self.verify.cookie.clone(),
            browser_cookie: self.browser_cookie,
            address_rule: self.address_rule.clone(),
            own: self.own.clone(),
            notices: self.notices.clone(),
        });
        others.extend(provider.into_iter().flat_map(Provider::routes));
        others.extend(self.twilio_status.clone().map(|status| (TWILIO_STATUS_PATH, post(status))));
        others
    }
}
