//! Bodies of OAuth 2.0: `application/x-www-form-urlencoded` (RFC 6749, appendix B).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use poem::{Body, Request};

use super::bounded_body::read_bounded;
use super::error::ApiError;
use super::media_type;
use super::oauth_error::{OAuthError, OAuthErrorKind};
use super::strict_json::PayloadError;

pub(crate) const CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// The parameters that mean something here. One of these twice could be read in two ways; others are
/// for nobody, and some may be there several times, such as `resource` (RFC 8707).
const KNOWN: [&str; 24] = [
    "access_token",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "confirmed",
    "grant_type",
    "id_token_hint",
    "login_hint",
    "max_age",
    "nonce",
    "post_logout_redirect_uri",
    "prompt",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
    "token",
    "token_type_hint",
];

/// The parameters of a body. One without a value counts as left out (RFC 6749, 3.1 and 3.2).
pub(crate) struct Form(HashMap<String, String>);

impl Form {
    #[cfg(test)]
    pub(crate) fn of(parameters: &[(&str, &str)]) -> Self {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(parameters.iter().map(own).collect())
    }

    /// All of them, form-urlencoded.
    pub(crate) fn encoded(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// All of them, by their names.
    pub(crate) fn into_parameters(self) -> HashMap<String, String> {
        self.0
    }

    /// Takes a parameter out.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        debug_assert!(KNOWN.contains(&name), "{name} is not among the known parameters");
        self.0.remove(name)
    }
}

/// Reads a form, of [`MAX_BODY_BYTES`](super::bounded_body::MAX_BODY_BYTES) at most.
///
/// # Errors
/// `invalid_request` for what is no form, or has a known parameter twice; else why the body could not be
/// read.
pub(crate) async fn read(request: &Request, body: Body) -> poem::Result<Form> {
    if !media_type::is(request, CONTENT_TYPE) {
        return Err(invalid("The body has to be application/x-www-form-urlencoded").into());
    }
    let body = read_bounded(request, body).await.map_err(|error| match error {
        PayloadError::Invalid(_) => poem::Error::from(invalid("The body ended early")),
        error => ApiError::from(super::error::ErrorKind::from(error)).into(),
    })?;
    Ok(parse(body.as_ref())?)
}

/// Reads parameters, of a body or of a query.
///
/// # Errors
/// `invalid_request` for a known one that is there twice.
pub(crate) fn parse(body: &[u8]) -> Result<Form, OAuthError> {
    let mut parameters = HashMap::new();
    for (name, value) in form_urlencoded::parse(body).into_owned() {
        match parameters.entry(name) {
            Entry::Occupied(entry) if !KNOWN.contains(&entry.key().as_str()) => {}
            Entry::Occupied(_) => return Err(invalid("A parameter is there twice")),
            Entry::Vacant(free) => {
                free.insert(value);
            }
        }
    }
    parameters.retain(|_, value| !value.is_empty());
    Ok(Form(parameters))
}

fn invalid(description: &'static str) -> OAuthError {
    OAuthError { kind: OAuthErrorKind::InvalidRequest, description }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_there_once_and_with_a_value_or_not_at_all() {
        let mut form =
            parse(b"code=1+%2B%31&state=&nonce&scope=%C3%A4&&=x&resource=a&resource=b").unwrap();
        assert_eq!(form.take("code").as_deref(), Some("1 +1"));
        assert_eq!(form.take("code"), None);
        assert_eq!((form.take("state"), form.take("nonce")), (None, None));
        assert_eq!(form.take("scope").as_deref(), Some("ä"));
        assert!(parse(b"").is_ok());
        for twice in
            [&b"code=1&code=1"[..], b"code=&code=1", b"code&%63ode", b"code=1&state=2&code"]
        {
            assert!(parse(twice).is_err(), "{}", String::from_utf8_lossy(twice));
        }
    }
}
