//! What a client is told by way of the browser: a code or an error, and always by whom (RFC 9207).

use common::domain::openid::AuthorizationCode;
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;

/// Why a client gets no code (RFC 6749, 4.1.2.1, and OpenID Connect Core, 3.1.2.6).
#[derive(Clone, Copy, Debug, Eq, IntoStaticStr, PartialEq)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum AuthorizationError {
    InvalidRequest,
    UnsupportedResponseType,
    InvalidScope,
    LoginRequired,
    RequestNotSupported,
    RequestUriNotSupported,
    /// A store cannot be reached.
    TemporarilyUnavailable,
}

/// How it gets there.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseMode {
    #[default]
    Query,
    /// A form that the browser posts (OAuth 2.0 Form Post Response Mode).
    FormPost,
}

/// One, on its way. `Debug` hides what may be a code.
pub struct Answer {
    pub redirect_uri: String,
    pub mode: ResponseMode,
    pub parameters: Vec<(&'static str, String)>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("mode", &self.mode).finish_non_exhaustive()
    }
}

impl Answer {
    /// What every answer says.
    #[must_use]
    pub fn new(redirect_uri: &str, mode: ResponseMode, state: Option<&str>, issuer: &str) -> Self {
        let state = state.map(|state| ("state", state.to_owned()));
        let parameters = state.into_iter().chain([("iss", issuer.to_owned())]).collect();
        Self { redirect_uri: redirect_uri.to_owned(), mode, parameters }
    }

    #[must_use]
    pub fn with_code(mut self, code: &AuthorizationCode) -> Self {
        self.parameters.insert(0, ("code", code.expose().to_owned()));
        self
    }

    /// The description is plain ASCII without quotes, as the RFC asks.
    #[must_use]
    pub fn with_error(mut self, error: AuthorizationError, description: &str) -> Self {
        let error = error.into_str().to_owned();
        self.parameters.insert(0, ("error_description", description.to_owned()));
        self.parameters.insert(0, ("error", error));
        self
    }

    /// The redirect URI with all of it in its query.
    #[must_use]
    pub fn location(&self) -> String {
        let pairs = self.parameters.iter().map(|(name, value)| (*name, value.as_str()));
        with_query(&self.redirect_uri, pairs)
    }
}

/// A URI with more parameters after those of its own.
pub fn with_query<'a>(
    uri: &str,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    let separator = match uri.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    format!("{uri}{separator}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_added_to_what_a_redirect_uri_has() {
        for (uri, location) in [
            ("https://a.example/cb", "https://a.example/cb?state=a%26b&iss=https%3A%2F%2Fi"),
            ("https://a.example", "https://a.example?state=a%26b&iss=https%3A%2F%2Fi"),
            ("https://a.example/?", "https://a.example/?state=a%26b&iss=https%3A%2F%2Fi"),
            ("https://a.example/?x=y", "https://a.example/?x=y&state=a%26b&iss=https%3A%2F%2Fi"),
            ("com.example:/cb", "com.example:/cb?state=a%26b&iss=https%3A%2F%2Fi"),
        ] {
            let answer = Answer::new(uri, ResponseMode::Query, Some("a&b"), "https://i");
            assert_eq!(answer.location(), location);
        }
        let answer = Answer::new("https://a.example/cb", ResponseMode::Query, None, "i");
        let refused = answer.with_error(AuthorizationError::LoginRequired, "Sign in");
        let location = "https://a.example/cb?error=login_required&error_description=Sign+in&iss=i";
        assert_eq!(refused.location(), location);
    }
}
