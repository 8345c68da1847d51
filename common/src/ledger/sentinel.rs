//! Redis Sentinel: who is asked where the primary is.

use std::sync::Arc;
use std::time::Duration;

use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo,
    RedisError, RedisResult, TlsCertificates, TlsMode,
};
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use crate::ledger::connection::tcp_settings;
use crate::ledger::subscription::Subscription;

const PLAIN: &str = "redis+sentinel://";
const TLS: &str = "rediss+sentinel://";
const USUAL_PORT: u16 = 26379;
/// For one look-up: a Sentinel that does not answer costs half a second of it.
const LOOK_UP_TIMEOUT: Duration = Duration::from_secs(3);
/// Before the next Sentinel is asked to tell of changes.
const PAUSE: Duration = Duration::from_millis(500);
/// Where a Sentinel tells that another server is the primary: `<name> <old host> <old port> <new
/// host> <new port>`.
const CHANNEL: &str = "+switch-master";

/// The Sentinels of one primary.
#[derive(Clone)]
pub(super) struct Sentinels {
    settings: Settings,
    client: Arc<Mutex<SentinelClient>>,
}

#[derive(Clone)]
struct Settings {
    hosts: Vec<(String, u16)>,
    tls: bool,
    primary: String,
    /// Database, user and password of the primary.
    redis: RedisConnectionInfo,
    sentinel_password: Option<String>,
    certificates: Option<TlsCertificates>,
}

impl Sentinels {
    /// Reads `redis+sentinel://[user:password@]host[:port],…/<name of the primary>[/<db>]`, or
    /// `rediss+sentinel://…` for TLS to both; none where the URL is of another kind. User and
    /// password are those of Redis.
    ///
    /// # Errors
    /// A URL of this kind that lacks something.
    pub(super) fn parse(url: &str) -> RedisResult<Option<Self>> {
        let (rest, tls) = match (url.strip_prefix(PLAIN), url.strip_prefix(TLS)) {
            (Some(rest), _) => (rest, false),
            (None, Some(rest)) => (rest, true),
            (None, None) => return Ok(None),
        };
        let (credentials, rest) =
            rest.rsplit_once('@').map_or(("", rest), |(credentials, rest)| (credentials, rest));
        let (hosts, path) = rest.split_once('/').ok_or_else(wrong_url)?;
        let (primary, db) = path.split_once('/').unwrap_or((path, "0"));
        if primary.is_empty() {
            return Err(wrong_url());
        }
        // Credentials and database are written as in any other URL of Redis.
        let redis = format!("redis://{credentials}@localhost/{db}")
            .into_connection_info()?
            .redis_settings()
            .clone();
        let hosts = hosts.split(',').map(parse_host).collect::<RedisResult<_>>()?;
        Self::new(Settings {
            hosts,
            tls,
            primary: primary.to_owned(),
            redis,
            sentinel_password: None,
            certificates: None,
        })
        .map(Some)
    }

    pub(super) fn with_certificates(self, certificates: TlsCertificates) -> RedisResult<Self> {
        if !self.settings.tls {
            return Err(RedisError::from((
                ErrorKind::InvalidClientConfig,
                "certificates are for TLS",
            )));
        }
        Self::new(Settings { certificates: Some(certificates), ..self.settings })
    }

    pub(super) fn with_password(self, password: &str) -> RedisResult<Self> {
        Self::new(Settings { sentinel_password: Some(password.to_owned()), ..self.settings })
    }

    fn new(settings: Settings) -> RedisResult<Self> {
        let address = |(host, port): &(String, u16)| match settings.tls {
            true => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: false,
                tls_params: None,
            },
            false => ConnectionAddr::Tcp(host.clone(), *port),
        };
        let addresses: Vec<ConnectionAddr> = settings.hosts.iter().map(address).collect();
        let mut builder = SentinelClientBuilder::new(
            addresses,
            settings.primary.clone(),
            SentinelServerType::Master,
        )?
        .set_client_to_redis_db(settings.redis.db())
        .set_client_to_redis_protocol(ProtocolVersion::RESP3)
        .set_client_to_redis_tcp_settings(tcp_settings())
        .set_client_to_sentinel_tcp_settings(tcp_settings());
        if let Some(user) = settings.redis.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = settings.redis.password() {
            builder = builder.set_client_to_redis_password(password);
        }
        if let Some(password) = &settings.sentinel_password {
            builder = builder.set_client_to_sentinel_password(password);
        }
        if settings.tls {
            builder = builder
                .set_client_to_redis_tls_mode(TlsMode::Secure)
                .set_client_to_sentinel_tls_mode(TlsMode::Secure);
        }
        if let Some(certificates) = &settings.certificates {
            builder = builder
                .set_client_to_redis_certificates(certificates.clone())
                .set_client_to_sentinel_certificates(certificates.clone());
        }
        Ok(Self { client: Arc::new(Mutex::new(builder.build()?)), settings })
    }

    /// The server that the first Sentinel to answer takes for the primary, and which says so
    /// itself.
    ///
    /// # Errors
    /// No Sentinel answers, or none knows a primary that is alive.
    pub(super) async fn primary(&self) -> RedisResult<Client> {
        let look_up = async { self.client.lock().await.async_get_client().await };
        timeout(LOOK_UP_TIMEOUT, look_up).await.unwrap_or_else(|_| {
            Err(RedisError::from((ErrorKind::MasterNameNotFoundBySentinel, "no Sentinel answers")))
        })
    }

    /// Waits until a Sentinel tells that another server is the primary.
    pub(super) async fn primary_moved(&self) {
        while !self.hear_of_a_move().await.unwrap_or(false) {
            sleep(PAUSE).await;
        }
    }

    async fn hear_of_a_move(&self) -> RedisResult<bool> {
        let sentinel = async { self.client.lock().await.async_get_sentinel_client().await };
        let sentinel = timeout(LOOK_UP_TIMEOUT, sentinel).await.map_err(std::io::Error::from)??;
        let mut subscription = Subscription::open(&sentinel, CHANNEL).await?;
        loop {
            let message: String = subscription.next().await?.get_payload()?;
            if message.split(' ').next() == Some(&self.settings.primary) {
                return Ok(true);
            }
        }
    }
}

impl std::fmt::Debug for Sentinels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sentinels").field("hosts", &self.settings.hosts).finish_non_exhaustive()
    }
}

fn parse_host(host: &str) -> RedisResult<(String, u16)> {
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| wrong_url())?),
        None => (host, USUAL_PORT),
    };
    if host.is_empty() { Err(wrong_url()) } else { Ok((host.to_owned(), port)) }
}

fn wrong_url() -> RedisError {
    RedisError::from((ErrorKind::InvalidClientConfig, "not a URL of Sentinels"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Settings {
        Sentinels::parse(url).unwrap().unwrap().settings
    }

    #[test]
    fn a_url_names_sentinels_primary_database_and_who_connects() {
        let settings = parsed("redis+sentinel://app:p%40ss@one:26380,two,10.0.0.3:1/main/2");
        let hosts = [("one", 26380), ("two", 26379), ("10.0.0.3", 1)]
            .map(|(host, port)| (host.to_owned(), port));
        assert_eq!(settings.hosts, hosts);
        assert_eq!(
            (settings.primary.as_str(), settings.redis.db(), settings.tls),
            ("main", 2, false)
        );
        assert_eq!(
            (settings.redis.username(), settings.redis.password()),
            (Some("app"), Some("p@ss"))
        );
        let settings = parsed("rediss+sentinel://one/main");
        assert_eq!((settings.redis.db(), settings.redis.password(), settings.tls), (0, None, true));
    }

    #[test]
    fn what_lacks_something_is_refused() {
        for url in [
            "redis+sentinel://",
            "redis+sentinel://one",
            "redis+sentinel://one/",
            "redis+sentinel:///main",
            "redis+sentinel://one:x/main",
            "redis+sentinel://one,/main",
            "redis+sentinel://one/main/x",
        ] {
            assert!(Sentinels::parse(url).is_err(), "{url}");
        }
        assert!(Sentinels::parse("redis://one").unwrap().is_none());
    }
}
