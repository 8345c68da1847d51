//! `GET /admin/overview`

use std::sync::Arc;

use common::admin::breakers::Breaker;
use common::admin::buckets::Level;
use common::admin::overview::{Range, Summary, Tally, Unusual as Found};
use common::admin::queue_stats::BreakerState;
use common::runtime::clock::Timestamp;
use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::types::Example;
use poem_openapi::{Enum, Object, OpenApi};
use time::OffsetDateTime;
use time::macros::datetime;

use super::Tag;
use super::failures::failures;
use crate::admin::key_check::AdminKeyHolder;
use crate::admin::overview;
use crate::admin::state::AdminState;
use crate::http::error::Failure;

#[derive(Debug)]
pub(super) struct OverviewApi;

/// `hour`: the last 60 minutes, by the minute. `day`: the last 24 hours, by the hour.
#[derive(Clone, Copy, Debug, Default, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "Range")]
pub(in crate::admin) enum OverviewRange {
    #[default]
    Hour,
    Day,
}

/// What there is to see.
#[derive(Debug, Object)]
#[oai(example)]
struct OneOverview {
    /// What.
    data: Overview,
}

/// What happened within a range, and how it stands.
#[derive(Debug, Object)]
#[oai(example, skip_serializing_if_is_none)]
pub(in crate::admin) struct Overview {
    /// When this was so (RFC 3339, UTC).
    seen_at: OffsetDateTime,
    /// The range.
    range: OverviewRange,
    /// Whether the stores answer.
    stores: Stores,
    /// In all. Left out where Redis did not tell in time: then nobody knows what happened, and
    /// `points`, `countries` and `refusals` are empty.
    all: Option<Counts>,
    /// By the minute or the hour, oldest first.
    points: Vec<Point>,
    /// By country; those first that most SMS were asked for.
    countries: Vec<CountryCounts>,
    /// By provider.
    providers: Vec<ProviderCounts>,
    /// By limit; the most frequent first.
    refusals: Vec<Refusal>,
    /// The queue of SMS; left out where Redis did not tell.
    queue: Option<QueueNow>,
    /// What an operator should look at.
    unusual: Vec<Unusual>,
}

/// Whether the stores answer.
#[derive(Debug, Object)]
struct Stores {
    /// Redis takes writes.
    redis: bool,
    /// The database answers.
    database: bool,
}

/// How often what happened. Sends to test numbers and notices do not count.
#[derive(Clone, Debug, Default, Object)]
#[oai(skip_serializing_if_is_none)]
struct Counts {
    /// SMS that were asked for.
    asked: i64,
    /// SMS that a provider took.
    sent: i64,
    /// SMS that a phone confirmed.
    delivered: i64,
    /// SMS that brought a right code.
    verified: i64,
    /// Asked for, and refused by a limit.
    refused: i64,
    /// Calls of a provider that failed.
    failed_calls: i64,
    /// SMS that were given up, or reported as undelivered.
    lost: i64,
    /// `verified` of `asked`, of a provider of `sent`: 0 to 1, and more where codes that were asked
    /// for earlier came back.
    conversion: Option<f64>,
    /// `sent` for each `verified`.
    sms_per_sign_in: Option<f64>,
}

/// What happened within a minute or an hour.
#[derive(Debug, Object)]
struct Point {
    /// When it began (RFC 3339, UTC).
    began_at: OffsetDateTime,
    /// What happened.
    counts: Counts,
}

/// What happened with numbers of a country.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct CountryCounts {
    /// ISO 3166 alpha-2; left out for numbers that belong to none.
    country: Option<String>,
    /// What happened.
    counts: Counts,
}

/// What happened with SMS that were given to a provider.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct ProviderCounts {
    /// Its name.
    provider: String,
    /// What happened; left out where Redis did not tell.
    counts: Option<Counts>,
    /// `closed`: it is called; `open`: it is not; `half_open`: one call decides.
    breaker: BreakerNow,
    /// When it may be called again (RFC 3339, UTC).
    retry_at: Option<OffsetDateTime>,
}

/// Whether a provider is called.
#[derive(Clone, Copy, Debug, Default, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case", remote = "BreakerState")]
enum BreakerNow {
    #[default]
    Closed,
    Open,
    HalfOpen,
}

/// How often a limit refused.
#[derive(Debug, Object)]
struct Refusal {
    /// The limit, such as `cooldown` or `number_hour`.
    limit: String,
    /// How often.
    times: i64,
}

/// The queue of SMS.
#[derive(Debug, Object)]
struct QueueNow {
    /// Due, and waiting for a worker.
    waiting: u64,
    /// To be tried again later.
    retrying: u64,
    /// With a worker.
    in_flight: u64,
    /// How long the one that is next has waited.
    oldest_seconds: u64,
    /// Deliveries that ended without being sent, as far as they are listed.
    dead_letters: u64,
    /// Workers that live.
    workers: u64,
}

/// What an operator should look at.
#[derive(Debug, Object)]
#[oai(skip_serializing_if_is_none)]
struct Unusual {
    /// What.
    kind: UnusualKind,
    /// The country, the provider, the bucket or the store.
    subject: Option<String>,
    /// How it is: a conversion, a part of calls, a part of a capacity, or seconds.
    now: Option<f64>,
    /// How it was.
    before: Option<f64>,
}

/// What is unusual.
#[derive(Clone, Copy, Debug, Enum, Eq, PartialEq)]
#[oai(rename_all = "snake_case")]
enum UnusualKind {
    StoreAway,
    CountsUnread,
    NoWorker,
    QueueWaits,
    BreakerOpen,
    ProviderFails,
    ConversionFalls,
    BucketFills,
}

failures! {
    OverviewFailures { InvalidParameter }
}

#[OpenApi]
impl OverviewApi {
    /// See what happens
    #[oai(
        path = "/admin/overview",
        method = "get",
        tag = "Tag::Overview",
        operation_id = "getOverview"
    )]
    async fn overview(
        &self,
        state: Data<&Arc<AdminState>>,
        _key: AdminKeyHolder,
        /// The range; an hour where nothing is said.
        range: Query<Option<OverviewRange>>,
    ) -> Result<Json<OneOverview>, Failure<OverviewFailures>> {
        Ok(Json(OneOverview { data: read(&state, range.0.unwrap_or_default()).await }))
    }
}

pub(in crate::admin) async fn read(state: &AdminState, range: OverviewRange) -> Overview {
    let overview::Overview { at, stores, counted, now } = overview::read(state, range.into()).await;
    let stores = Stores { redis: stores.redis.ok, database: stores.database.ok };
    let mut unusual: Vec<_> = [("redis", stores.redis), ("database", stores.database)]
        .into_iter()
        .filter(|(_, ok)| !ok)
        .map(|(store, _)| Unusual::of(UnusualKind::StoreAway, store))
        .collect();
    // Else it may seem that nothing happened.
    if stores.redis && (counted.is_none() || now.is_none()) {
        unusual.push(Unusual::of(UnusualKind::CountsUnread, None::<&str>));
    }
    unusual.extend(now.iter().flat_map(unusual_now));
    unusual.extend(counted.iter().flat_map(|counted| &counted.unusual).map(Unusual::from));
    unusual.extend(now.iter().flat_map(|now| &now.buckets).map(Unusual::from));
    let summary = counted.map(|counted| counted.summary);
    let all = summary.as_ref().map(|summary| Counts::of(&summary.all));
    let breakers = now.iter().flat_map(|now| &now.breakers);
    let providers = breakers.map(|breaker| ProviderCounts::of(breaker, summary.as_ref())).collect();
    let summary = summary.unwrap_or_default();
    Overview {
        seen_at: Timestamp::of_unix_ms(at).time(),
        range,
        stores,
        all,
        points: summary
            .points
            .iter()
            .map(|(at, tally)| Point { began_at: at.time(), counts: Counts::of(tally) })
            .collect(),
        providers,
        countries: summary
            .countries
            .into_iter()
            .map(|(country, tally)| CountryCounts { country, counts: Counts::of(&tally) })
            .collect(),
        refusals: summary
            .refusals
            .into_iter()
            .map(|(limit, times)| Refusal { limit, times })
            .collect(),
        queue: now.map(QueueNow::from),
        unusual,
    }
}

fn unusual_now(now: &overview::Now) -> Vec<Unusual> {
    let mut all = Vec::new();
    if now.workers == 0 {
        all.push(Unusual::of(UnusualKind::NoWorker, None::<&str>));
    }
    if now.waits_too_long() {
        let seconds = Some(now.queue.oldest_waiting.as_secs_f64().floor());
        all.push(Unusual { now: seconds, ..Unusual::of(UnusualKind::QueueWaits, None::<&str>) });
    }
    let open = now.breakers.iter().filter(|breaker| breaker.state == BreakerState::Open);
    all.extend(open.map(|breaker| Unusual::of(UnusualKind::BreakerOpen, breaker.provider)));
    all
}

impl From<&Found> for Unusual {
    fn from(found: &Found) -> Self {
        match found {
            Found::ConversionFalls { country, now, before } => {
                let of = Self::of(UnusualKind::ConversionFalls, country.as_deref());
                Self { now: Some(*now), before: Some(*before), ..of }
            }
            Found::ProviderFails { provider, part } => {
                let of = Self::of(UnusualKind::ProviderFails, provider.as_str());
                Self { now: Some(*part), ..of }
            }
        }
    }
}

impl From<&Level> for Unusual {
    fn from(bucket: &Level) -> Self {
        let part = bucket.level / f64::from(bucket.capacity);
        Self { now: Some(part), ..Self::of(UnusualKind::BucketFills, bucket.bucket.as_str()) }
    }
}

impl ProviderCounts {
    fn of(breaker: &Breaker, summary: Option<&Summary>) -> Self {
        let counts = summary.map(|summary| {
            let known = summary.providers.iter().find(|(name, _)| name == breaker.provider);
            let tally = known.map(|(_, tally)| *tally).unwrap_or_default();
            Counts { conversion: tally.conversion_of_sent(), ..Counts::of(&tally) }
        });
        Self {
            provider: breaker.provider.to_owned(),
            counts,
            breaker: breaker.state.into(),
            retry_at: breaker.open_until.map(|until| until.time()),
        }
    }
}

impl From<overview::Now> for QueueNow {
    fn from(overview::Now { queue, workers, .. }: overview::Now) -> Self {
        Self {
            waiting: queue.depth.waiting,
            retrying: queue.depth.retrying,
            in_flight: queue.depth.in_flight,
            oldest_seconds: queue.oldest_waiting.as_secs(),
            dead_letters: queue.dead_letters,
            workers,
        }
    }
}

impl Unusual {
    fn of<'a>(kind: UnusualKind, subject: impl Into<Option<&'a str>>) -> Self {
        let subject = subject.into().map(str::to_owned);
        Self { kind, subject, now: None, before: None }
    }
}

impl Counts {
    fn of(tally: &Tally) -> Self {
        let Tally { asked, sent, delivered, verified, refused, failed_calls, lost } = *tally;
        let (conversion, sms_per_sign_in) = (tally.conversion(), tally.sms_per_sign_in());
        Self {
            asked,
            sent,
            delivered,
            verified,
            refused,
            failed_calls,
            lost,
            conversion,
            sms_per_sign_in,
        }
    }
}

impl Example for OneOverview {
    fn example() -> Self {
        Self { data: Overview::example() }
    }
}

impl Example for Overview {
    fn example() -> Self {
        let at = datetime!(2026-11-23 07:04:59 UTC);
        let tally = Tally { asked: 20, sent: 19, delivered: 18, verified: 16, ..Tally::default() };
        let counts = Counts::of(&tally);
        Self {
            seen_at: at,
            range: OverviewRange::Hour,
            stores: Stores { redis: true, database: true },
            all: Some(counts.clone()),
            points: vec![Point {
                began_at: datetime!(2026-11-23 07:04:00 UTC),
                counts: counts.clone(),
            }],
            countries: vec![CountryCounts { country: Some("IN".to_owned()), counts }],
            providers: Vec::new(),
            refusals: Vec::new(),
            queue: None,
            unusual: Vec::new(),
        }
    }
}
