//! Connections to Redis.

use std::sync::LazyLock;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, IntoConnectionInfo, ProtocolVersion, RedisResult, Script, TlsCertificates};

/// Writes nothing. But with its first line Redis 7 refuses it where it refuses writes: out of memory, on a replica, when
/// it cannot write its files, with too few replicas.
static MAY_WRITE: LazyLock<Script> = LazyLock::new(|| Script::new("#!lua\nreturn 1"));

/// A connection that many share and that heals by itself.
pub type RedisConnection = ConnectionManager;

/// Asks whether Redis would take a write now.
///
/// # Errors
/// It would not, or cannot be reached.
pub async fn takes_writes(redis: &mut RedisConnection) -> RedisResult<()> {
    MAY_WRITE.prepare_invoke().invoke_async(redis).await
}

/// A Redis server: where it is, and connections to it that heal by themselves.
#[derive(Clone, Debug)]
pub struct Redis {
    client: Client,
}

impl Redis {
    /// `url` is `redis://…` or, for TLS, `rediss://…`. Nothing is connected yet.
    ///
    /// # Errors
    /// A URL that is not one of Redis.
    pub fn new(url: &str) -> RedisResult<Self> {
        let info = url.into_connection_info()?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Ok(Self { client: Client::open(info.set_redis_settings(settings))? })
    }

    /// The same server, whose certificate has to come from one of these authorities (PEM) and not from one of the system's.
    ///
    /// # Errors
    /// A server without TLS; something in `authorities` that is no certificate.
    pub fn with_root_certs(self, authorities: Vec<u8>) -> RedisResult<Self> {
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(authorities) };
        Ok(Self { client: Client::build_with_tls(self.client.get_connection_info().clone(), certificates)? })
    }

    /// The client itself, for a connection of a kind of its own (pub/sub).
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// A shared connection that connects when first used, and again, forever, when it is lost. A command
    /// that waits longer than `response_timeout` fails.
    ///
    /// # Errors
    /// None from the network: only settings that the client cannot work with.
    pub fn connection(&self, response_timeout: Duration) -> RedisResult<RedisConnection> {
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(usize::MAX)
            .set_min_delay(Duration::from_millis(50))
            .set_max_delay(Duration::from_millis(200))
            .set_connection_timeout(Some(Duration::from_millis(500)))
            .set_response_timeout(Some(response_timeout));
        ConnectionManager::new_lazy_with_config(self.client.clone(), config)
    }
}
