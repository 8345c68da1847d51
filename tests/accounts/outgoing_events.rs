//! What the webhook is told, as the stores write it into the outbox and take it from there.

use common::domain::ids::SessionId;
use common::domain::token::Token;
use common::ledger::connection;
use common::ledger::outgoing_events::EventQueue;
use common::outbox::take_undelivered;
use futures_util::future::join_all;
use redis::Commands;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::support::accounts::AccountStores;
use crate::support::app::SOON;
use crate::support::database::connect;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};
use crate::support::redis_server::Redis;

/// Stores that tell a webhook.
async fn telling() -> AccountStores {
    let AccountStores { stores, database, now } = AccountStores::new().await;
    AccountStores { stores: stores.map(|store| store.telling_webhook(true)), database, now }
}

fn unix_ms(time: OffsetDateTime) -> i64 {
    time.unix_timestamp() * 1_000
}

impl AccountStores {
    /// Starts a session that expires then; returns its user and its id.
    async fn start_session(&self, number: &str, expiry: OffsetDateTime) -> (i64, SessionId) {
        let session = Self::session(&Token::random(), expiry);
        let id = session.id.clone();
        (self.sign_in_with(0, number, session, 0).await.unwrap().user.id, id)
    }

    /// The events in the outbox, in the order of their sequence.
    async fn told(&self) -> Vec<Value> {
        let rows = self.database.column::<String>("SELECT payload FROM outbox ORDER BY id").await;
        rows.iter().map(|payload| serde_json::from_str(payload).unwrap()).collect()
    }

    /// The sessions that are told to have ended, and why.
    async fn ended(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let told = self.told().await;
        let ended = told.iter().filter(|event| event["type"] == "session.ended");
        ended
            .map(|event| (text(&event["data"]["session_id"]), text(&event["data"]["reason"])))
            .collect()
    }
}

#[async_test]
async fn an_event_that_is_tried_again_comes_before_newer_ones() {
    let mut accounts = telling().await;
    accounts.start_session(NUMBER, accounts.now + Duration::HOUR).await;
    let lease = unix_ms(accounts.now) + 60_000;
    let old = accounts.stores[0].take_due_events(unix_ms(accounts.now), lease, 10).await.unwrap();
    assert_eq!(old.len(), 2);
    for id in &old {
        let again = Some(lease);
        accounts.stores[0].event_failed(*id, lease, "status 500", again).await.unwrap();
    }
    accounts.now += Duration::minutes(2);
    accounts.start_session(OTHER_NUMBER, accounts.now + Duration::HOUR).await;
    let now = unix_ms(accounts.now);
    let first = accounts.stores[0].take_due_events(now, now + 60_000, 2).await.unwrap();
    assert_eq!(first, old, "those that have been due for longest");
    assert_eq!(accounts.stores[0].take_due_events(now, now + 60_000, 9).await.unwrap().len(), 2);
}

#[async_test]
async fn a_session_that_expired_is_told_though_its_user_goes_before_anybody_tidies_up() {
    let accounts = telling().await;
    let (user_id, expired) = accounts.start_session(NUMBER, accounts.now - Duration::MINUTE).await;
    let (_, live) = accounts.start_session(NUMBER, accounts.now + Duration::MINUTE).await;
    let number = NUMBER.parse().unwrap();
    assert!(accounts.stores[0].delete_user(user_id, &number, accounts.now).await.unwrap());
    assert_eq!(
        accounts.ended().await,
        [(expired.to_string(), "expired".into()), (live.to_string(), "user_deleted".into())]
    );
    assert_eq!(accounts.stores[0].prune_expired_tokens(accounts.now, 9).await.unwrap(), 0);
}

/// Whoever tidies up beside somebody who deletes a user must neither wait for them nor be waited
/// for in a circle.
#[async_test]
async fn tidying_up_passes_over_what_somebody_else_has_locked() {
    let accounts = telling().await;
    let past = accounts.now - Duration::MINUTE;
    let (_, locked) = accounts.start_session(NUMBER, past).await;
    let (_, free) = accounts.start_session(OTHER_NUMBER, past).await;
    if !accounts.database.is_postgres() {
        return; // SQLite knows one lock, for all.
    }
    let other = connect(&accounts.database.url()).await;
    let lock = format!("BEGIN; SELECT 1 FROM tokens WHERE id = '{locked}' FOR UPDATE");
    other.execute_unprepared(&lock).await.unwrap();
    assert_eq!(accounts.stores[0].prune_expired_tokens(accounts.now, 9).await.unwrap(), 1);
    assert_eq!(accounts.ended().await, [(free.to_string(), "expired".to_owned())]);
    other.execute_unprepared("ROLLBACK").await.unwrap();
    assert_eq!(accounts.stores[0].prune_expired_tokens(accounts.now, 9).await.unwrap(), 1);
    assert_eq!(accounts.ended().await.len(), 2);
}

#[async_test]
async fn an_sms_that_does_not_arrive_is_one_row_however_many_workers_take_it() {
    let accounts = telling().await;
    let redis = Redis::start();
    let entries: Vec<String> = (0..50)
        .map(|n| {
            let id = format!("01KB5Z6Q0W6JX0J0XCEV6Q{n:04}");
            json!({"delivery_id": id, "phone_number": NUMBER, "status": "failed"}).to_string()
        })
        .collect();
    redis.connection().rpush::<_, _, ()>("{cheershare}:events:undelivered", &entries).unwrap();
    let queue = EventQueue::new(connection::Redis::new(&redis.url()).unwrap().connection(SOON));
    let takes = (0..8).map(|n| take_undelivered(&accounts.stores[n % 2], &queue, accounts.now));
    for taken in join_all(takes).await {
        taken.unwrap();
    }
    let ids: Vec<_> = accounts.told().await.iter().map(|event| event["id"].clone()).collect();
    let expected: Vec<_> =
        (0..50).map(|n| json!(format!("sms_01KB5Z6Q0W6JX0J0XCEV6Q{n:04}"))).collect();
    assert_eq!(ids, expected);
    assert!(redis.lasting_keys().is_empty(), "{:?}", redis.lasting_keys());
}
