//! `GET|POST /oauth/end_session` (OpenID Connect RP-Initiated Logout 1.0).

use common::domain::client::Client;
use common::domain::ids::SessionId;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::{Request, Response};

use super::{END_SESSION_PATH, LONGEST_REQUEST, Provider, parameters, see_other, with_header};
use crate::http::error::{ApiError, ErrorKind};
use crate::http::form::{self, Form};
use crate::http::same_origin;
use crate::service::openid::{Hint, with_query};
use crate::service::sessions;

/// What our own page says that has asked the user.
const CONFIRMED: &str = "confirmed";

impl Provider {
    pub(super) async fn end_session(&self, mut request: Request) -> poem::Result<Response> {
        if *request.method() == Method::POST {
            if same_origin::check(request.headers(), self.own.as_ref()).is_ok() {
                let body = request.take_body();
                let mut form = form::read(&request, body).await?;
                if form.take(CONFIRMED).is_some() {
                    let done = self.sign_out(&request, None).await;
                    return Ok(done.unwrap_or_else(|_| self.unavailable()));
                }
                let query = form.encoded();
                if query.len() <= LONGEST_REQUEST {
                    return Ok(self.redirect(&format!("{END_SESSION_PATH}?{query}")));
                }
                return Ok(self.refusal(super::TOO_LONG));
            }
            return self.as_get(END_SESSION_PATH, &mut request).await;
        }
        match parameters(&request) {
            Ok(form) => {
                let done = self.end_as_asked(&request, form).await;
                Ok(done.unwrap_or_else(|_| self.unavailable()))
            }
            Err(text) => Ok(self.refusal(text)),
        }
    }

    async fn end_as_asked(&self, request: &Request, mut form: Form) -> Result<Response, ApiError> {
        let hint = form.take("id_token_hint").and_then(|jwt| {
            let keys = self.state.jwts.keys.get();
            Hint::read(keys.as_ref().as_ref()?, &self.openid.issuer, &jwt)
        });
        let client_id = form.take("client_id");
        // A client that says to be another one than the hint's is not believed.
        let hint = hint.filter(|hint| client_id.as_ref().is_none_or(|id| *id == hint.aud));
        let current = self.browsers_session(request.headers()).await?;
        let now = self.state.clock.now();
        // An old one speaks for its own session alone: others may have seen it meanwhile.
        let fits = |hint: &Hint| {
            current.as_ref().is_none_or(|current| {
                let is_its_own = current.session.id.as_str() == hint.sid;
                is_its_own || !hint.has_expired(now) && current.user.id.to_string() == hint.sub
            })
        };
        let Some(hint) = hint.filter(fits) else { return Ok(self.ask()) };
        let uri = form.take("post_logout_redirect_uri");
        if let Some(uri) = &uri {
            let clients = self.state.registered_clients.get();
            let terms = clients.openid(&hint.aud).map(|(_, terms)| terms);
            if !terms.is_some_and(|terms| terms.redirects_after_logout_to(uri)) {
                let text = "The app's address is not one that was registered for it \
                    (post_logout_redirect_uri).";
                return Ok(self.refusal(text));
            }
        }
        let fresh = Some(&hint).filter(|hint| !hint.has_expired(now));
        let response = self.sign_out(request, fresh).await?;
        let Some(uri) = uri else { return Ok(response) };
        let state = form.take("state");
        let cleared = response.headers().get(header::SET_COOKIE).cloned();
        let location = match &state {
            Some(state) => with_query(&uri, [("state", state.as_str())]),
            None => uri,
        };
        Ok(with_header(see_other(&location), header::SET_COOKIE, cleared))
    }

    fn ask(&self) -> Response {
        let form = super::NoticeForm {
            action: END_SESSION_PATH,
            fields: &[(CONFIRMED, "yes".to_owned())],
            button: "Sign out",
            submits_itself: false,
        };
        let text = "You stay signed in unless you say so here.";
        let page = self.notices.page(StatusCode::OK, "Sign out?", text, Some(&form));
        // With `no-referrer` browsers post its form with `Origin: null`, and some say nothing else
        // of where it comes from.
        let policy = HeaderValue::from_static("same-origin");
        with_header(page, header::REFERRER_POLICY, Some(policy))
    }

    /// Ends the browser's session, and that of a hint that has not expired, mostly one.
    async fn sign_out(&self, request: &Request, hint: Option<&Hint>) -> Result<Response, ApiError> {
        let client: &Client = request.data().ok_or(ErrorKind::Internal)?;
        let state = &*self.state;
        if let Some(current) = self.browsers_session(request.headers()).await? {
            let id = &current.session.id;
            sessions::end(state, current.user.id, id, id, client).await?;
        }
        let named = hint
            .and_then(|hint| Some((hint.sub.parse::<i64>().ok()?, SessionId::parse(&hint.sid)?)));
        if let Some((user_id, id)) = named {
            sessions::end(state, user_id, &id, &id, client).await?;
        }
        let text = "You can close this page.";
        let mut page = self.notices.page(StatusCode::OK, "You are signed out", text, None);
        for cookie in self.session_cookie.clear() {
            page.headers_mut().append(header::SET_COOKIE, cookie);
        }
        Ok(page)
    }
}
