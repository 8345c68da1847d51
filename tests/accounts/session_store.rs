//! Sessions in the database, through the store that the API uses.

use common::accounts::{Accounts, AccountsError, NewSession, SessionFilter, SignedIn};
use common::domain::client::{Client, Device};
use common::domain::cursor::PageRequest;
use common::domain::event::{EventKind, SessionEnd};
use common::domain::ids::SessionId;
use common::domain::person_name::PersonName;
use common::domain::phone::E164;
use common::domain::token::{Scope, Token};
use common::runtime::clock::Clock;
use futures_util::future::join_all;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, TransactionTrait};
use time::{Duration, OffsetDateTime};

use crate::support::app::SOON;
use crate::support::database::Database;
use crate::support::eventually;

const NUMBER: &str = "+919876543210";
const EVERYTHING: PageRequest = PageRequest { cursor: None, limit: 1_000 };

/// A database, and the stores of two processes over it.
struct Kept {
    // Closed before the database goes.
    stores: [Accounts; 2],
    database: Database,
    now: OffsetDateTime,
}

impl Kept {
    async fn new() -> Self {
        let database = Database::create().await;
        let connect = || async { Accounts::connect(&database.url().into(), 10).await.unwrap() };
        let stores = [connect().await, connect().await];
        Migrator::up(stores[0].database(), None).await.unwrap();
        // Connections are made when they are needed, which takes its time when twenty are needed at once.
        for store in &stores {
            join_all((0..10).map(|_| async { store.ping().await.unwrap() })).await;
        }
        Self { stores, database, now: Clock::manual(1_798_761_600_000).now() }
    }

    /// Signs in at one of the two.
    async fn sign_in(&self, store: usize, cap: u32) -> Result<(SignedIn, SessionId), AccountsError> {
        let number: E164 = NUMBER.parse().unwrap();
        let id = SessionId::random();
        let session = NewSession {
            id: id.clone(),
            hash: Token::random().hash(),
            expiry: self.now + Duration::HOUR,
            scope: Scope::Authentication,
            client: client(),
        };
        let name = PersonName::parse("Asha").unwrap().unwrap();
        Ok((self.stores[store % 2].sign_in(&number, &name, session, cap, self.now).await?, id))
    }

    /// Runs all calls, which change sessions of one user, as much at once as the database lets them. On Postgres each is held where
    /// it locks the user's row, with what it saw before, until all are there.
    async fn at_the_same_moment<T>(&self, calls: impl IntoIterator<Item = impl Future<Output = T>>) -> Vec<T> {
        let calls: Vec<_> = calls.into_iter().collect();
        if !self.database.is_postgres() {
            return join_all(calls).await;
        }
        let gate = Accounts::connect(&self.database.url().into(), 1).await.unwrap();
        let held = gate.database().begin().await.unwrap();
        held.execute_unprepared("SELECT id FROM users FOR UPDATE").await.unwrap();
        let all = i64::try_from(calls.len()).unwrap();
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let open = async {
            eventually(SOON, "calls that wait", async || {
                (self.database.column::<i64>(waiting).await == [all]).then_some(())
            })
            .await;
            held.commit().await.unwrap();
        };
        tokio::join!(join_all(calls), open).0
    }

    /// The ids of the user's live sessions, newest first.
    async fn live(&self, user_id: i64) -> Vec<SessionId> {
        let page = self.stores[0].sessions(user_id, EVERYTHING, self.now).await.unwrap();
        page.rows.into_iter().map(|session| session.id).collect()
    }

    /// How many sessions ended because there were too many.
    async fn ended_by_the_cap(&self, user_id: i64) -> usize {
        let events = self.stores[0].events(user_id, EVERYTHING).await.unwrap().rows;
        events.iter().filter(|event| event.details.reason == Some(SessionEnd::SessionLimit)).count()
    }
}

fn client() -> Client {
    Client { address: std::net::IpAddr::from([203, 0, 113, 7]).into(), device: Device::from_user_agent(b"tests") }
}

#[async_test]
async fn twenty_sign_ins_at_the_same_moment_leave_exactly_the_cap() {
    let kept = Kept::new().await;
    let mut user_id = 0;
    for n in 0..30 {
        user_id = kept.sign_in(n, 0).await.unwrap().0.user.id;
    }
    assert_eq!(kept.live(user_id).await.len(), 30, "0 is no limit");

    for round in 1..=3 {
        let signed_in = kept.at_the_same_moment((0..20).map(|n| kept.sign_in(n, 20))).await;
        let mut new: Vec<_> = signed_in.into_iter().map(|one| one.unwrap().1.to_string()).collect();
        let mut live: Vec<_> = kept.live(user_id).await.iter().map(ToString::to_string).collect();
        new.sort_unstable();
        live.sort_unstable();
        assert_eq!(live, new, "those that were used in the same second make room for newer ones");
        assert_eq!(kept.ended_by_the_cap(user_id).await, 10 + 20 * round, "each end is written down once");
    }
}

#[async_test]
async fn sessions_that_cannot_be_ended_keep_nobody_out() {
    let kept = Kept::new().await;
    let user_id = kept.sign_in(0, 2).await.unwrap().0.user.id;
    kept.sign_in(0, 2).await.unwrap();
    kept.database.refuse("DELETE", "tokens").await;
    let third = kept.sign_in(0, 2).await;
    // On SQLite it is one transaction, all or nothing.
    assert_eq!(third.is_ok(), kept.database.is_postgres(), "{third:?}");
    let expected = if kept.database.is_postgres() { 3 } else { 2 };
    assert_eq!(kept.live(user_id).await.len(), expected);
    kept.database.allow("tokens").await;
    kept.sign_in(0, 2).await.unwrap();
    assert_eq!(kept.live(user_id).await.len(), 2);
    assert_eq!(kept.ended_by_the_cap(user_id).await, expected - 1);
}

#[async_test]
async fn what_cannot_be_written_down_does_not_happen() {
    let kept = Kept::new().await;
    let (first, id) = kept.sign_in(0, 0).await.unwrap();
    let user_id = first.user.id;
    kept.database.refuse("INSERT", "events").await;
    let [store, _] = &kept.stores;
    assert!(kept.sign_in(0, 0).await.is_err());
    let ended = store.end_sessions(user_id, SessionFilter::One(&id), SessionEnd::SignedOut, &client(), kept.now).await;
    assert!(ended.is_err(), "{ended:?}");
    let session = store.sessions(user_id, EVERYTHING, kept.now).await.unwrap().rows.remove(0);
    let expiry = kept.now + Duration::DAY;
    let renewed = store.renew(user_id, &session.hash, Token::random().hash(), expiry, &client(), kept.now).await;
    assert!(renewed.is_err(), "{renewed:?}");
    assert_eq!(kept.live(user_id).await, [id]);
    let after = store.sessions(user_id, EVERYTHING, kept.now).await.unwrap().rows.remove(0);
    assert_eq!(after, session);
}

#[async_test]
async fn events_are_pruned_by_their_age_and_a_bounded_count_at_once() {
    let kept = Kept::new().await;
    let user_id = kept.sign_in(0, 0).await.unwrap().0.user.id;
    for _ in 0..4 {
        kept.sign_in(0, 0).await.unwrap();
    }
    let [store, _] = &kept.stores;
    assert_eq!(store.prune_events(kept.now, 100).await.unwrap(), 0, "they are not older than that");
    let later = kept.now + Duration::SECOND;
    for removed in [2, 2, 1, 0] {
        assert_eq!(store.prune_events(later, 2).await.unwrap(), removed);
    }
    assert!(store.events(user_id, EVERYTHING).await.unwrap().rows.is_empty());
    assert_eq!(kept.live(user_id).await.len(), 5, "sessions stay");
}

#[async_test]
async fn of_twenty_changes_of_a_session_at_the_same_moment_one_happens() {
    let kept = Kept::new().await;
    let user_id = kept.sign_in(0, 0).await.unwrap().0.user.id;
    for _ in 0..3 {
        let (_, id) = kept.sign_in(0, 0).await.unwrap();
        let session = kept.stores[0].sessions(user_id, EVERYTHING, kept.now).await.unwrap().rows.remove(0);
        assert_eq!(session.id, id);
        let renewals =
            (0..20).map(|n| {
                let (store, expiry, hash) = (&kept.stores[n % 2], kept.now + Duration::DAY, session.hash.clone());
                async move {
                    store.renew(user_id, &hash, Token::random().hash(), expiry, &client(), kept.now).await.unwrap()
                }
            });
        let renewed = kept.at_the_same_moment(renewals).await;
        assert_eq!(renewed.iter().filter(|done| **done).count(), 1, "{renewed:?}");

        let ends = (0..20).map(|n| {
            // Some end it alone, some with all others: nobody waits for each other in a circle.
            let which = if n % 3 == 0 { SessionFilter::All } else { SessionFilter::One(&id) };
            let store = &kept.stores[n % 2];
            async move { store.end_sessions(user_id, which, SessionEnd::SignedOut, &client(), kept.now).await.unwrap() }
        });
        let ended = kept.at_the_same_moment(ends).await;
        assert_eq!(ended.iter().flatten().filter(|ended| **ended == id).count(), 1, "{ended:?}");
        assert!(kept.live(user_id).await.is_empty());
    }
    let events = kept.stores[0].events(user_id, EVERYTHING).await.unwrap().rows;
    let count = |kind| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!((count(EventKind::Renewed), count(EventKind::SignedOut)), (3, 4), "each is written down once");
}
