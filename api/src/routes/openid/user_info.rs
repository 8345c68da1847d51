//! `GET|POST /oauth/userinfo` (OpenID Connect Core, 5.3, and RFC 6750).

use common::accounts::AccessGrant;
use common::domain::openid::AccessToken;
use poem::http::{HeaderValue, Method, StatusCode, header};
use poem::web::Json;
use poem::{IntoResponse, Request, Response};
use serde_json::{Map, Value, json};

use super::{Provider, with_header};
use crate::http::error::ApiError;
use crate::http::{bearer, form, media_type};
use crate::routes::pictures;

/// What a request says of its access token.
enum Shown {
    Nothing,
    /// In more than one way, or in none that there is.
    Wrongly,
    Token(String),
}

impl Provider {
    pub(super) async fn user_info(&self, mut request: Request) -> poem::Result<Response> {
        let token = match shown(&mut request).await? {
            Shown::Nothing => return Ok(refused(StatusCode::UNAUTHORIZED, None)),
            Shown::Wrongly => return Ok(refused(StatusCode::BAD_REQUEST, Some("invalid_request"))),
            Shown::Token(token) => token,
        };
        let invalid = || refused(StatusCode::UNAUTHORIZED, Some("invalid_token"));
        let Some(token) = AccessToken::parse(&token) else { return Ok(invalid()) };
        let now = self.state.clock.now();
        let grant = self.state.accounts.access_grant(&token, now).await.map_err(ApiError::from)?;
        let picture = match &grant {
            Some(grant) if grant.scope.split(' ').any(|scope| scope == "profile") => {
                self.state.accounts.picture_of(grant.user.id).await.map_err(ApiError::from)?
            }
            _ => None,
        };
        Ok(match grant.and_then(|grant| self.claims(&grant, picture)) {
            Some(claims) => Json(claims).into_response(),
            None => invalid(),
        })
    }

    /// None where the client is not one any more.
    fn claims(&self, grant: &AccessGrant, picture: Option<String>) -> Option<Value> {
        let clients = self.state.registered_clients.get();
        let (_, terms) = clients.openid(&grant.client_id)?;
        let sub = grant.user.id.to_string();
        let mut claims = Map::new();
        let mut add = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        for scope in grant.scope.split(' ') {
            match scope {
                "profile" => {
                    add("name", json!(grant.user.name));
                    if let Some(id) = &picture {
                        add("picture", json!(pictures::url(&self.state, id)));
                    }
                }
                "phone" => {
                    add("phone_number", json!(grant.user.phone_number.as_str()));
                    add("phone_number_verified", json!(true));
                }
                "email" => {
                    if let Some(domain) = &terms.synthetic_email {
                        add("email", json!(format!("{sub}@{domain}")));
                        add("email_verified", json!(false));
                    }
                }
                _ => {}
            }
        }
        add("sub", json!(sub));
        Some(Value::Object(claims))
    }
}

/// By the header, or by the form of a POST (RFC 6750, 2.1 and 2.2).
async fn shown(request: &mut Request) -> poem::Result<Shown> {
    let mut in_form = None;
    if *request.method() == Method::POST {
        let body = request.take_body();
        if media_type::is(request, form::CONTENT_TYPE) {
            in_form = form::read(request, body).await?.take("access_token");
        }
    }
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    Ok(match (values.next(), values.next(), in_form) {
        (None, _, None) => Shown::Nothing,
        (None, _, Some(token)) => Shown::Token(token),
        (Some(value), None, None) => bearer::credentials(value)
            .map_or(Shown::Wrongly, |token| Shown::Token(token.to_owned())),
        _ => Shown::Wrongly,
    })
}

/// RFC 6750, 3: whoever shows nothing is told nothing but the scheme.
fn refused(status: StatusCode, error: Option<&'static str>) -> Response {
    let (challenge, body) = match error {
        Some(error) => (
            format!("Bearer realm=\"cheershare\", error=\"{error}\""),
            json!({ "error": error, "error_description": "No live access token was shown" }),
        ),
        None => (
            "Bearer realm=\"cheershare\"".to_owned(),
            json!({ "error": "unauthorized", "error_description": "An access token is needed" }),
        ),
    };
    let mut response = Json(body).into_response();
    response.set_status(status);
    with_header(response, header::WWW_AUTHENTICATE, HeaderValue::try_from(challenge).ok())
}
