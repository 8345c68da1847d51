//! What a client asks for when it sends a browser here (OpenID Connect Core, 3.1.2.1).

use std::collections::HashMap;

use common::domain::ids::BrowserId;
use common::domain::openid::is_base64url_of_32_bytes;
use common::domain::phone::PhoneNumber;
use common::ledger::authorization_requests::LONGEST;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::answer::{Answer, AuthorizationError, ResponseMode};
use super::id_token::Hint;
use super::{OpenId, SCOPES};
use crate::service::sessions::CurrentUser;
use crate::state::AppState;

/// The longest `state` that clients send, in bytes. Some keep much in it.
const LONGEST_STATE: usize = 2_048;
/// The longest `nonce`, in bytes.
const LONGEST_NONCE: usize = 1_024;
/// Bytes of what is kept that nothing in the request makes longer: a browser's and a session's id.
const KEPT_WITH_IT: usize = 200;

/// A request whose client and redirect URI are known to be good. `Debug` hides the number.
#[derive(Clone, Deserialize, Serialize)]
pub struct AuthorizationRequest {
    pub client_id: String,
    pub redirect_uri: String,
    mode: ResponseMode,
    state: Option<String>,
    /// What is granted, separated by blanks.
    pub scope: String,
    pub nonce: Option<String>,
    pub code_challenge: Option<String>,
    /// The user has to sign in anew.
    login: bool,
    /// Nobody may be shown anything.
    #[serde(skip)]
    pub is_silent: bool,
    /// Seconds that the user's OTP may be old.
    max_age: Option<i64>,
    /// The user whom it has to be.
    subject: Option<String>,
    /// The number that the user may have, in E.164.
    pub number: Option<String>,
    /// When it came, in Unix seconds.
    began_at: i64,
    /// The session that the browser had then.
    session_before: Option<String>,
}

impl std::fmt::Debug for AuthorizationRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AuthorizationRequest")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Why a request goes no further.
#[derive(Debug)]
pub enum Refusal {
    /// Nobody knows where it came from, so nobody is led there: people are told why, in words.
    Page(&'static str),
    /// The client is told.
    Client(Answer),
}

/// What a client is told of a request that cannot be granted.
struct Wrong(AuthorizationError, &'static str);

fn invalid(description: &'static str) -> Wrong {
    Wrong(AuthorizationError::InvalidRequest, description)
}

/// What is kept of a request.
#[derive(Deserialize, Serialize)]
struct Kept<R> {
    request: R,
    /// SHA-256, in hexadecimal.
    browser: String,
}

impl AuthorizationRequest {
    /// Reads the parameters of a request, each of which is there once.
    ///
    /// # Errors
    /// [`Refusal`].
    pub fn read(
        state: &AppState,
        openid: &OpenId,
        mut parameters: HashMap<String, String>,
    ) -> Result<Self, Refusal> {
        let client_id = parameters.remove("client_id").unwrap_or_default();
        let clients = state.registered_clients.get();
        let Some((_, terms)) = clients.openid(&client_id) else {
            return Err(Refusal::Page("The app is not known here (client_id)."));
        };
        let redirect_uri = parameters.remove("redirect_uri").unwrap_or_default();
        if !terms.redirects_to(&redirect_uri) {
            return Err(Refusal::Page(
                "The app's address is not one that was registered for it (redirect_uri).",
            ));
        }
        let mode = response_mode(parameters.remove("response_mode"));
        let told = mode.unwrap_or_default();
        let client_state = parameters.remove("state");
        let answer = Answer::new(&redirect_uri, told, client_state.as_deref(), &openid.issuer);

        let read = || {
            let mode = mode.ok_or(invalid("response_mode has to be query or form_post"))?;
            no_request_objects(&parameters)?;
            let nonce = parameters.remove("nonce");
            no_longer_than(&client_state, LONGEST_STATE, "state has 2048 bytes at most")?;
            no_longer_than(&nonce, LONGEST_NONCE, "nonce has 1024 bytes at most")?;
            response_type(parameters.remove("response_type"))?;
            let scope = scope(parameters.remove("scope"), terms.synthetic_email.is_some())?;
            let code_challenge = code_challenge(&mut parameters, terms.needs_pkce)?;
            let prompt = parameters.remove("prompt").unwrap_or_default();
            let prompts: Vec<&str> = prompt.split(' ').filter(|word| !word.is_empty()).collect();
            let is_silent = prompts.contains(&"none");
            if is_silent && prompts.len() > 1 {
                return Err(invalid("prompt has none and something else"));
            }
            let max_age = parameters.remove("max_age").map(|text| text.parse::<u32>()).transpose();
            let max_age = max_age.map_err(|_| invalid("max_age has to be a number of seconds"))?;
            let hint = parameters.remove("id_token_hint");
            let subject = hint.map(|hint| subject(state, openid, &client_id, &hint)).transpose()?;
            let number = parameters
                .remove("login_hint")
                .and_then(|hint| PhoneNumber::parse(&hint, state.default_country).ok());
            let asked = Self {
                mode,
                state: client_state,
                scope,
                nonce,
                code_challenge,
                login: prompts.contains(&"login") || max_age == Some(0),
                is_silent,
                max_age: max_age.map(i64::from),
                subject,
                number: number.map(|number| number.e164().as_str().to_owned()),
                began_at: state.clock.now().unix_timestamp(),
                session_before: None,
                client_id,
                redirect_uri,
            };
            // JSON has several bytes for some characters.
            let length = serde_json::to_string(&asked).map_or(usize::MAX, |json| json.len());
            if length > LONGEST - KEPT_WITH_IT {
                return Err(invalid("The request is too long"));
            }
            Ok(asked)
        };
        read().map_err(|Wrong(error, description)| {
            Refusal::Client(answer.with_error(error, description))
        })
    }

    /// Whether its client, as the file has it now, may still ask for it.
    #[must_use]
    pub fn is_still_good(&self, state: &AppState) -> bool {
        let clients = state.registered_clients.get();
        clients.openid(&self.client_id).is_some_and(|(_, terms)| {
            let has_challenge = self.code_challenge.is_some() || !terms.needs_pkce;
            has_challenge && terms.redirects_to(&self.redirect_uri)
        })
    }

    /// The same, of a browser that had this session when it came: a sign-in for it is another one.
    #[must_use]
    pub fn after(self, current: Option<&CurrentUser>) -> Self {
        let session_before = current.map(|current| current.session.id.to_string());
        Self { session_before, ..self }
    }

    /// Whether a session is what the client asked for: of its user, and not too old.
    #[must_use]
    pub fn is_enough(&self, current: &CurrentUser, now: OffsetDateTime) -> bool {
        let signed_in_at = current.session.created_at.unix_timestamp();
        let is_other = self.session_before.as_deref() != Some(current.session.id.as_str());
        let is_of_this = is_other && signed_in_at >= self.began_at;
        let age = now.unix_timestamp() - signed_in_at;
        let is_young = self.max_age.is_none_or(|longest| age <= longest);
        self.is_of_subject(current) && (is_of_this || !self.login && is_young)
    }

    /// Whether it is the user whom the client asked for.
    #[must_use]
    pub fn is_of_subject(&self, current: &CurrentUser) -> bool {
        self.subject.as_ref().is_none_or(|subject| *subject == current.user.id.to_string())
    }

    /// What the client is told, but for what became of it.
    #[must_use]
    pub fn answer(&self, issuer: &str) -> Answer {
        Answer::new(&self.redirect_uri, self.mode, self.state.as_deref(), issuer)
    }

    pub(super) fn to_json(&self, browser: &BrowserId) -> String {
        let kept = Kept { request: self, browser: hash(browser) };
        serde_json::to_string(&kept).unwrap_or_default()
    }

    /// Reads what was kept; none for another browser.
    pub(super) fn from_json(json: &str, browser: &BrowserId) -> Option<Self> {
        let kept: Kept<Self> = serde_json::from_str(json).ok()?;
        (kept.browser == hash(browser)).then_some(kept.request)
    }
}

fn response_mode(told: Option<String>) -> Option<ResponseMode> {
    match told.as_deref() {
        None | Some("query") => Some(ResponseMode::Query),
        Some("form_post") => Some(ResponseMode::FormPost),
        Some(_) => None,
    }
}

fn no_request_objects(parameters: &HashMap<String, String>) -> Result<(), Wrong> {
    for (name, error) in [
        ("request", AuthorizationError::RequestNotSupported),
        ("request_uri", AuthorizationError::RequestUriNotSupported),
    ] {
        if parameters.contains_key(name) {
            return Err(Wrong(error, "Request objects are not supported"));
        }
    }
    Ok(())
}

fn no_longer_than(
    value: &Option<String>,
    longest: usize,
    description: &'static str,
) -> Result<(), Wrong> {
    let is_long = value.as_ref().is_some_and(|value| value.len() > longest);
    if is_long { Err(invalid(description)) } else { Ok(()) }
}

fn response_type(told: Option<String>) -> Result<(), Wrong> {
    match told.as_deref() {
        Some("code") => Ok(()),
        Some(_) => {
            let error = AuthorizationError::UnsupportedResponseType;
            Err(Wrong(error, "response_type has to be code"))
        }
        None => Err(invalid("response_type is missing")),
    }
}

/// What is granted of the scope that was asked for.
fn scope(told: Option<String>, has_email: bool) -> Result<String, Wrong> {
    let told = told.unwrap_or_default();
    let asked: Vec<&str> = told.split(' ').collect();
    if !asked.contains(&"openid") {
        return Err(Wrong(AuthorizationError::InvalidScope, "scope has to have openid in it"));
    }
    let granted = SCOPES.into_iter().filter(|scope| asked.contains(scope));
    let granted = granted.filter(|scope| *scope != "email" || has_email);
    Ok(granted.collect::<Vec<_>>().join(" "))
}

/// What PKCE (RFC 7636) asks for.
fn code_challenge(
    parameters: &mut HashMap<String, String>,
    is_needed: bool,
) -> Result<Option<String>, Wrong> {
    let challenge = parameters.remove("code_challenge");
    match (&challenge, parameters.remove("code_challenge_method").as_deref()) {
        (Some(text), Some("S256")) if is_base64url_of_32_bytes(text) => Ok(challenge),
        (Some(_), Some("S256")) => Err(invalid("code_challenge has to be a SHA-256 in base64url")),
        (Some(_), _) => Err(invalid("code_challenge_method has to be S256")),
        (None, Some(_)) => Err(invalid("code_challenge is missing")),
        (None, None) if is_needed => Err(invalid("code_challenge is missing (PKCE, RFC 7636)")),
        (None, None) => Ok(None),
    }
}

/// Whom the client expects, by an ID token that it has.
fn subject(
    state: &AppState,
    openid: &OpenId,
    client_id: &str,
    hint: &str,
) -> Result<String, Wrong> {
    let keys = state.jwts.keys.get();
    let hint = keys.as_ref().as_ref().and_then(|keys| Hint::read(keys, &openid.issuer, hint));
    let hint = hint.filter(|hint| hint.aud == client_id).map(|hint| hint.sub);
    hint.ok_or(invalid("id_token_hint is not an ID token of this client"))
}

fn hash(browser: &BrowserId) -> String {
    HEXLOWER.encode(&Sha256::digest(browser.as_str()))
}
