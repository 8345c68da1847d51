//! From settings to a running server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use common::accounts::Accounts;
use common::config::SettingError;
use common::ledger::authorization_requests::AuthorizationRequests;
use common::ledger::delivery_status::DeliveryStatuses;
use common::ledger::idempotency::IdempotencyStore;
use common::ledger::notices;
use common::ledger::otp::OtpStore;
use common::ledger::session_changes::SessionChanges;
use common::ledger::solved_challenges::SolvedChallenges;
use common::runtime::clock::Clock;
use common::runtime::listen_address;
use common::runtime::readiness::{Needs, Readiness};
use common::runtime::{startup, startup_checks};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::admin::state::AdminState;
use crate::admin::{self, WrongKeys};
use crate::app::App;
use crate::browser_config::is_secure;
use crate::config::Config;
use crate::http::browser_cookie::BrowserCookie;
use crate::http::origin::Origin;
use crate::metrics::Scrape;
use crate::pages::Pages;
use crate::pages::dev_inbox::DevInbox;
use crate::pages::notice::Notices;
use crate::rejections::Rejections;
use crate::reload::Reloadable;
use crate::routes::twilio_status::TwilioStatus;
use crate::routes::verify::Verify;
use crate::server::{self, ConnectionLimits, Drain};
use crate::service::files::UploadEnd;
use crate::service::jwts::JwtIssuer;
use crate::service::openid::OpenId;
use crate::service::otp_service::OtpService;
use crate::service::turns::Turns;
use crate::state::AppState;

/// Redis answers within milliseconds or not at all.
const REDIS_RESPONSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Connections to the database for operators, of whom there are few, in each process.
const ADMIN_CONNECTIONS: u32 = 3;

/// To the port of the metrics.
const MAX_METRICS_CONNECTIONS: usize = 20;

/// Serves until the first signal to stop, then finishes what runs.
///
/// # Errors
/// A setting that is wrong or missing, an address that is taken, a development database that cannot
/// be migrated, a Redis that can never be used.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    config.server.check_exposure(&config.app)?;
    let stop = common::runtime::shutdown::on_signal();
    // Early: without it the signal would end the process.
    let hangups = signal(SignalKind::hangup())?;
    let app = connect(&config, Clock::default(), stop.clone()).await?;
    let accounts = &app.state.accounts;
    if !config.app.is_production() {
        migration::up(accounts.database())
            .await
            .context("DATABASE_URL: the database cannot be migrated")?;
    }
    let checks =
        startup_checks::run(config.redis.server()?, accounts.clone(), app.state.readiness.clone());
    let checks = AbortOnDropHandle::new(tokio::spawn(checks));
    let cache = app.state.session_cache.clone();
    let _cache = AbortOnDropHandle::new(tokio::spawn(cache.listen(config.redis.server()?)));
    let limits = config.server.connection_limits();
    if let Err(error) = server::open_files_limit::allow_connections(limits.max_connections) {
        tracing::warn!(event = "too_few_open_files", setting = "MAX_CONNECTIONS", %error);
    }
    common::domain::phone::load_numbering_plans(app.state.default_country);
    let _reload = AbortOnDropHandle::new(tokio::spawn(reload(
        hangups,
        config.clone(),
        Arc::clone(&app.state),
    )));
    let pages = app.pages.clone();
    tokio::task::spawn_blocking(move || pages.prepare());
    let _metrics = serve_metrics(&config, &app.state).await?;
    let _admin = admin::listener::serve(&config.admin, Arc::clone(&app.admin)).await;
    let address = config.server.address();
    let listener =
        server::bind(address).with_context(|| format!("PORT: cannot listen on {address}"))?;
    tracing::info!(event = "listening", address = %listener.local_addr()?);
    let inbox = app.pages.dev_inbox().cloned();
    let redis = config.redis.server()?;
    let _inbox =
        inbox.clone().map(|inbox| AbortOnDropHandle::new(tokio::spawn(inbox.listen(redis))));
    let stop = async move {
        stop.cancelled().await;
        inbox.inspect(DevInbox::close);
    };
    let drain = config.server.drain(&config.app);
    tokio::select! {
        served = server::serve(listener, app.into_endpoint(), limits, stop, drain) => served?,
        Ok(Err(unusable)) = checks => return Err(unusable.into()),
    }
    tracing::info!(event = "stopped");
    Ok(())
}

/// Reads the files again with each SIGHUP.
async fn reload(mut hangups: Signal, config: Config, state: Arc<AppState>) {
    while hangups.recv().await.is_some() {
        state.registered_clients.replace("CLIENTS_FILE", config.registered_clients());
        state.jwts.keys.replace("SIGNING_KEY_FILES", config.signing.keys(&config.app));
    }
}

/// On an address of their own, until this is dropped.
async fn serve_metrics(
    config: &Config,
    state: &AppState,
) -> anyhow::Result<Option<AbortOnDropHandle<()>>> {
    let scrape = Scrape::start(state.readiness.clone(), state.rejections.clone())?;
    let listener = config.metrics_addr.listen(listen_address::METRICS).await;
    Ok(listener.map(|listener| {
        let limits = ConnectionLimits {
            max_connections: MAX_METRICS_CONNECTIONS,
            ..ConnectionLimits::default()
        };
        AbortOnDropHandle::new(tokio::spawn(async move {
            let served = server::serve(
                listener,
                scrape.app(),
                limits,
                std::future::pending(),
                Drain::default(),
            )
            .await;
            if let Err(error) = served {
                tracing::error!(event = "metrics_ended", %error);
            }
        }))
    }))
}

/// The app as the settings say, until `stop` is cancelled. Nothing is connected yet.
///
/// # Errors
/// A setting that is wrong or missing.
pub async fn connect(
    config: &Config,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<App> {
    let redis = config.redis.server()?.connection(REDIS_RESPONSE_TIMEOUT);
    let url = config.database.url(&config.app)?;
    let session_changes = SessionChanges::new(redis.clone());
    let webhook_is_set = config.events.url(&config.app)?.is_some();
    let telling = |accounts: Accounts| {
        accounts.telling(session_changes.clone()).telling_webhook(webhook_is_set)
    };
    let connections = config.database.database_connections;
    let accounts = telling(Accounts::connect(&url, connections).await?);
    let admin_accounts = telling(Accounts::connect(&url, ADMIN_CONNECTIONS).await?);
    let admin_redis = config.redis.server()?.connection(REDIS_RESPONSE_TIMEOUT);
    let rejections = Rejections::new(clock.clone());
    let otp = OtpService {
        store: OtpStore::new(
            redis.clone(),
            config.otp.keys(&config.app)?,
            config.otp.otp_length,
            config.ledger_settings(),
            clock.clone(),
        ),
        allowed_countries: config.destinations.allowed(),
        challenges: config.challenge.challenges(
            &config.app,
            config.otp.challenge_keys(&config.app)?,
            SolvedChallenges::new(redis.clone()),
            clock.clone(),
        )?,
        test_numbers: config.test_numbers.clone().unwrap_or_default(),
        rejections: rejections.clone(),
        clock: clock.clone(),
    };
    let idempotency_keys = config.otp.idempotency_keys(&config.app)?;
    let requests = AuthorizationRequests::new(redis.clone(), clock.clone());
    let signing_keys = config.signing.keys(&config.app).map_err(told)?;
    let issuer = config.openid_issuer(signing_keys.is_some());
    let openid = issuer.map(|issuer| OpenId { issuer: issuer.to_owned(), requests });
    let delay = config.server.drain(&config.app).delay;
    let upload_end = UploadEnd { stop: stop.clone(), delay };
    let state = AppState {
        readiness: Readiness::new(
            redis.clone(),
            accounts.clone(),
            Needs::EitherStore,
            stop.clone(),
        ),
        accounts,
        otp,
        notices: notices::Notices::new(redis.clone()),
        delivery_statuses: DeliveryStatuses::new(redis.clone(), clock.clone())
            .telling_webhook(config.events.is_set()),
        idempotency: Arc::new(IdempotencyStore::new(redis, idempotency_keys, clock.clone())),
        rejections,
        session_terms: config.sessions.terms(),
        session_cache: config.sessions.cache(session_changes.clone()),
        jwts: JwtIssuer {
            keys: Reloadable::new(signing_keys),
            issuer: config.callbacks.issuer().map(str::to_owned),
            ttl: config.jwts.ttl(),
            turns: Turns::of_this_machine(),
        },
        files: config.file_limits.files(&config.app, &config.files, upload_end)?,
        registered_clients: Reloadable::new(config.registered_clients().map_err(told)?),
        default_country: config.destinations.default_country,
        clock,
    };
    let twilio_status = config.callbacks.both().map(|(public_url, auth_token)| {
        let (statuses, rejections) = (state.delivery_statuses.clone(), state.rejections.clone());
        TwilioStatus::new(public_url, auth_token.clone(), statuses, rejections)
    });
    let state = Arc::new(state);
    let admin_app = AppState {
        accounts: admin_accounts,
        notices: notices::Notices::new(admin_redis.clone()),
        ..AppState::clone(&state)
    };
    let admin = AdminState {
        app: Arc::new(admin_app),
        redis: admin_redis,
        ledger: config.ledger_settings(),
        hosts: config.admin.hosts()?,
        wrong_keys: WrongKeys::default(),
        stop,
        overview: Default::default(),
        watchers: Default::default(),
    };
    let public_url = config.callbacks.public_url.as_deref();
    let own = public_url.map(|url| Origin::of_url(url).ok_or_else(no_origin)).transpose()?;
    Ok(App {
        state,
        admin: Arc::new(admin),
        address_rule: config.server.address_rule(&config.app)?,
        origins: config.server.origins(),
        pages: Pages::new(config),
        verify: Verify {
            cookie: config.browser.cookie(
                &config.app,
                own.as_ref(),
                config.otp.cookie_keys(&config.app)?,
            )?,
            redirect: config.browser.redirect(public_url, config.has_sign_in_page())?,
        },
        browser_cookie: BrowserCookie::new(is_secure(&config.app, own.as_ref())),
        own,
        openid,
        notices: Notices::new(&config.app.app_name),
        twilio_status,
    })
}

fn no_origin() -> SettingError {
    SettingError::new("PUBLIC_URL", "has to be like https://signin.example.com")
}

/// Tells all faults of a file: the last one is what ends the program, the others have a line each
/// before it.
fn told(mut faults: Vec<SettingError>) -> anyhow::Error {
    let last = faults.pop();
    for fault in &faults {
        startup::refuse(fault);
    }
    last.map_or_else(|| anyhow::anyhow!("a file is faulty"), anyhow::Error::from)
}
