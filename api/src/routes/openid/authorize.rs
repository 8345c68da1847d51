//! `GET|POST /oauth/authorize`, and `GET /oauth/continue`, where the sign-in page leads back to.

use std::sync::Arc;

use common::domain::client::Client;
use common::domain::ids::{AuthorizationRequestId, BrowserId};
use poem::http::{HeaderMap, Method, header};
use poem::{Request, Response};

use super::{AUTHORIZE_PATH, Provider, parameters, with_header};
use crate::http::error::{ApiError, ErrorKind};
use crate::service::openid::{self, AuthorizationError, AuthorizationRequest, Refusal};
use crate::service::sessions::{self, CurrentUser};

const NOT_BEGUN_HERE: &str = "This sign-in has expired, or it began in another browser. Go back to \
    the app and sign in again.";

impl Provider {
    pub(super) async fn authorize(&self, mut request: Request) -> poem::Result<Response> {
        if *request.method() == Method::POST {
            return self.as_get(AUTHORIZE_PATH, &mut request).await;
        }
        let parameters = match parameters(&request) {
            Ok(form) => form.into_parameters(),
            Err(text) => return Ok(self.refusal(text)),
        };
        let asked = match AuthorizationRequest::read(&self.state, &self.openid, parameters) {
            Ok(asked) => asked,
            Err(Refusal::Page(text)) => return Ok(self.refusal(text)),
            Err(Refusal::Client(answer)) => return Ok(self.answer(&answer)),
        };
        let refused = asked.answer(&self.openid.issuer);
        Ok(self.answer_to(asked, &request).await.unwrap_or_else(|_| {
            let error = AuthorizationError::TemporarilyUnavailable;
            self.answer(&refused.with_error(error, "Try again in a moment"))
        }))
    }

    async fn answer_to(
        &self,
        asked: AuthorizationRequest,
        request: &Request,
    ) -> Result<Response, ApiError> {
        let current = self.browsers_session(request.headers()).await?;
        let (asked, now) = (asked.after(current.as_deref()), self.state.clock.now());
        if let Some(current) = current.filter(|current| asked.is_enough(current, now))
            && let Some(answer) = openid::grant(&self.state, &self.openid, &asked, &current).await?
        {
            return Ok(self.answer(&answer));
        }
        if asked.is_silent {
            let (error, text) = (AuthorizationError::LoginRequired, "The user has to sign in");
            return Ok(self.answer(&asked.answer(&self.openid.issuer).with_error(error, text)));
        }
        let known = self.browser_cookie.browser_of(request.headers());
        let browser = known.unwrap_or_else(BrowserId::random);
        let client: &Client = request.data().ok_or(ErrorKind::Internal)?;
        let id = openid::keep(&self.openid, asked, &browser, client.address).await?;
        let response = self.redirect(&format!("/?request={id}"));
        Ok(with_header(response, header::SET_COOKIE, self.browser_cookie.set(&browser)))
    }

    /// The user has signed in, as far as the browser says.
    pub(super) async fn go_on(&self, request: &Request) -> Response {
        match self.try_to_go_on(request).await {
            Ok(Some(response)) => response,
            Ok(None) => self.refusal(NOT_BEGUN_HERE),
            Err(_) => self.unavailable(),
        }
    }

    async fn try_to_go_on(&self, request: &Request) -> Result<Option<Response>, ApiError> {
        let Ok(mut form) = parameters(request) else { return Ok(None) };
        let id = form.take("request").and_then(|id| AuthorizationRequestId::parse(&id));
        let browser = self.browser_cookie.browser_of(request.headers());
        let Some((id, browser)) = id.zip(browser) else { return Ok(None) };
        let asked = openid::find(&self.openid, &id, &browser).await?;
        let Some(asked) = asked else { return Ok(None) };
        let issuer = &self.openid.issuer;
        if !asked.is_still_good(&self.state) {
            return Ok(None);
        }
        let current = self.browsers_session(request.headers()).await?;
        let Some(current) = current else {
            return Ok(Some(self.redirect(&format!("/?request={id}"))));
        };
        let now = self.state.clock.now();
        if !asked.is_enough(&current, now) {
            if asked.is_of_subject(&current) {
                return Ok(Some(self.redirect(&format!("/?request={id}"))));
            }
            self.openid.requests.forget(&id).await?;
            let (error, text) = (AuthorizationError::LoginRequired, "Another user signed in");
            return Ok(Some(self.answer(&asked.answer(issuer).with_error(error, text))));
        }
        let granted = openid::grant(&self.state, &self.openid, &asked, &current).await?;
        let Some(answer) = granted else {
            return Ok(Some(self.redirect(&format!("/?request={id}"))));
        };
        if let Err(error) = self.openid.requests.forget(&id).await {
            tracing::warn!(event = "authorization_request_not_forgotten", %error);
        }
        Ok(Some(self.answer(&answer)))
    }

    /// Whose session the browser holds.
    pub(super) async fn browsers_session(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<Arc<CurrentUser>>, ApiError> {
        match self.session_cookie.token_in(headers) {
            Some(token) => Ok(sessions::find(&self.state, &token).await?),
            None => Ok(None),
        }
    }
}
