//! From settings to a running worker.

use common::accounts::Accounts;
use common::ledger::deliveries::{DeliveryStore, ProviderTerms};
use common::ledger::dev_inbox::InboxPublisher;
use common::ledger::file_sweeps::FileSweeps;
use common::ledger::notices::Notices;
use common::ledger::outgoing_events::EventQueue;
use common::queue::job::SendOtp;
use common::runtime::clock::{Clock, millis};
use common::runtime::readiness::{Needs, Readiness};
use common::runtime::startup_checks;
use tokio_util::task::AbortOnDropHandle;

use crate::config::Config;
use crate::events::{EventPoster, EventsWebhook, warn_of_what_waits};
use crate::files::FileKeeper;
use crate::logouts::{self, LogoutPoster};
use crate::metrics::Scrape;
use crate::operations;
use crate::outbox::empty_outbox;
use crate::provider::SmsProvider;
use crate::queue::runner::{self, RESPONSE_TIMEOUT, RunnerSettings};
use crate::retention::prune_database;
use crate::send::recent_attempts::RecentAttempts;
use crate::send::send_otp::{CLAIM_MARGIN, OtpSender};

/// Runs jobs until the first signal to stop, then finishes those that run and gives the others
/// back.
///
/// # Errors
/// A setting that is wrong or missing, a Redis that can never be used.
pub async fn work(config: Config) -> anyhow::Result<()> {
    let clock = Clock::default();
    let redis = config.redis.server()?;
    let connection = redis.connection(RESPONSE_TIMEOUT);
    let providers = config.providers.providers(
        &config.app,
        &config.callbacks,
        &InboxPublisher::new(connection.clone()),
        &clock,
    )?;
    let terms: Vec<_> = providers.iter().map(terms_of).collect();
    let keys = config.otp.keys(&config.app)?;
    let sender = OtpSender {
        deliveries: DeliveryStore::new(
            connection.clone(),
            keys,
            &terms,
            config.work.provider_rate,
            clock.clone(),
        )
        .telling_webhook(config.events.is_set()),
        providers,
        text: config.text.text(&config.app, &config.otp)?,
        clock: clock.clone(),
        recent: RecentAttempts::default(),
    };
    let url = config.database.url(&config.app)?;
    let accounts = Accounts::connect(&url, config.database.database_connections)
        .await?
        .telling_webhook(config.events.is_set());
    let webhook = EventsWebhook::from_config(&config.app, &config.events, &config.events_secret)?;
    let names: Vec<_> = terms.iter().map(|terms| terms.name).collect();
    let stop = common::runtime::shutdown::on_signal();
    let readiness =
        Readiness::new(connection.clone(), accounts.clone(), Needs::Redis, stop.clone());
    let scrape =
        Scrape::start(readiness.clone(), connection.clone(), names.clone(), clock.clone())?;
    let _operations = operations::serve(config.metrics_addr, scrape, readiness.clone()).await;
    let startup_checks = AbortOnDropHandle::new(tokio::spawn(startup_checks::run(
        redis.clone(),
        accounts.clone(),
        readiness,
    )));
    let outbox = empty_outbox(accounts.clone(), Notices::new(connection.clone()));
    let _outbox = AbortOnDropHandle::new(tokio::spawn(outbox));
    let _warning = webhook
        .is_none()
        .then(|| AbortOnDropHandle::new(tokio::spawn(warn_of_what_waits(accounts.clone()))));
    let poster = webhook.map(|webhook| EventPoster {
        accounts: accounts.clone(),
        queue: EventQueue::new(connection.clone()),
        redis: connection.clone(),
        webhook,
        clock: clock.clone(),
    });
    let _logouts = AbortOnDropHandle::new(match config.callbacks.issuer() {
        Some(issuer) => {
            let poster = LogoutPoster {
                accounts: accounts.clone(),
                signing: config.signing.clone(),
                app: config.app.clone(),
                issuer: issuer.to_owned(),
                http: LogoutPoster::client()?,
                clock: clock.clone(),
            };
            tokio::spawn(poster.run())
        }
        None => tokio::spawn(logouts::warn_of_what_waits(accounts.clone())),
    });
    let keeper = config.files.storage(&config.app)?.map(|storage| FileKeeper {
        accounts: accounts.clone(),
        storage,
        sweeps: FileSweeps::new(connection.clone()),
        redis: connection.clone(),
        expiry: config.files.upload_expiry(),
        sweep_every: config.work.sweep_every(),
        clock: clock.clone(),
    });
    let retention = prune_database(accounts, clock.clone(), config.work.event_retention());
    let _retention = AbortOnDropHandle::new(tokio::spawn(retention));

    let settings = RunnerSettings {
        concurrency: config.work.worker_concurrency,
        shutdown_deadline: config.work.shutdown_grace(),
        ..RunnerSettings::default()
    };
    tracing::info!(event = "worker_started", providers = names.join(","), concurrency = %settings.concurrency);
    let handler = move |job: SendOtp| {
        let sender = sender.clone();
        async move { sender.run(job).await }
    };
    let events = async {
        if let Some(poster) = poster {
            poster.run(&redis, config.work.shutdown_grace(), stop.clone()).await;
        }
    };
    let files = async {
        if let Some(keeper) = keeper {
            keeper.run(&redis, config.work.shutdown_grace(), stop.clone()).await;
        }
    };
    let sms = runner::run(&redis, settings, clock, handler, stop.clone());
    tokio::select! {
        ((), (), ()) = async { tokio::join!(sms, events, files) } => {}
        Ok(Err(unusable)) = startup_checks => return Err(unusable.into()),
    }
    tracing::info!(event = "stopped");
    Ok(())
}

fn terms_of(provider: &dyn SmsProvider) -> ProviderTerms {
    ProviderTerms { name: provider.name(), claim_for: millis(provider.time_limit() + CLAIM_MARGIN) }
}
