//! Tells OpenID clients that a session has ended (OpenID Connect Back-Channel Logout 1.0).

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use common::accounts::{Accounts, AccountsError, Logout};
use common::config::{AppConfig, SettingError, SigningConfig};
use common::crypto::signing_keys::{JwtKind, SigningKeys};
use common::domain::ids::JwtId;
use common::runtime::clock::{Clock, millis};
use common::runtime::retry::{Backoff, retry_until_ok};
use futures_util::{StreamExt, stream};
use reqwest::{Client, redirect};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::sleep;
use tokio_util::task::AbortOnDropHandle;

use crate::warn_once::WarnOnce;

/// How long a client may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Requests at once of one worker to one client.
const CONCURRENCY: usize = 16;
/// Taken at once: so few that each is told within its lease, however slow the client is.
const MOST_AT_ONCE: i64 = 64;
const LEASE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);
const ASK_AGAIN: Backoff = Backoff::constant(Duration::from_secs(1));
/// Seconds after each failed attempt but the last.
const PAUSES: [u64; 6] = [5, 30, 120, 600, 1_800, 3_600];
/// Seconds that a logout token is good for: two minutes, as the standard recommends.
const LIFE: i64 = 120;

/// Warns of ends that are to be told where this worker cannot tell them. Asks until the database
/// answers.
pub async fn warn_of_what_waits(accounts: Accounts) {
    let waiting = retry_until_ok(ASK_AGAIN, || accounts.count_logouts(), |_| {}).await;
    if waiting > 0 {
        tracing::warn!(
            event = "logouts_wait_for_public_url",
            setting = "PUBLIC_URL",
            waiting,
            "OpenID clients are to be told when sessions end, and this worker tells nobody"
        );
    }
}

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
    #[error("the worker stops")]
    Stopped,
}

/// Back-Channel Logout, 2.4.
#[derive(Serialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    iat: i64,
    exp: i64,
    jti: JwtId,
    sid: String,
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

    /// Never ends. Each client is told apart from the others, so that none waits for another.
    pub async fn run(self) {
        let (mut failing, mut running) = (WarnOnce::default(), HashMap::new());
        loop {
            let step = self.step(&mut running).await;
            failing.note(&step, |error| tracing::warn!(event = "logouts_not_told", %error));
            sleep(PAUSE).await;
        }
    }

    async fn step(
        &self,
        running: &mut HashMap<String, AbortOnDropHandle<()>>,
    ) -> Result<(), NotTold> {
        running.retain(|_, task| !task.is_finished());
        let mut due = self.accounts.clients_with_due_logouts(self.clock.unix_ms()).await?;
        due.retain(|client_id| !running.contains_key(client_id));
        if due.is_empty() {
            return Ok(());
        }
        let poster = self.clone();
        let keys = spawn_blocking(move || poster.keys()).await.map_err(|_| NotTold::Stopped)??;
        let keys = Arc::new(keys);
        for client_id in due {
            let (poster, keys, id) = (self.clone(), Arc::clone(&keys), client_id.clone());
            let task = async move {
                if let Err(error) = poster.tell_client(&client_id, &keys).await {
                    tracing::warn!(event = "logouts_not_told", client_id, %error);
                }
            };
            running.insert(id, AbortOnDropHandle::new(tokio::spawn(task)));
        }
        Ok(())
    }

    /// Tells a client of all that is due.
    async fn tell_client(
        &self,
        client_id: &str,
        keys: &Arc<SigningKeys>,
    ) -> Result<(), AccountsError> {
        loop {
            let now = self.clock.unix_ms();
            let lease = now + millis(LEASE);
            let due = self.accounts.take_due_logouts(client_id, now, lease, MOST_AT_ONCE).await?;
            let count = due.len();
            stream::iter(due)
                .for_each_concurrent(CONCURRENCY, async |logout| {
                    if let Err(error) = self.tell(&logout, keys).await {
                        // Its lease ends, and the client is told again.
                        tracing::warn!(event = "logout_not_recorded", %error);
                    }
                })
                .await;
            if count < MOST_AT_ONCE as usize {
                return Ok(());
            }
        }
    }

    fn keys(&self) -> Result<SigningKeys, SettingError> {
        let missing = || SettingError::new("SIGNING_KEY_FILES", "is not set".to_owned());
        let keys = self.signing.keys(&self.app);
        keys.map_err(|mut faults| faults.pop().unwrap_or_else(missing))?.ok_or_else(missing)
    }

    async fn tell(&self, logout: &Logout, keys: &Arc<SigningKeys>) -> Result<(), AccountsError> {
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
    async fn post(&self, logout: &Logout, keys: &Arc<SigningKeys>) -> Result<(), String> {
        let iat = self.clock.unix_ms().div_euclid(1000);
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: logout.user_id.to_string(),
            aud: logout.client_id.clone(),
            iat,
            exp: iat + LIFE,
            jti: JwtId::random(),
            sid: logout.sid.clone(),
            events: [("http://schemas.openid.net/event/backchannel-logout", json!({}))].into(),
        };
        // A signature by RSA takes a core for about a millisecond.
        let keys = Arc::clone(keys);
        let token = spawn_blocking(move || keys.sign(JwtKind::LogoutToken, &claims)).await;
        let token = token.map_err(|_| "the worker stops".to_owned())?;
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
