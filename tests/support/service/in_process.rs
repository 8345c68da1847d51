//! The app in the test's own process: a real Redis, SQLite in memory, and a clock that the test
//! moves.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::config::{Cli, Config};
use api::state::AppState;
use clap::{CommandFactory, FromArgMatches};
use common::admin::counts;
use common::admin::numbers::Numbers;
use common::ledger::connection::{Redis as Server, RedisConnection};
use common::ledger::deliveries::{Claim, DeliveryStore, ProviderTerms};
use common::ledger::outcome::Outcome;
use common::queue::job::SendOtp;
use common::runtime::clock::{Clock, millis};
use migration::{Migrator, MigratorTrait};
use poem::endpoint::BoxEndpoint;
use poem::http::{HeaderValue, Method};
use poem::{Body, Endpoint, EndpointExt, Request, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use crate::support::app::SOON;
use crate::support::client::Answer;
use crate::support::redis_server::Redis;
use crate::support::settings::{OTP_SECRET, Settings, limits};

/// When tests whose clock they move begin: 2027-01-15 08:00:00 UTC, in Unix ms.
pub(crate) const BEGIN: i64 = 1_800_000_000_000;

/// Who sends, as far as the ledger knows.
const PROVIDER: &str = "test";

/// Settings by the names that operators use.
#[derive(Clone, Debug)]
pub(crate) struct Setup(Settings);

impl Setup {
    /// What an operator gets who sets nothing.
    pub(crate) fn defaults() -> Self {
        Self(Settings::new())
    }

    pub(crate) fn limits_off() -> Self {
        Self(limits(0))
    }

    pub(crate) fn set(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    fn set_where_missing(mut self, name: &str, value: &str) -> Self {
        self.0.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        self
    }

    /// The app, on a Redis and a database of its own.
    pub(crate) async fn start(self) -> InProcess {
        self.start_on(Arc::new(Redis::start())).await
    }

    /// One more API over the same Redis, with a database and a clock of its own.
    pub(crate) async fn start_beside(self, other: &InProcess) -> InProcess {
        self.start_on(Arc::clone(&other.redis)).await
    }

    async fn start_on(self, redis: Arc<Redis>) -> InProcess {
        let data_dir = tempfile::tempdir().unwrap();
        let config = self
            .set("REDIS_URL", redis.url())
            .set_where_missing("OTP_SECRET", OTP_SECRET)
            .set_where_missing("DATA_DIR", data_dir.path().to_str().unwrap())
            // All connections to a database in memory have to be one.
            .set("DATABASE_URL", "sqlite::memory:")
            .set("DATABASE_CONNECTIONS", 1)
            // What a request without a connection seems to come from.
            .set("TRUSTED_PROXIES", "0.0.0.0")
            .config();
        let clock = Clock::manual(BEGIN);
        let app =
            api::startup::connect(&config, clock.clone(), CancellationToken::new()).await.unwrap();
        let state = Arc::clone(&app.state);
        Migrator::up(state.accounts.database(), None).await.unwrap();
        let app = app.into_endpoint().boxed();
        let connection = config.redis.server().unwrap().connection(SOON);
        let providers = [ProviderTerms { name: PROVIDER, claim_for: millis(SOON) }];
        let keys = config.otp.keys(&config.app).unwrap();
        let deliveries = DeliveryStore::new(connection, keys, &providers, 0, clock.clone());
        InProcess { app, state, clock, redis, deliveries }
    }

    /// From flags alone: the environment of the tests is not theirs.
    pub(crate) fn config(self) -> Config {
        let flags = self
            .0
            .iter()
            .map(|(name, value)| format!("--{}={value}", name.to_lowercase().replace('_', "-")));
        let command = Cli::command().mut_args(|argument| argument.env(""));
        let matches =
            command.try_get_matches_from(std::iter::once("api".to_owned()).chain(flags)).unwrap();
        Cli::from_arg_matches(&matches).unwrap().config
    }
}

/// The app. Time stands still but for [`InProcess::advance`].
pub(crate) struct InProcess {
    pub(crate) state: Arc<AppState>,
    pub(crate) clock: Clock,
    pub(crate) redis: Arc<Redis>,
    app: BoxEndpoint<'static, Response>,
    deliveries: DeliveryStore,
}

impl InProcess {
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub(crate) async fn call(&self, mut request: Request) -> Answer {
        let host = HeaderValue::from_static("localhost");
        request.headers_mut().entry("host").or_insert(host);
        let response = self.app.call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        Answer::new(parts.status.as_u16(), parts.headers, body.into_string().await.unwrap())
    }

    pub(crate) fn at(&self, address: &str) -> Caller<'_> {
        Caller { app: self, address: address.to_owned() }
    }

    /// The ledger as operators see it.
    pub(crate) fn numbers(&self) -> Numbers {
        let settings = Setup::defaults().config().ledger_settings();
        Numbers::new(self.redis_connection(), settings, self.clock.clone())
    }

    /// How often each thing happened, by country, provider and what: `IN test sent`, with `-` for
    /// none.
    pub(crate) async fn counts(&self) -> BTreeMap<String, i64> {
        counts_in(&mut self.redis_connection(), &self.clock).await
    }

    fn redis_connection(&self) -> RedisConnection {
        Server::new(&self.redis.url()).unwrap().connection(SOON)
    }

    /// Sends the SMS as a worker does; returns its OTP.
    pub(crate) async fn deliver(&self, asked: &Answer) -> String {
        self.deliver_id(asked.delivery_id()).await
    }

    /// The same, by the delivery's id.
    pub(crate) async fn deliver_id(&self, delivery_id: &str) -> String {
        let job = SendOtp {
            delivery_id: delivery_id.to_owned(),
            request_id: None,
            traceparent: None,
            job_id: None,
        };
        let claimant = Ulid::generate();
        let claim = self.deliveries.claim(&job, claimant).await.unwrap();
        let Claim::Send(this_try) = claim else { panic!("an SMS that is wanted, not {claim:?}") };
        let sent = Outcome::sent(PROVIDER, "SM1".to_owned());
        self.deliveries.record(&job, claimant, &sent).await.unwrap();
        this_try.message.unwrap().code().expect("an SMS with a code").digits().to_owned()
    }

    /// What a worker would be told about the SMS now.
    pub(crate) async fn claim(&self, asked: &Answer) -> Claim {
        let job = SendOtp {
            delivery_id: asked.delivery_id().to_owned(),
            request_id: None,
            traceparent: None,
            job_id: None,
        };
        self.deliveries.claim(&job, Ulid::generate()).await.unwrap()
    }

    /// Asserts that `attempt` is refused with that code for exactly so long (whole seconds), to the
    /// millisecond, and allowed then.
    pub(crate) async fn refused_for(
        &self,
        wait: Duration,
        code: &str,
        mut attempt: impl AsyncFnMut() -> Answer,
    ) -> Answer {
        let refused = attempt().await;
        assert_eq!(refused.retry_after(), wait.as_secs(), "{refused:?}");
        refused.expect_code(429, code);
        self.advance(wait - Duration::from_millis(1));
        let refused = attempt().await;
        assert_eq!(refused.retry_after(), 1, "{refused:?}");
        refused.expect_code(429, code);
        self.advance(Duration::from_millis(1));
        attempt().await.expect(200)
    }
}

pub(crate) async fn counts_in(redis: &mut RedisConnection, clock: &Clock) -> BTreeMap<String, i64> {
    let mut counts = BTreeMap::new();
    for count in counts::read(redis, 0, clock.unix_ms()).await.unwrap() {
        let [country, provider] =
            [count.country, count.provider].map(|text| text.unwrap_or_else(|| "-".to_owned()));
        *counts.entry(format!("{country} {provider} {}", count.what)).or_default() += count.times;
    }
    counts
}

/// A client at one address.
#[derive(Clone)]
pub(crate) struct Caller<'a> {
    app: &'a InProcess,
    address: String,
}

impl Caller<'_> {
    /// `POST /signup` with any body.
    pub(crate) async fn post(&self, body: impl Into<Body>) -> Answer {
        self.app.call(self.request("/signup").body(body)).await
    }

    /// POST of a JSON body.
    pub(crate) async fn post_to(&self, path: &str, body: &Value) -> Answer {
        self.app.call(self.request(path).body(body.to_string())).await
    }

    /// POST of a JSON body with a token.
    pub(crate) async fn post_as(&self, token: &str, path: &str, body: &Value) -> Answer {
        let request = self.request(path).header("authorization", format!("Bearer {token}"));
        self.app.call(request.body(body.to_string())).await
    }

    fn request(&self, path: &str) -> RequestBuilder {
        Request::builder()
            .method(Method::POST)
            .uri_str(path)
            .content_type("application/json")
            .header("x-forwarded-for", &self.address)
    }

    pub(crate) async fn ask(&self, number: &str) -> Answer {
        self.post_json(&json!({"name": "Asha", "phone_number": number})).await
    }

    /// Asks for an OTP and gets the SMS; returns the OTP.
    pub(crate) async fn code_for(&self, number: &str) -> String {
        let asked = self.ask(number).await.expect(200);
        self.app.deliver(&asked).await
    }

    /// Signs in with an OTP.
    pub(crate) async fn verify(&self, number: &str, otp: &str) -> Answer {
        self.post_json(&json!({"phone_number": number, "otp": otp})).await
    }

    /// Tries so many OTPs that are not this one.
    pub(crate) async fn guess_wrong(&self, number: &str, code: &str, times: u64) {
        for step in 1..=times {
            let refused = self.verify(number, &another(code, step)).await;
            refused.expect_error(401, "Invalid or expired OTP", "invalid_otp");
        }
    }

    /// Signs in from beginning to end.
    pub(crate) async fn sign_in(&self, number: &str) -> Answer {
        let code = self.code_for(number).await;
        self.verify(number, &code).await.expect(200)
    }

    async fn post_json(&self, body: &Value) -> Answer {
        self.post_to("/signup", body).await
    }
}

/// An OTP of the same length that is not `code`; another one for each step.
pub(crate) fn another(code: &str, step: u64) -> String {
    let all = 10_u64.pow(u32::try_from(code.len()).unwrap());
    let digits = code.len();
    format!("{:0digits$}", (code.parse::<u64>().unwrap() + step) % all)
}
