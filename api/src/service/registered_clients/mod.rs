//! Programs of the operator's own that may ask about tokens, or that users sign in to: OAuth 2.0's
//! clients (RFC 6749, 2). They are read from `CLIENTS_FILE`.

mod file;
mod redirect_uri;
mod secret;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use common::domain::person_name::PersonName;
use data_encoding::BASE32_NOPAD;
use rand::RngExt;
use serde::Serialize;

pub use self::redirect_uri::RedirectUri;
pub use self::secret::{ClientSecret, SecretHash};

/// What stands for the service's own sign-in where a client is named.
pub const OWN_CLIENT_ID: &str = "cheershare";

const LONGEST_ID: usize = 64;

/// 1 to 64 letters, digits, `-`, `_` and `.`: what no way of sending it changes.
#[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
pub struct ClientId(String);

impl ClientId {
    /// Reads an id; none where it has other characters, too many of them, or is
    /// [`OWN_CLIENT_ID`].
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let is_id = (1..=LONGEST_ID).contains(&text.len()) && text.bytes().all(plain);
        (is_id && text != OWN_CLIENT_ID).then(|| Self(text.to_owned()))
    }

    /// A new one, of 128 random bits.
    #[must_use]
    pub fn random() -> Self {
        Self(BASE32_NOPAD.encode(&rand::rng().random::<[u8; 16]>()).to_ascii_lowercase())
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One program, and what it may do.
#[derive(Clone, Debug)]
pub struct RegisteredClient {
    pub id: ClientId,
    /// For people.
    pub name: PersonName,
    /// Of the secrets that it may use; several while one takes the place of another. None where it
    /// can keep no secret (a public client).
    secret_hashes: Vec<SecretHash>,
    /// May ask who holds a token, and end its session.
    pub introspect: bool,
    /// Is told the phone number with that.
    pub phone_number: bool,
    /// Where users sign in to it.
    pub openid: Option<OpenIdTerms>,
}

/// What a client that users sign in to has said of itself.
#[derive(Clone, Debug)]
pub struct OpenIdTerms {
    redirect_uris: Vec<RedirectUri>,
    post_logout_redirect_uris: Vec<RedirectUri>,
    /// Whether a code is asked for with a challenge (RFC 7636) always.
    pub needs_pkce: bool,
    /// The domain of the e-mail addresses that it is told, which take no mail.
    pub synthetic_email: Option<String>,
    /// Where it is told of sessions that end.
    pub backchannel_logout_uri: Option<String>,
}

impl OpenIdTerms {
    /// Whether users may be led there with a code.
    #[must_use]
    pub fn redirects_to(&self, uri: &str) -> bool {
        self.redirect_uris.iter().any(|known| known.is(uri))
    }

    /// Where users may be led with a code.
    pub fn redirect_uris(&self) -> impl Iterator<Item = String> {
        self.redirect_uris.iter().map(ToString::to_string)
    }

    /// Whether users may be led there who have signed out.
    #[must_use]
    pub fn redirects_after_logout_to(&self, uri: &str) -> bool {
        self.post_logout_redirect_uris.iter().any(|known| known.is(uri))
    }
}

impl RegisteredClient {
    /// How many secrets it may use.
    #[must_use]
    pub fn secrets(&self) -> usize {
        self.secret_hashes.len()
    }

    /// Whether it can keep no secret.
    #[must_use]
    pub fn is_public(&self) -> bool {
        self.secret_hashes.is_empty()
    }
}

/// Why somebody is not one of the clients. Nobody but the log is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum WrongClient {
    UnknownId,
    WrongSecret,
}

/// All of them, by their ids.
#[derive(Debug, Default)]
pub struct RegisteredClients(HashMap<String, Arc<RegisteredClient>>);

impl RegisteredClients {
    /// A client that users sign in to, and its terms.
    #[must_use]
    pub fn openid(&self, id: &str) -> Option<(&Arc<RegisteredClient>, &OpenIdTerms)> {
        let client = self.0.get(id)?;
        Some((client, client.openid.as_ref()?))
    }

    /// All, in no order.
    pub fn all(&self) -> impl Iterator<Item = &RegisteredClient> {
        self.0.values().map(Arc::as_ref)
    }

    /// Those that users sign in to.
    pub fn all_openid(&self) -> impl Iterator<Item = &OpenIdTerms> {
        self.0.values().filter_map(|client| client.openid.as_ref())
    }

    /// A client that can keep no secret.
    ///
    /// # Errors
    /// [`WrongClient`].
    pub fn public(&self, id: &str) -> Result<Arc<RegisteredClient>, WrongClient> {
        let client = self.0.get(id).ok_or(WrongClient::UnknownId)?;
        client.is_public().then(|| Arc::clone(client)).ok_or(WrongClient::WrongSecret)
    }

    /// Whose id and secret these are.
    ///
    /// # Errors
    /// [`WrongClient`].
    pub fn authenticate(
        &self,
        id: &str,
        secret: &ClientSecret,
    ) -> Result<Arc<RegisteredClient>, WrongClient> {
        let client = self.0.get(id).ok_or(WrongClient::UnknownId)?;
        let given = secret.hash();
        // All are compared, whichever it is.
        let of_these = client.secret_hashes.iter().filter(|hash| hash.is(&given)).count();
        (of_these > 0).then(|| Arc::clone(client)).ok_or(WrongClient::WrongSecret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_short_and_plain() {
        let longest = "a".repeat(LONGEST_ID);
        for id in ["a", "Billing-backend_2.eu", "-", &longest] {
            assert_eq!(ClientId::parse(id).unwrap().as_str(), id);
        }
        let too_long = "a".repeat(LONGEST_ID + 1);
        for text in ["", " a", "a b", "a:b", "a+b", "a%b", "ä", "a\n", OWN_CLIENT_ID, &too_long] {
            assert_eq!(ClientId::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn each_of_a_clients_secrets_is_its_own_and_nobody_elses() {
        let [first, second, other] = [(); 3].map(|()| ClientSecret::random());
        let text = format!(
            r#"[{{"id": "a", "name": "A", "secret_hashes": ["{}", "{}"]}},
                {{"id": "b", "name": "B", "secret_hashes": ["{}"]}}]"#,
            first.hash().text(),
            second.hash().text(),
            other.hash().text()
        );
        let clients = RegisteredClients::parse(&text).unwrap();
        for secret in [&first, &second] {
            assert_eq!(clients.authenticate("a", secret).unwrap().id.as_str(), "a");
            assert_eq!(clients.authenticate("b", secret).unwrap_err(), WrongClient::WrongSecret);
        }
        assert_eq!(clients.authenticate("b", &other).unwrap().id.as_str(), "b");
        assert_eq!(clients.authenticate("c", &other).unwrap_err(), WrongClient::UnknownId);
        let empty = ClientSecret::from(String::new());
        assert_eq!(clients.authenticate("a", &empty).unwrap_err(), WrongClient::WrongSecret);
    }
}
