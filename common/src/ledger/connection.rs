//! Connections to Redis that heal by themselves, wherever the primary moves.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::io::tcp::{TcpSettings, socket2};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, IntoConnectionInfo, Pipeline, ProtocolVersion,
    PushInfo, PushKind, RedisError, RedisFuture, RedisResult, Script, ServerErrorKind,
    TlsCertificates, Value,
};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::ledger::rights;
use crate::ledger::sentinel::Sentinels;

/// For one attempt to connect, the greeting included.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Between two attempts to connect; the second and later ones wait longer.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);
/// A reply that stays out for so long raises the question whether the connection still leads
/// anywhere.
const SILENCE: Duration = Duration::from_millis(500);
/// How long that reply has when a new connection was answered.
const LAST_CHANCE: Duration = Duration::from_millis(250);
/// The kernel asks an idle connection for a sign of life after this time, and again every second,
/// three times.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(5);
/// The kernel gives a connection up whose bytes nobody has confirmed for so long
/// (`TCP_USER_TIMEOUT`, RFC 5482).
const USER_TIMEOUT: Duration = Duration::from_secs(5);

/// Writes nothing. But with its first line Redis 7 refuses it where it refuses writes: out of
/// memory, on a replica, when it cannot write its files, with too few replicas.
static MAY_WRITE: LazyLock<Script> = LazyLock::new(|| Script::new("#!lua\nreturn 1"));

/// Asks whether Redis would take a write now.
///
/// # Errors
/// It would not, or cannot be reached.
pub async fn takes_writes(redis: &mut RedisConnection) -> RedisResult<()> {
    MAY_WRITE.prepare_invoke().invoke_async(redis).await
}

/// A Redis server: where it is, and how to connect to it.
#[derive(Clone, Debug)]
pub struct Redis {
    source: Source,
}

/// Who knows where the primary is.
#[derive(Clone, Debug)]
enum Source {
    /// The URL's name, which is resolved anew for each connection.
    Name(Client),
    Sentinels(Sentinels),
}

impl Redis {
    /// `url` is `redis://…`, `rediss://…` for TLS, or `redis+sentinel://…`. Nothing is connected yet.
    ///
    /// # Errors
    /// A URL that is not one of Redis.
    pub fn new(url: &str) -> RedisResult<Self> {
        let source = match Sentinels::parse(url)? {
            Some(sentinels) => Source::Sentinels(sentinels),
            None => Source::Name(client(url)?),
        };
        Ok(Self { source })
    }

    /// The same server, whose certificate has to come from one of these authorities (PEM) and not
    /// from one of the system's.
    ///
    /// # Errors
    /// A server without TLS; something in `authorities` that is no certificate.
    pub fn with_root_certs(self, authorities: Vec<u8>) -> RedisResult<Self> {
        let certificates = TlsCertificates { client_tls: None, root_cert: Some(authorities) };
        let source = match self.source {
            Source::Name(known) => Source::Name(Client::build_with_tls(
                known.get_connection_info().clone(),
                certificates,
            )?),
            Source::Sentinels(sentinels) => {
                Source::Sentinels(sentinels.with_certificates(certificates)?)
            }
        };
        Ok(Self { source })
    }

    /// The same server, whose Sentinels have a password of their own.
    ///
    /// # Errors
    /// No Sentinel is asked.
    pub fn with_sentinel_password(self, password: &str) -> RedisResult<Self> {
        let source = match self.source {
            Source::Name(_) => {
                return Err((ErrorKind::InvalidClientConfig, "no Sentinel is asked").into());
            }
            Source::Sentinels(sentinels) => Source::Sentinels(sentinels.with_password(password)?),
        };
        Ok(Self { source })
    }

    /// Where the primary is now. With Sentinel that is asked for, and the server's role is checked.
    ///
    /// # Errors
    /// No Sentinel answers, or none knows a primary.
    pub async fn primary(&self) -> RedisResult<Client> {
        match &self.source {
            Source::Name(client) => Ok(client.clone()),
            Source::Sentinels(sentinels) => sentinels.primary().await,
        }
    }

    /// A connection of one's own that does not heal.
    ///
    /// # Errors
    /// Redis cannot be reached, refuses who connects, or would refuse what the programs do.
    pub async fn connect(
        &self,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let primary = self.primary().await?;
        let mut connection = primary.get_multiplexed_async_connection_with_config(config).await?;
        // Redis may hang, and `config` need not say for how long.
        timeout(CONNECT_TIMEOUT, rights::check(&mut connection))
            .await
            .map_err(io::Error::from)??;
        Ok(connection)
    }

    /// A shared connection that connects when first used, and again, for ever, when it is lost. A
    /// command that waits longer than `response_timeout` fails.
    #[must_use]
    pub fn connection(&self, response_timeout: Duration) -> RedisConnection {
        let shared = Shared {
            redis: self.clone(),
            response_timeout,
            live: RwLock::new(None),
            last_error: Mutex::default(),
            connecting: tokio::sync::Mutex::new(()),
        };
        RedisConnection(Arc::new(shared))
    }

    /// Ends a connection once Sentinel tells of another primary. None where no Sentinel is asked.
    fn end_when_the_primary_moves(&self, ended: &CancellationToken) -> Option<PrimaryWatch> {
        let Source::Sentinels(sentinels) = &self.source else { return None };
        let (sentinels, ended) = (sentinels.clone(), ended.clone());
        let watch = async move {
            sentinels.primary_moved().await;
            ended.cancel();
        };
        Some(Arc::new(AbortOnDropHandle::new(tokio::spawn(watch))))
    }
}

/// The client of one server, with RESP3, in which a server's end of the connection is heard at once.
fn client(url: &str) -> RedisResult<Client> {
    let info = url.into_connection_info()?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Client::open(info.set_redis_settings(settings).set_tcp_settings(tcp_settings()))
}

/// How the kernel is to find out that nobody is at the other end any more.
pub(super) fn tcp_settings() -> TcpSettings {
    let keepalive = socket2::TcpKeepalive::new()
        .with_time(KEEPALIVE_AFTER)
        .with_interval(Duration::from_secs(1))
        .with_retries(3);
    let settings = TcpSettings::default().set_nodelay(true).set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let settings = settings.set_user_timeout(USER_TIMEOUT);
    settings
}

/// A connection that many share and that heals by itself.
///
/// It is thrown away and made anew, its server's name resolved anew, when it is dropped, when a
/// reply says that the server is not a primary any more or not yet one, and when a reply stays out
/// while a new connection is answered. Whoever was waiting for a reply then gets an error: what was
/// asked may have happened.
#[derive(Clone)]
pub struct RedisConnection(Arc<Shared>);

struct Shared {
    redis: Redis,
    response_timeout: Duration,
    live: RwLock<Option<Live>>,
    last_error: Mutex<Option<RedisError>>,
    /// Held by the one who connects.
    connecting: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Live {
    connection: MultiplexedConnection,
    /// No reply comes any more.
    ended: CancellationToken,
    /// Replies still come, but from a server that is not the primary: nothing more is asked.
    retired: CancellationToken,
    /// Ends with the last who use the connection.
    _watch: Option<PrimaryWatch>,
}

type PrimaryWatch = Arc<AbortOnDropHandle<()>>;

impl RedisConnection {
    async fn ask<T>(
        &self,
        ask: impl AsyncFnOnce(&mut MultiplexedConnection) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let deadline = Instant::now() + self.0.response_timeout;
        let live = match self.0.current() {
            Some(live) => Ok(live),
            None => timeout_at(deadline, self.0.live()).await,
        };
        let Live { mut connection, ended, retired, _watch } =
            live.map_err(|_| self.0.why_not_connected())?;
        let reply = tokio::select! {
            biased;
            reply = ask(&mut connection) => reply,
            () = ended.cancelled() => Err(lost()),
            () = sleep_until(deadline) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            never = self.0.replace_if_silent(&ended) => match never {},
        };
        match &reply {
            Err(error) if is_of_wrong_server(error) => retired.cancel(),
            Err(error) if is_of_lost_connection(error) => ended.cancel(),
            _ => {}
        }
        reply
    }
}

impl ConnectionLike for RedisConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(self.ask(async move |connection| {
            connection.send_packed_command(command).await?.extract_error()
        }))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(self.ask(async move |connection| {
            let replies = connection.send_packed_commands(pipeline, offset, count).await?;
            // Other errors are for the pipeline to tell.
            let lost = replies.iter().find_map(|reply| match reply {
                Value::ServerError(error) => {
                    Some(RedisError::from(error.clone())).filter(is_of_wrong_server)
                }
                _ => None,
            });
            lost.map_or(Ok(replies), Err)
        }))
    }

    /// None of ours asks for it.
    fn get_db(&self) -> i64 {
        0
    }
}

impl std::fmt::Debug for RedisConnection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisConnection")
    }
}

impl Shared {
    fn current(&self) -> Option<Live> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        let usable = |live: &&Live| !live.ended.is_cancelled() && !live.retired.is_cancelled();
        live.as_ref().filter(usable).cloned()
    }

    /// The connection; where there is none, the first who needs it connects and the others wait.
    async fn live(&self) -> Live {
        if let Some(live) = self.current() {
            return live;
        }
        let _connecting = self.connecting.lock().await;
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(live) = self.current() {
                return live;
            }
            match self.connect().await {
                Ok(live) => {
                    self.replace(live.clone());
                    return live;
                }
                Err(error) => *self.last_error() = Some(error),
            }
            sleep(pause).await;
            pause = LONGEST_PAUSE.min(2 * pause);
        }
    }

    /// What came of the last attempt to connect, and else that it takes too long.
    fn why_not_connected(&self) -> RedisError {
        let told = self.last_error().take();
        told.unwrap_or_else(|| io::Error::from(io::ErrorKind::TimedOut).into())
    }

    fn last_error(&self) -> MutexGuard<'_, Option<RedisError>> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Boxed: it is seldom called, and would make the future of every command several times as
    /// large.
    fn connect(&self) -> BoxFuture<'_, RedisResult<Live>> {
        Box::pin(self.connect_once())
    }

    async fn connect_once(&self) -> RedisResult<Live> {
        let ended = CancellationToken::new();
        let on_push = {
            let ended = ended.clone();
            move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    ended.cancel();
                }
                Ok::<_, Infallible>(())
            }
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None)
            .set_push_sender(on_push);
        let connection = self.redis.connect(&config).await?;
        let _watch = self.redis.end_when_the_primary_moves(&ended);
        Ok(Live { connection, ended, retired: CancellationToken::new(), _watch })
    }

    /// To be run while a reply is waited for. Where it stays out and a new connection is answered,
    /// the old one leads nowhere. Where a new one is not answered either, Redis itself pauses, and
    /// its reply may still come.
    async fn replace_if_silent(&self, silent: &CancellationToken) -> Infallible {
        loop {
            sleep(SILENCE).await;
            let Ok(_connecting) = self.connecting.try_lock() else { continue };
            if let Ok(live) = self.connect().await {
                // A Redis that goes on after a pause answers the old connection too.
                sleep(LAST_CHANCE).await;
                self.replace(live);
                silent.cancel();
            }
        }
    }

    fn replace(&self, live: Live) {
        *self.last_error() = None;
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = Some(live);
    }
}

fn lost() -> RedisError {
    io::Error::new(io::ErrorKind::ConnectionReset, "the connection was lost before the reply")
        .into()
}

fn is_of_wrong_server(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading
        )
    )
}

/// The server is gone or does not answer.
fn is_of_lost_connection(error: &RedisError) -> bool {
    error.is_timeout() || error.is_connection_dropped() || error.is_unrecoverable_error()
}
