//! From settings to a running server.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use common::accounts::Accounts;
use common::config::SettingError;
use common::ledger::delivery_status::DeliveryStatuses;
use common::ledger::idempotency::IdempotencyStore;
use common::ledger::notices::Notices;
use common::ledger::otp::OtpStore;
use common::runtime::clock::Clock;
use common::runtime::readiness::Readiness;
use common::runtime::startup_checks;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::app::{self, Services};
use crate::config::Config;
use crate::metrics::Scrape;
use crate::pages::Pages;
use crate::pages::dev_inbox::DevInbox;
use crate::refusals::Refusals;
use crate::routes::twilio_status::TwilioStatus;
use crate::server::{self, ConnectionLimits, Drain};
use crate::service::codes::Codes;
use crate::service::deletion::Deletion;
use crate::service::number_change::NumberChange;
use crate::service::sessions::Sessions;
use crate::service::sign_up::SignUp;

/// Redis answers within milliseconds or not at all.
const REDIS_RESPONSE_LIMIT: Duration = Duration::from_secs(1);

/// For those who ask for metrics.
const METRICS_CONNECTIONS: usize = 20;

/// Serves until the first signal to stop, then finishes what runs.
///
/// # Errors
/// A setting that is wrong or missing, an address that is taken, a development database that cannot be migrated.
pub async fn serve(config: Config) -> anyhow::Result<()> {
    let stop = common::runtime::shutdown::on_signal();
    let services = connect(&config, Clock::default(), stop.clone()).await?;
    if !config.app.is_production() {
        migration::up(services.sign_up.accounts.database())
            .await
            .context("DATABASE_URL: the database cannot be migrated")?;
    }
    let meeting = startup_checks::run(config.redis.server()?, services.sign_up.accounts.clone());
    let _meeting = AbortOnDropHandle::new(tokio::spawn(meeting));
    let limits = config.server.connection_limits();
    if let Err(error) = server::open_files_limit::allow_connections(limits.max_connections) {
        tracing::warn!(event = "too_few_open_files", setting = "MAX_CONNECTIONS", %error);
    }
    common::domain::phone::load_numbering_plans(services.sign_up.default_country);
    let pages = services.pages.clone();
    tokio::task::spawn_blocking(move || pages.prepare());
    let _metrics = show_metrics(&config, &services).await?;
    let address = config.server.address();
    let listener = server::bind(address).await.with_context(|| format!("PORT: cannot listen on {address}"))?;
    tracing::info!(event = "listening", address = %listener.local_addr()?);
    let inbox = services.pages.dev_inbox().cloned();
    let redis = config.redis.server()?;
    let _inbox = inbox.clone().map(|inbox| AbortOnDropHandle::new(tokio::spawn(inbox.listen(redis))));
    let stop = async move {
        stop.cancelled().await;
        inbox.inspect(DevInbox::close);
    };
    server::serve(listener, app::build(services), limits, stop, config.server.drain(&config.app)).await?;
    tracing::info!(event = "stopped");
    Ok(())
}

/// On an address of their own, until this is dropped.
async fn show_metrics(config: &Config, services: &Services) -> anyhow::Result<Option<AbortOnDropHandle<()>>> {
    let scrape = Scrape::start(services.readiness.clone(), services.sign_up.codes.refusals.clone())?;
    let listener = config.metrics_addr.listen().await;
    Ok(listener.map(|listener| {
        let limits = ConnectionLimits { max_connections: METRICS_CONNECTIONS, ..ConnectionLimits::default() };
        AbortOnDropHandle::new(tokio::spawn(async move {
            let served = server::serve(listener, scrape.app(), limits, std::future::pending(), Drain::default()).await;
            if let Err(error) = served {
                tracing::error!(event = "metrics_ended", %error);
            }
        }))
    }))
}

/// What the app works with, as the settings say, until `stop` is cancelled. Nothing is connected yet.
///
/// # Errors
/// A setting that is wrong or missing.
pub async fn connect(config: &Config, clock: Clock, stop: CancellationToken) -> anyhow::Result<Services> {
    let keys = config.otp.keys(&config.app)?;
    let redis = config.redis.server()?;
    let redis =
        redis.connection(REDIS_RESPONSE_LIMIT).map_err(|error| SettingError::new("REDIS_URL", error.to_string()))?;
    let url = config.database.url(&config.app)?;
    let accounts = Accounts::connect(&url, config.database.database_connections).await?;
    let readiness = Readiness::new(redis.clone(), accounts.clone(), stop);
    let default_country = config.destinations.default_country;
    let codes = Codes {
        otp: OtpStore::new(redis.clone(), keys, config.otp.otp_length, config.ledger_settings(), clock.clone()),
        allowed_countries: config.destinations.allowed(),
        test_numbers: config.test_numbers.clone().unwrap_or_default(),
        refusals: Refusals::new(clock.clone()),
        clock: clock.clone(),
    };
    let deletion = Deletion { codes: codes.clone(), accounts: accounts.clone() };
    let notices = Notices::new(redis.clone());
    let number_change = NumberChange { codes: codes.clone(), accounts: accounts.clone(), notices, default_country };
    let sign_up = SignUp { codes, accounts, default_country, sessions: config.sessions.terms(), clock: clock.clone() };
    let sessions = Sessions { accounts: sign_up.accounts.clone(), terms: sign_up.sessions, clock: clock.clone() };
    let repeats = IdempotencyStore::new(redis.clone(), config.otp.idempotency_keys(&config.app)?, clock.clone());
    let deliveries = DeliveryStatuses::new(redis, clock);
    let twilio_status = config.callbacks.both().map(|(public_url, auth_token)| TwilioStatus {
        public_url: public_url.to_owned(),
        auth_token: auth_token.clone(),
        deliveries: deliveries.clone(),
    });
    let address_rule = config.server.address_rule(&config.app)?;
    let origins = config.server.origins();
    let pages = Pages::new(config);
    Ok(Services {
        sign_up,
        repeats: Arc::new(repeats),
        deletion,
        number_change,
        sessions,
        deliveries,
        readiness,
        address_rule,
        twilio_status,
        origins,
        pages,
    })
}
