//! Tells OpenID clients that a session has ended (OpenID Connect Back-Channel Logout 1.0).

use std::collections::BTreeMap;
use std::time::Duration;

use common::accounts::{Accounts, AccountsError, Logout};
use common::config::{AppConfig, SettingError, SigningConfig};
use common::crypto::signing_keys::{JwtKind, SigningKeys};
use common::domain::ids::JwtId;
use common::runtime::clock::{Clock, millis};
use futures_util::{StreamExt, stream};
use reqwest::{Client, redirect};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::sleep;

/// How long a client may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Requests at once of one worker.
const CONCURRENCY: usize = 16;
/// Taken at once: so few that each is told within its lease, however slow the clients are.
const MOST_AT_ONCE: i64 = 64;
const LEASE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);
/// Seconds after each failed attempt but the last.
const PAUSES: [u64; 6] = [5, 30, 120, 600, 1_800, 3_600];
/// Seconds that a logout token is good for: two minutes, as the standard recommends.
const LIFE: i64 = 120;

/// What tells them.
#[derive(Clone, Debug)]
pub struct LogoutPoster {
    pub accounts: Accounts,
    /// Where the keys are. They are read when there is something to tell, so that a new one is used
    /// when it is there, and no SMS depends on them.
    pub signing: SigningConfig,
    pub app: AppConfig,
    pub issuer: String,
    pub http: Client,
    pub clock: Clock,
}

/// Why nobody is told for now.
#[derive(Debug, thiserror::Error)]
enum NotTold {
    #[error(transparent)]
    Accounts(#[from] AccountsError),
    #[error(transparent)]
    Setting(#[from] SettingError),
}

/// Back-Channel Logout, 2.4.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: String,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: JwtId,
    sid: &'a str,
    events: BTreeMap<&'static str, Value>,
}

impl LogoutPoster {
    /// # Errors
    /// TLS cannot be set up on this machine.
    pub fn client() -> Result<Client, SettingError> {
        let http = Client::builder().timeout(TIMEOUT).redirect(redirect::Policy::none()).build();
        http.map_err(|error| {
            SettingError::new("SIGNING_KEY_FILES", format!("TLS cannot be set up: {error}"))
        })
    }

    /// Never ends.
    pub async fn run(self) {
        let mut failing = false;
        loop {
            let step = self.step().await;
            if let Err(error) = &step
                && !failing
            {
                tracing::warn!(event = "logouts_not_told", %error);
            }
            failing = step.is_err();
            if step.unwrap_or(0) < MOST_AT_ONCE as usize {
                sleep(PAUSE).await;
            }
        }
    }

    async fn step(&self) -> Result<usize, NotTold> {
        let now = self.clock.unix_ms();
        let due = self.accounts.take_due_logouts(now, now + millis(LEASE), MOST_AT_ONCE).await?;
        let count = due.len();
        if count == 0 {
            return Ok(0);
        }
        let keys = &self.keys()?;
        stream::iter(due)
            .for_each_concurrent(CONCURRENCY, async |logout| {
                if let Err(error) = self.tell(&logout, keys).await {
                    // Its lease ends, and the client is told again.
                    tracing::warn!(event = "logout_not_recorded", %error);
                }
            })
            .await;
        Ok(count)
    }

    fn keys(&self) -> Result<SigningKeys, SettingError> {
        let missing = || SettingError::new("SIGNING_KEY_FILES", "is not set".to_owned());
        let keys = self.signing.keys(&self.app);
        keys.map_err(|mut faults| faults.pop().unwrap_or_else(missing))?.ok_or_else(missing)
    }

    async fn tell(&self, logout: &Logout, keys: &SigningKeys) -> Result<(), AccountsError> {
        let Err(failure) = self.post(logout, keys).await else {
            return self.accounts.forget_logout(logout.id).await;
        };
        let (client_id, session_id) = (&logout.client_id, &logout.sid);
        let pause = usize::try_from(logout.attempts).ok().and_then(|count| PAUSES.get(count));
        let Some(pause) = pause else {
            tracing::error!(event = "logout_given_up", client_id, session_id, failure);
            return self.accounts.forget_logout(logout.id).await;
        };
        tracing::warn!(event = "logout_not_told", client_id, session_id, failure, pause);
        let at = self.clock.unix_ms() + millis(Duration::from_secs(*pause));
        self.accounts.logout_failed(logout.id, at).await
    }

    /// # Errors
    /// What went wrong, in words.
    async fn post(&self, logout: &Logout, keys: &SigningKeys) -> Result<(), String> {
        let iat = self.clock.unix_ms().div_euclid(1000);
        let claims = Claims {
            iss: &self.issuer,
            sub: logout.user_id.to_string(),
            aud: &logout.client_id,
            iat,
            exp: iat + LIFE,
            jti: JwtId::random(),
            sid: &logout.sid,
            events: [("http://schemas.openid.net/event/backchannel-logout", json!({}))].into(),
        };
        let token = keys.sign(JwtKind::LogoutToken, &claims);
        let token = token.map_err(|error| format!("not signed: {error}"))?;
        let request = self.http.post(&logout.uri).form(&[("logout_token", token)]);
        match request.send().await {
            Ok(answer) if answer.status().is_success() => Ok(()),
            Ok(answer) => Err(format!("status {}", answer.status().as_u16())),
            Err(error) if error.is_timeout() => Err("no answer in time".to_owned()),
            Err(error) if error.is_connect() => Err("not reached".to_owned()),
            Err(_) => Err("connection lost".to_owned()),
        }
    }
}
