//! `/session`: the session that a browser's cookie holds. For the sign-in page alone, which begins
//! it with the token that it has just got, so it is not in the document.

use std::sync::Arc;
use std::time::Duration;

use common::domain::ids::AuthorizationRequestId;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::web::Json;
use poem::{Endpoint, IntoResponse, Request, Response};
use serde_json::{Value, json};

use crate::http::bearer::bearer_token;
use crate::http::browser_cookie::BrowserCookie;
use crate::http::client_address::AddressRule;
use crate::http::error::{ApiError, ErrorKind};
use crate::http::middleware::client_of;
use crate::http::origin::Origin;
use crate::http::same_origin;
use crate::http::session_cookie::SessionCookie;
use crate::routes::pictures;
use crate::service::openid::{self, OpenId};
use crate::service::sessions::{self, CurrentUser};
use crate::state::AppState;

pub(crate) const PATH: &str = "/session";
pub(crate) const METHODS: [Method; 3] = [Method::GET, Method::POST, Method::DELETE];

#[derive(Clone, Debug)]
pub struct BrowserSession {
    pub(crate) state: Arc<AppState>,
    pub(crate) cookie: SessionCookie,
    pub(crate) address_rule: AddressRule,
    /// Where browsers reach the page, as far as the settings say.
    pub(crate) own: Option<Origin>,
    pub(crate) openid: Option<OpenId>,
    pub(crate) browser_cookie: BrowserCookie,
}

impl BrowserSession {
    /// Makes the browser hold the session of the token that its page sends. A foreign page could
    /// have sent one of its own (login CSRF). The session of the same user that the browser held
    /// until then ends: nobody holds it any more.
    async fn begin(&self, request: &Request) -> Result<Response, ApiError> {
        let token = bearer_token(request.headers())?.ok_or(ErrorKind::Unauthorized)?;
        let current = sessions::find(&self.state, &token).await?;
        let current = current.ok_or(ErrorKind::InvalidAuthorizationHeader)?;
        let before = match self.cookie.token_in(request.headers()) {
            Some(token) => sessions::find(&self.state, &token).await?,
            None => None,
        };
        let is_replaced = |before: &Arc<CurrentUser>| {
            before.user.id == current.user.id && before.session.id != current.session.id
        };
        if let Some(before) = before.filter(is_replaced) {
            let client = client_of(request, &self.address_rule);
            let id = &before.session.id;
            sessions::end(&self.state, before.user.id, id, id, &client).await?;
        }
        let life = current.session.expires_at - self.state.clock.now();
        let life = Duration::try_from(life).unwrap_or_default();
        Ok(done(self.cookie.set(&token, life)))
    }

    /// Ends the sessions that the page and the browser hold, mostly one, and makes the browser
    /// forget it.
    async fn end(&self, request: &Request) -> Result<Response, ApiError> {
        let headers = request.headers();
        let tokens = [
            bearer_token(headers)?,
            self.cookie.token_in(headers),
            self.cookie.token_for_apps_in(headers),
        ];
        let client = client_of(request, &self.address_rule);
        let state = &*self.state;
        for token in tokens.into_iter().flatten() {
            // What has ended already needs nothing more.
            if let Some(current) = sessions::find(state, &token).await? {
                let id = &current.session.id;
                sessions::end(state, current.user.id, id, id, &client).await?;
            }
        }
        Ok(done(self.cookie.clear()))
    }

    /// Says whose session the browser holds, and which app asked for one.
    async fn show(&self, request: &Request) -> Result<Response, ApiError> {
        let state = &*self.state;
        let current = match self.cookie.token_in(request.headers()) {
            Some(token) => sessions::find(state, &token).await?,
            None => None,
        };
        let asking = self.asking(request, current.as_deref()).await?;
        let picture = match &current {
            Some(current) => state.accounts.picture_of(current.user.id).await?,
            None => None,
        };
        let user = current.map(|current| {
            let user = &current.user;
            json!({"name": user.name, "phone_number": user.phone_number.as_str()})
        });
        let mut body = json!({ "data": user });
        if let (Some(id), Some(body)) = (picture, body.as_object_mut()) {
            body.insert("picture".to_owned(), json!(pictures::url(state, &id)));
        }
        if let (Some(asking), Some(body)) = (asking, body.as_object_mut()) {
            body.insert("asking".to_owned(), asking);
        }
        Ok(Json(body).with_header(header::VARY, "Cookie").into_response())
    }

    /// The app whose request the page names, where this browser began it.
    async fn asking(
        &self,
        request: &Request,
        current: Option<&CurrentUser>,
    ) -> Result<Option<Value>, ApiError> {
        let Some(openid) = &self.openid else { return Ok(None) };
        let query = request.uri().query().unwrap_or_default();
        let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "request");
        let id = named.and_then(|(_, id)| AuthorizationRequestId::parse(&id));
        let browser = self.browser_cookie.browser_of(request.headers());
        let Some((id, browser)) = id.zip(browser) else { return Ok(None) };
        let Some(asked) = openid::find(openid, &id, &browser).await? else { return Ok(None) };
        let now = self.state.clock.now();
        let is_enough = current.is_some_and(|current| asked.is_enough(current, now));
        let name = openid::name_of(&self.state, &asked.client_id);
        Ok(name.map(|name| json!({ "name": name, "number": asked.number, "is_enough": is_enough })))
    }
}

fn done(cookies: Vec<HeaderValue>) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

impl Endpoint for BrowserSession {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        same_origin::check(request.headers(), self.own.as_ref()).map_err(ApiError::from)?;
        let answer = match *request.method() {
            Method::POST => self.begin(&request).await,
            Method::DELETE => self.end(&request).await,
            _ => self.show(&request).await,
        };
        Ok(answer?)
    }
}
