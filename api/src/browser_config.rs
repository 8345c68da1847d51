//! The settings of browsers that are signed in by the sign-in page: their cookie, and where they are
//! led.

use std::str::FromStr;

use clap::Args;
use common::config::{AppConfig, SettingError};
use common::crypto::cookie_keys::CookieKeys;

use crate::config::Switch;
use crate::http::origin::Origin;
use crate::http::session_cookie::SessionCookie;
use crate::http::sign_in_redirect::SignInRedirect;

/// How a browser stays signed in, and where it is led.
#[derive(Args, Clone, Debug)]
pub struct BrowserConfig {
    /// Domain whose hosts all get the cookie of a browser that is signed in, like `example.com`
    /// [default: only the host of the sign-in page]
    #[arg(long, env, value_parser = domain)]
    cookie_domain: Option<String>,
    /// Whether `/auth/verify` leads a browser that is not signed in to the sign-in page at
    /// PUBLIC_URL: `on` or `off`
    #[arg(long, env, value_enum, default_value = "off")]
    sign_in_redirect: Switch,
    /// Origins that the sign-in page leads back to, comma-separated: `https://app.example.com`
    #[arg(long, env)]
    return_to_origins: Option<ReturnToOrigins>,
}

/// Origins (RFC 6454) of apps, by http or https.
#[derive(Clone, Debug)]
struct ReturnToOrigins(Vec<Origin>);

impl FromStr for ReturnToOrigins {
    type Err = &'static str;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let origins = list.split(',').map(|text| Origin::parse(text.trim()));
        origins.map(|origin| origin.filter(Origin::is_web)).collect::<Option<_>>().map(Self).ok_or(
            "has to be a list of origins as browsers write them, like https://app.example.com,https://www.example.com: \
             in lower case, without a path, a slash at the end or the scheme's usual port",
        )
    }
}

impl BrowserConfig {
    /// Where the sign-in page may lead back to.
    #[must_use]
    pub fn return_to(&self) -> &[Origin] {
        self.return_to_origins.as_ref().map_or(&[], |origins| &origins.0)
    }

    /// The cookie of a browser that is signed in. Browsers keep a `Secure` one by https alone, so in
    /// development it is one only where PUBLIC_URL says so.
    ///
    /// # Errors
    /// A domain that the page's host is not in: no browser would keep it.
    pub fn cookie(
        &self,
        app: &AppConfig,
        own: Option<&Origin>,
        keys: CookieKeys,
    ) -> Result<SessionCookie, SettingError> {
        let domain = self.cookie_domain.as_deref();
        if let (Some(domain), Some(host)) = (domain, own.map(Origin::host)) {
            let is_in =
                host.strip_suffix(domain).is_some_and(|sub| sub.is_empty() || sub.ends_with('.'));
            if !is_in {
                return Err(SettingError::new(
                    "COOKIE_DOMAIN",
                    "has to be the host of PUBLIC_URL or a domain above it",
                ));
            }
        }
        Ok(SessionCookie::new(keys, domain, is_secure(app, own)))
    }

    /// Where browsers are led that are not signed in.
    ///
    /// # Errors
    /// There is no page to lead to, or nobody says where it is.
    pub fn redirect(
        &self,
        public_url: Option<&str>,
        has_sign_in_page: bool,
    ) -> Result<Option<SignInRedirect>, SettingError> {
        let missing = |what| Err(SettingError::new("SIGN_IN_REDIRECT", what));
        match (self.sign_in_redirect, public_url) {
            (Switch::Off, _) => Ok(None),
            (Switch::On, None) => missing("needs PUBLIC_URL, where the sign-in page is"),
            (Switch::On, Some(_)) if !has_sign_in_page => missing("needs SIGN_IN_PAGE=on"),
            (Switch::On, Some(url)) => Ok(Some(SignInRedirect::to(url))),
        }
    }
}

/// Whether browsers get cookies by https alone.
#[must_use]
pub fn is_secure(app: &AppConfig, own: Option<&Origin>) -> bool {
    app.is_production() || own.is_some_and(Origin::is_encrypted)
}

fn domain(text: &str) -> Result<String, &'static str> {
    let is_label = |label: &str| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(plain)
    };
    let has_letters = text.bytes().any(|byte| byte.is_ascii_lowercase());
    let is_domain = text.contains('.') && has_letters && text.split('.').all(is_label);
    is_domain.then(|| text.to_owned()).ok_or(
        "has to be a domain like example.com, in lower case, without a port or a dot at its ends",
    )
}
