//! Who of the registered clients asks (RFC 6749, 2.3.1): by HTTP Basic, or by two fields of the
//! form.

use std::sync::Arc;

use common::domain::client::Client;
use data_encoding::BASE64;
use percent_encoding::percent_decode_str;
use poem::http::{HeaderMap, header};
use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSecurityScheme, Registry};
use poem_openapi::types::Type;
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions, Object};

use super::error::{ApiError, ErrorKind};
use super::form::{self, Form};
use super::oauth_error::{OAuthError, OAuthErrorKind};
use crate::service::registered_clients::{ClientSecret, RegisteredClient, WrongClient};
use crate::state::AppState;

/// What the document calls the scheme.
const SCHEME: &str = "ClientCredentials";

/// The routes on which a registered client says who it is, and no user does.
const ROUTES: [&str; 2] = ["/oauth/introspect", "/oauth/revoke"];

/// Whether `Authorization` is a registered client's there.
pub(crate) fn are_asked_for(path: &str) -> bool {
    ROUTES.contains(&path)
}

/// A registered client asks about a token.
#[derive(Debug)]
pub(crate) struct AboutToken {
    pub(crate) asking: Arc<RegisteredClient>,
    /// As it was sent.
    pub(crate) token: String,
}

/// A token, and who asks about it.
#[derive(Object)]
#[oai(example)]
struct TokenForm {
    /// The token.
    token: String,
    /// What kind of token it may be. There is one kind, so it changes nothing.
    token_type_hint: Option<String>,
    /// The client's id, where it sends no `Authorization` header.
    client_id: Option<String>,
    /// The client's secret, where it sends no `Authorization` header.
    client_secret: Option<String>,
}

impl poem_openapi::types::Example for TokenForm {
    fn example() -> Self {
        Self {
            token: "Y7QKZB3VJ5N2WXH4T6DPL2AEMU".to_owned(),
            token_type_hint: Some("access_token".to_owned()),
            client_id: None,
            client_secret: None,
        }
    }
}

impl<'a> ApiExtractor<'a> for AboutToken {
    const TYPES: &'static [ApiExtractorType] =
        &[ApiExtractorType::RequestObject, ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        TokenForm::register(registry);
        registry.create_security_scheme(
            SCHEME,
            MetaSecurityScheme {
                ty: "http",
                description: Some(
                    "Id and secret of a registered client, each form-urlencoded first (RFC 6749, \
                     2.3.1); or as `client_id` and `client_secret` in the body",
                ),
                name: None,
                key_in: None,
                scheme: Some("basic"),
                bearer_format: None,
                flows: None,
                openid_connect_url: None,
            },
        );
    }

    fn security_schemes() -> Vec<&'static str> {
        vec![SCHEME]
    }

    /// The fields of the form.
    fn has_security_fallback() -> bool {
        true
    }

    fn request_meta() -> Option<MetaRequest> {
        Some(MetaRequest {
            description: None,
            content: vec![MetaMediaType {
                content_type: form::CONTENT_TYPE,
                schema: TokenForm::schema_ref(),
            }],
            required: true,
        })
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let state: &Arc<AppState> = request.data().ok_or(ApiError::from(ErrorKind::Internal))?;
        let mut form = form::read(request, body.take()?).await?;
        let asking = authenticate(request, &mut form, state)?;
        let token = form.take("token").ok_or(invalid_request("The parameter token is missing"))?;
        Ok(Self { asking, token })
    }
}

/// Finds the client that asks. One that can keep no secret says its id alone.
///
/// # Errors
/// `invalid_request` where it says so in two ways, else `invalid_client`. The client is not told
/// why, the log is.
pub(crate) fn authenticate(
    request: &Request,
    form: &mut Form,
    state: &AppState,
) -> Result<Arc<RegisteredClient>, OAuthError> {
    let refuse = |reason| {
        if let Some(client) = request.data::<Client>() {
            state.rejections.client(reason, client.address);
        }
        OAuthError {
            kind: OAuthErrorKind::InvalidClient,
            description: "Client authentication failed",
        }
    };
    let credentials = credentials_in(request.headers(), form)?;
    let Credentials { id, secret } = credentials.ok_or_else(|| refuse("no credentials"))?;
    let clients = state.registered_clients.get();
    let found = match &secret {
        Some(secret) => clients.authenticate(&id, secret),
        None => clients.public(&id),
    };
    found.map_err(|error| {
        refuse(match error {
            WrongClient::UnknownId => "unknown id",
            WrongClient::WrongSecret => "wrong secret",
        })
    })
}

#[derive(Debug)]
struct Credentials {
    id: String,
    secret: Option<ClientSecret>,
}

/// By the header where there is one, else by the form; none where neither has an id.
fn credentials_in(headers: &HeaderMap, form: &mut Form) -> Result<Option<Credentials>, OAuthError> {
    let (id, secret) = (form.take("client_id"), form.take("client_secret"));
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(id.map(|id| Credentials { id, secret: secret.map(ClientSecret::from) }));
    };
    if secret.is_some() || values.next().is_some() {
        return Err(invalid_request("The client says in more than one way who it is"));
    }
    let credentials = value.to_str().ok().and_then(basic);
    // Some send their id twice.
    match (&credentials, &id) {
        (Some(credentials), Some(id)) if credentials.id != *id => {
            Err(invalid_request("The client says in more than one way who it is"))
        }
        _ => Ok(credentials),
    }
}

/// `Basic`, in any case, and base64 of id and secret, each form-urlencoded, with a colon between.
fn basic(value: &str) -> Option<Credentials> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let text = String::from_utf8(BASE64.decode(encoded.trim_start().as_bytes()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some(Credentials { id: decoded(id)?, secret: Some(decoded(secret)?.into()) })
}

/// One value, form-urlencoded.
fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    Some(percent_decode_str(&text).decode_utf8().ok()?.into_owned())
}

fn invalid_request(description: &'static str) -> OAuthError {
    OAuthError { kind: OAuthErrorKind::InvalidRequest, description }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(
        authorization: &[&str],
        body: &[(&str, &str)],
    ) -> Result<Option<(String, Option<String>)>, OAuthErrorKind> {
        let mut headers = HeaderMap::new();
        for value in authorization {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        let mut form = Form::of(body);
        let found = credentials_in(&headers, &mut form).map_err(|error| error.kind)?;
        let secret = |secret: ClientSecret| secret.expose().to_owned();
        Ok(found.map(|found| (found.id, found.secret.map(secret))))
    }

    fn header_of(text: &str) -> String {
        format!("Basic {}", BASE64.encode(text.as_bytes()))
    }

    #[test]
    fn a_client_says_who_it_is_by_the_header_or_by_the_body() {
        let expected = Ok(Some(("an id".to_owned(), Some("s:e+c=r&e%t".to_owned()))));
        let header = header_of("an+id:s:e%2Bc%3Dr%26e%25t");
        assert_eq!(found(&[&header], &[]), expected);
        assert_eq!(found(&[&header.replace("Basic", "bAsIc ")], &[]), expected);
        assert_eq!(found(&[&header], &[("client_id", "an id")]), expected, "the id twice");
        let body = [("client_id", "an id"), ("client_secret", "s:e+c=r&e%t")];
        assert_eq!(found(&[], &body), expected);
        let empty = Ok(Some(("a".to_owned(), Some(String::new()))));
        assert_eq!(found(&[&header_of("a:")], &[]), empty);
        assert_eq!(found(&[], &[("client_id", "a")]), Ok(Some(("a".to_owned(), None))));
    }

    #[test]
    fn who_does_not_say_who_it_is_is_nobody() {
        for authorization in [
            "",
            "Basic",
            "Basic ",
            "Basic !",
            &header_of("no colon"),
            &header_of("%ff:a"),
            &format!("Basic {}", BASE64.encode(b"\xff:a")),
            &header_of("a:b").replace("Basic", "Bearer"),
            "Bearer ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        ] {
            assert_eq!(found(&[authorization], &[]), Ok(None), "{authorization}");
        }
        for body in [&[][..], &[("client_secret", "a")]] {
            assert_eq!(found(&[], body), Ok(None), "{body:?}");
        }
    }

    #[test]
    fn whoever_says_it_in_two_ways_is_refused() {
        let header = header_of("a:b");
        for (authorization, body) in [
            (&[header.as_str()][..], &[("client_secret", "b")][..]),
            (&[&header], &[("client_id", "a"), ("client_secret", "b")]),
            (&[&header], &[("client_id", "c")]),
            (&[&header, &header], &[]),
        ] {
            let refused = found(authorization, body);
            assert_eq!(refused, Err(OAuthErrorKind::InvalidRequest), "{authorization:?} {body:?}");
        }
    }
}
