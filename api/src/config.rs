//! The API's settings.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, ValueEnum};
use common::config::{
    AppConfig, CallbackConfig, DatabaseConfig, DestinationConfig, EventsConfig, FilesConfig,
    JwtConfig, LimitConfig, OtpConfig, ProviderChoice, RedisConfig, SettingError, SigningConfig,
};
use common::crypto::challenge_keys::ChallengeKeys;
use common::ledger::session_changes::SessionChanges;
use common::ledger::settings::LedgerSettings;
use common::ledger::solved_challenges::SolvedChallenges;
use common::runtime::clock::Clock;
use common::runtime::listen_address::ListenAddress;
use common::runtime::telemetry::TelemetryConfig;
use poem::http::{HeaderName, Uri};
use secrecy::SecretString;

use crate::admin::config::AdminConfig;
use crate::browser_config::BrowserConfig;
use crate::commands::Command;
use crate::files_config::FileLimitConfig;
use crate::http::client_address::{AddressRule, TrustedProxies};
use crate::http::cors::AllowedOrigins;
use crate::server::{ConnectionLimits, Drain};
use crate::service::challenge::{Altcha, Challenges, Site, SiteVerify};
use crate::service::registered_clients::RegisteredClients;
use crate::service::session_cache::SessionCache;
use crate::service::sessions::SessionTerms;
use crate::service::test_numbers::TestNumbers;

/// Seconds from SIGTERM to the listener's end in production: two probes of a load balancer that
/// asks every other second.
const PRODUCTION_DELAY: u64 = 5;

/// Phone sign-in over HTTP. Every option is also an environment variable and may stand in `.env`.
#[derive(Debug, Parser)]
#[command(name = "api", version)]
pub struct Cli {
    /// What to do; to serve, where nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// The settings.
    #[command(flatten)]
    pub config: Config,
}

/// Everything that the API can be told.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Where it runs and what it is called.
    #[command(flatten)]
    pub app: AppConfig,
    /// Where it listens.
    #[command(flatten)]
    pub server: ServerConfig,
    /// Where users and tokens are.
    #[command(flatten)]
    pub database: DatabaseConfig,
    /// Where OTPs and jobs are.
    #[command(flatten)]
    pub redis: RedisConfig,
    /// How OTPs are made.
    #[command(flatten)]
    pub otp: OtpConfig,
    /// Which numbers are served.
    #[command(flatten)]
    pub destinations: DestinationConfig,
    /// What the ledger allows.
    #[command(flatten)]
    pub limits: LimitConfig,
    /// Numbers that sign in without an SMS, each with its code and its last day, comma-separated,
    /// like
    /// `+919876543210=123456@2027-01-31`
    #[arg(long, env, hide_env_values = true)]
    pub test_numbers: Option<TestNumbers>,
    /// What to solve for an OTP that is asked for too soon.
    #[command(flatten)]
    pub challenge: ChallengeConfig,
    /// Where Twilio reports to.
    #[command(flatten)]
    pub callbacks: CallbackConfig,
    /// Whether a webhook is told of what happens.
    #[command(flatten)]
    pub events: EventsConfig,
    /// Who sends, because where nobody does there is a development inbox.
    #[command(flatten)]
    pub providers: ProviderChoice,
    /// Whether `GET /` is a sign-in page: `on` or `off` [default: `on` in development, `off` in
    /// production]
    #[arg(long, env, value_enum)]
    sign_in_page: Option<Switch>,
    /// How a browser stays signed in, and where it is led.
    #[command(flatten)]
    pub browser: BrowserConfig,
    /// How long sessions last, and how many there may be.
    #[command(flatten)]
    pub sessions: SessionConfig,
    /// JSON file of the programs that may ask about tokens (docs/integration.md), or that users sign
    /// in to (docs/openid.md); it is read again on SIGHUP [default: there are none]
    #[arg(long, env)]
    clients_file: Option<PathBuf>,
    /// How JWTs are signed.
    #[command(flatten)]
    pub signing: SigningConfig,
    /// How long JWTs live.
    #[command(flatten)]
    pub jwts: JwtConfig,
    /// Where files of users are kept.
    #[command(flatten)]
    pub files: FilesConfig,
    /// What users may upload.
    #[command(flatten)]
    pub file_limits: FileLimitConfig,
    /// Address and port of the metrics, or `off`; port `0` takes any that is free and logs it
    #[arg(long, env, default_value = "127.0.0.1:9464")]
    pub metrics_addr: ListenAddress,
    /// Where operators reach the admin API.
    #[command(flatten)]
    pub admin: AdminConfig,
    #[command(flatten)]
    telemetry: TelemetryConfig,
}

impl Config {
    /// How to log.
    #[must_use]
    pub fn telemetry(&self) -> &TelemetryConfig {
        &self.telemetry
    }

    /// What the ledger's scripts are told.
    #[must_use]
    pub fn ledger_settings(&self) -> LedgerSettings {
        LedgerSettings::new(&self.limits, self.otp.ttl(), self.destinations.default_country)
    }

    /// Whether there is a sign-in page.
    #[must_use]
    pub fn has_sign_in_page(&self) -> bool {
        self.sign_in_page.map_or(!self.app.is_production(), |switch| switch == Switch::On)
    }

    /// The programs that may ask about tokens, or that users sign in to.
    ///
    /// # Errors
    /// One for each fault of the file, or for what is missing to sign users in.
    pub fn registered_clients(&self) -> Result<RegisteredClients, Vec<SettingError>> {
        let clients = self
            .clients_file
            .as_deref()
            .map_or_else(|| Ok(RegisteredClients::default()), RegisteredClients::read)?;
        if clients.all_openid().next().is_none() {
            return Ok(clients);
        }
        let has_keys = self.signing.signing_key_files.is_some() || !self.app.is_production();
        let missing = [
            (self.callbacks.issuer().is_some(), "PUBLIC_URL"),
            (self.has_sign_in_page(), "SIGN_IN_PAGE=on"),
            (has_keys, "SIGNING_KEY_FILES"),
        ];
        let missing = missing.into_iter().filter(|(is_there, _)| !is_there);
        let mut faults: Vec<_> = missing
            .map(|(_, name)| {
                SettingError::new("CLIENTS_FILE", format!("has redirect_uris, which need {name}"))
            })
            .collect();
        faults.extend(self.wrong_issuer());
        if faults.is_empty() { Ok(clients) } else { Err(faults) }
    }

    /// Why users cannot sign in to apps under the public URL.
    fn wrong_issuer(&self) -> Option<SettingError> {
        let url: Uri = self.callbacks.issuer()?.parse().ok()?;
        let has_path = url.path() != "/";
        let no_path = has_path.then(|| {
            SettingError::new("PUBLIC_URL", "may have no path where CLIENTS_FILE has redirect_uris")
        });
        let (scheme, host) = (url.scheme_str().unwrap_or_default(), url.host());
        no_path.or(self.app.check_encrypted("PUBLIC_URL", scheme, host).err())
    }

    /// Under which URL users sign in to apps, where they do.
    #[must_use]
    pub fn openid_issuer(&self, has_keys: bool) -> Option<&str> {
        self.callbacks.issuer().filter(|_| has_keys && self.has_sign_in_page())
    }

    /// Whether there is a development inbox.
    #[must_use]
    pub fn has_dev_inbox(&self) -> bool {
        self.providers.has_dev_inbox(&self.app)
    }
}

/// On or off.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}

/// Where the API listens.
#[derive(Args, Clone, Debug)]
pub struct ServerConfig {
    /// Address to listen on; in development one of this machine's own, such as `127.0.0.1`
    #[arg(long, env, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Whether development may listen on other addresses too, where everybody in the network can
    /// sign in as anybody: `on` or `off`
    #[arg(long, env, value_enum, default_value = "off")]
    expose_development: Switch,
    /// Port to listen on; `0` takes any that is free and logs it
    #[arg(long, env, default_value_t = 4000)]
    port: u16,
    /// Networks of the proxies whose header is believed (CIDR, comma-separated), or `none`
    /// [default: `none`; has to be set in production]
    #[arg(long, env)]
    trusted_proxies: Option<TrustedProxies>,
    /// The one header in which trusted proxies say where a request comes from
    #[arg(long, env, default_value = "x-forwarded-for")]
    client_ip_header: HeaderName,
    /// Origins of the websites whose scripts may call the API (CORS), exactly as browsers write
    /// them, comma-separated: `https://app.example.com,http://localhost:5173`
    #[arg(long, env)]
    cors_origins: Option<AllowedOrigins>,
    /// Connections that may be open at once (10 to 1000000); past that, clients get 503
    #[arg(long, env, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=1_000_000))]
    max_connections: u32,
    /// Seconds after SIGTERM in which `/readyz` answers 503 and requests are still taken, so that
    /// load balancers notice (0 to 300) [default: `5` in production, else `0`]
    #[arg(long, env, value_parser = clap::value_parser!(u64).range(0..=300))]
    shutdown_delay: Option<u64>,
    /// Seconds that running requests have to finish after SHUTDOWN_DELAY (1 to 300)
    #[arg(long, env, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=300))]
    shutdown_grace: u64,
}

impl ServerConfig {
    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// # Errors
    /// Development that listens on the network without being told so: its secret is a default,
    /// its limits may be off, and its proxies are not set.
    pub fn check_exposure(&self, app: &AppConfig) -> Result<(), SettingError> {
        let is_exposed = !app.is_production() && !self.host.to_canonical().is_loopback();
        match self.expose_development {
            Switch::Off if is_exposed => Err(SettingError::new(
                "HOST",
                "is not an address of this machine alone: set APP_ENV=production, or EXPOSE_DEVELOPMENT=on for a network that you trust",
            )),
            _ => Ok(()),
        }
    }

    /// How many connections may be open, and for how long.
    #[must_use]
    pub fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            max_connections: self.max_connections as usize,
            ..ConnectionLimits::default()
        }
    }

    /// How to stop. In development there is no load balancer to wait for.
    #[must_use]
    pub fn drain(&self, app: &AppConfig) -> Drain {
        let delay =
            self.shutdown_delay.unwrap_or(if app.is_production() { PRODUCTION_DELAY } else { 0 });
        Drain { delay: Duration::from_secs(delay), grace: Duration::from_secs(self.shutdown_grace) }
    }

    /// Whose scripts may call.
    #[must_use]
    pub fn origins(&self) -> AllowedOrigins {
        self.cors_origins.clone().unwrap_or_default()
    }

    /// How clients' addresses are found.
    ///
    /// # Errors
    /// No proxies given in production: clients could not be told apart, and every limit would hit
    /// all of them.
    pub fn address_rule(&self, app: &AppConfig) -> Result<AddressRule, SettingError> {
        let trusted = match &self.trusted_proxies {
            Some(proxies) => proxies.clone(),
            None => app.development_default("TRUSTED_PROXIES", TrustedProxies::default())?,
        };
        Ok(AddressRule { trusted, header: self.client_ip_header.clone() })
    }
}

/// How long sessions last, and how many there may be.
#[derive(Args, Clone, Debug)]
pub struct SessionConfig {
    /// Life of a bearer token in hours (1 to 8760); a renewal gives another
    #[arg(long, env, default_value_t = 48, value_parser = clap::value_parser!(u64).range(1..=8760))]
    token_ttl_hours: u64,
    /// Longest life of a session in days, from its OTP, however often its token is renewed (1 to
    /// 3650)
    #[arg(long, env, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3650))]
    session_max_days: u64,
    /// Live sessions of one user; past that, those that were used least recently end; `0` is no
    /// limit
    #[arg(long, env, default_value_t = 20)]
    sessions_per_user: u32,
    /// How long a live session may be kept in memory in seconds (0 to 2); one that ends is forgotten
    /// at once, unless Redis does not pass that on; `0` asks the database with each request
    #[arg(long, env, default_value_t = 2, value_parser = clap::value_parser!(u64).range(..=2))]
    session_cache_seconds: u64,
}

impl SessionConfig {
    /// How long sessions last, and how many there may be.
    #[must_use]
    pub fn terms(&self) -> SessionTerms {
        SessionTerms {
            token_ttl: Duration::from_secs(self.token_ttl_hours * 60 * 60),
            longest: Duration::from_secs(self.session_max_days * 24 * 60 * 60),
            per_user: self.sessions_per_user,
        }
    }

    /// What keeps live sessions in memory.
    #[must_use]
    pub fn cache(&self, changes: SessionChanges) -> SessionCache {
        SessionCache::new(changes, Duration::from_secs(self.session_cache_seconds))
    }
}

/// What may be solved instead of waiting.
#[derive(Args, Clone, Debug)]
pub struct ChallengeConfig {
    /// What somebody solves who asks for an OTP within a number's cooldown or past its hour:
    /// `altcha` (proof of work, made and checked by the API itself), `turnstile`, `hcaptcha`, or
    /// nothing (`off`), and then they wait
    #[arg(long, env, value_enum, default_value = "off")]
    challenge: ChallengeKind,
    /// Hashes that `altcha` takes at most, half of that on average (1000 to 10000000)
    #[arg(long, env, default_value_t = 50_000, value_parser = clap::value_parser!(u64).range(1_000..=10_000_000))]
    challenge_difficulty: u64,
    /// Site key of Turnstile or hCaptcha, which clients are told
    #[arg(long, env)]
    challenge_site_key: Option<String>,
    /// Secret key of Turnstile or hCaptcha
    #[arg(long, env, hide_env_values = true)]
    challenge_secret: Option<SecretString>,
    /// Where Turnstile or hCaptcha checks what was solved, for tests and proxies [default: the
    /// provider's own address]
    #[arg(long, env)]
    challenge_verify_url: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum ChallengeKind {
    Off,
    Altcha,
    Turnstile,
    Hcaptcha,
}

impl ChallengeConfig {
    /// Whether the sign-in page can solve them.
    #[must_use]
    pub fn is_altcha(&self) -> bool {
        self.challenge == ChallengeKind::Altcha
    }

    /// Who makes and checks challenges.
    ///
    /// # Errors
    /// A key of a provider that is missing; a URL that is none, or that is not encrypted.
    pub fn challenges(
        &self,
        app: &AppConfig,
        keys: ChallengeKeys,
        solved: SolvedChallenges,
        clock: Clock,
    ) -> Result<Option<Challenges>, SettingError> {
        let site = match self.challenge {
            ChallengeKind::Off => return Ok(None),
            ChallengeKind::Altcha => {
                let difficulty = self.challenge_difficulty;
                return Ok(Some(Challenges::Altcha(Altcha { keys, solved, difficulty, clock })));
            }
            ChallengeKind::Turnstile => Site::Turnstile,
            ChallengeKind::Hcaptcha => Site::Hcaptcha,
        };
        let missing = |name| SettingError::new(name, "is not set, and CHALLENGE needs it");
        let site_key =
            self.challenge_site_key.clone().ok_or_else(|| missing("CHALLENGE_SITE_KEY"))?;
        let secret = self.challenge_secret.clone().ok_or_else(|| missing("CHALLENGE_SECRET"))?;
        let url = self.challenge_verify_url.clone();
        let url = url.unwrap_or_else(|| site.verify_url().to_owned());
        Ok(Some(Challenges::Site(SiteVerify::new(app, site, site_key, secret, url)?)))
    }
}
