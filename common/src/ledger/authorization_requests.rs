//! What OpenID clients ask for, kept while their users sign in.

use std::sync::LazyLock;
use std::time::Duration;

use serde::Serialize;

use crate::domain::client::ClientAddress;
use crate::domain::ids::AuthorizationRequestId;
use crate::ledger::connection::RedisConnection;
use crate::ledger::error::{LedgerError, within_deadline};
use crate::ledger::keys;
use crate::ledger::script::{Call, Script, Source, keys, named};
use crate::ledger::scripts;
use crate::runtime::clock::{Clock, millis};

/// How long somebody may take to sign in.
pub const KEEP: Duration = Duration::from_secs(10 * 60);
/// The longest that is kept of one, in bytes.
pub const LONGEST: usize = 4_000;
/// How many requests an address may have; past that the oldest goes.
pub const MOST_OF_AN_ADDRESS: u32 = 100;
/// How many its network may have, in the same way.
pub const MOST_OF_A_NETWORK: u32 = 2_000;
/// How many there may be, in the same way. With their lists they take 150 MB of Redis at most.
pub const MOST: u32 = 20_000;

static KEEP_REQUEST: LazyLock<Script<KeepCall<'static>>> = LazyLock::new(|| Script::new(&()));

keys!(RequestKeys { all, of_address, of_network, request });

named! {
    #[derive(Serialize)]
    pub(crate) struct KeepCall<'a> {
        now: i64,
        content: &'a str,
        kept_for: i64,
        most: u32,
        most_of_address: u32,
        most_of_network: u32,
    }
}

impl Call for KeepCall<'_> {
    type Settings = ();
    type Keys = RequestKeys;
    type Reply = bool;
    const SOURCE: Source = scripts::KEEP_REQUEST;
}

/// Those in Redis.
#[derive(Clone, Debug)]
pub struct AuthorizationRequests {
    redis: RedisConnection,
    clock: Clock,
}

impl AuthorizationRequests {
    #[must_use]
    pub fn new(redis: RedisConnection, clock: Clock) -> Self {
        Self { redis, clock }
    }

    /// Keeps one, of [`LONGEST`] at most, for [`KEEP`].
    ///
    /// # Errors
    /// [`LedgerError`]; it may be kept all the same.
    pub async fn keep(
        &self,
        id: &AuthorizationRequestId,
        content: &str,
        client: ClientAddress,
    ) -> Result<(), LedgerError> {
        let call = KeepCall {
            now: self.clock.unix_ms(),
            content,
            kept_for: millis(KEEP),
            most: MOST,
            most_of_address: MOST_OF_AN_ADDRESS,
            most_of_network: MOST_OF_A_NETWORK,
        };
        let keys = RequestKeys {
            all: keys::authorization_requests(),
            of_address: keys::authorization_requests_of_address(client),
            of_network: keys::authorization_requests_of_network(client.network()),
            request: keys::authorization_request(id),
        };
        let mut redis = self.redis.clone();
        within_deadline(KEEP_REQUEST.run(&mut redis, keys, &call)).await.map(|_| ())
    }

    /// What is kept under that id; none where nothing is any more.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub async fn find(&self, id: &AuthorizationRequestId) -> Result<Option<String>, LedgerError> {
        let mut redis = self.redis.clone();
        let mut call = redis::cmd("GET");
        call.arg(keys::authorization_request(id));
        within_deadline(call.query_async(&mut redis)).await
    }

    /// Forgets one.
    ///
    /// # Errors
    /// [`LedgerError`]; it may be forgotten all the same.
    pub async fn forget(&self, id: &AuthorizationRequestId) -> Result<(), LedgerError> {
        let mut redis = self.redis.clone();
        let mut call = redis::cmd("DEL");
        call.arg(keys::authorization_request(id));
        within_deadline(call.query_async::<()>(&mut redis)).await
    }
}
