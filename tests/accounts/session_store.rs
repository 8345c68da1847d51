//! Sessions in the database, through the store that the API uses.

use common::accounts::{Accounts, AccountsError, SessionFilter, SignedIn};
use common::domain::event::{EventKind, SessionEnd};
use common::domain::ids::SessionId;
use common::domain::token::Token;
use futures_util::future::join_all;
use sea_orm::{ConnectionTrait, TransactionTrait};
use time::Duration;

use crate::support::accounts::{AccountStores, EVERYTHING, client};
use crate::support::app::SOON;
use crate::support::eventually;
use crate::support::numbers::NUMBER;

impl AccountStores {
    /// Signs in at one of the two.
    async fn sign_in_under(
        &self,
        store: usize,
        cap: u32,
    ) -> Result<(SignedIn, SessionId), AccountsError> {
        let session = self.any_session();
        let id = session.id.clone();
        Ok((self.sign_in_with(store, NUMBER, session, cap).await?, id))
    }

    /// Runs all calls, which change sessions of one user, as much at once as the database lets
    /// them. On Postgres each is held where it locks the user's row, with what it saw before, until
    /// all are there.
    async fn at_the_same_moment<T>(
        &self,
        calls: impl IntoIterator<Item = impl Future<Output = T>>,
    ) -> Vec<T> {
        let calls: Vec<_> = calls.into_iter().collect();
        if !self.database.is_postgres() {
            return join_all(calls).await;
        }
        let gate = Accounts::connect(&self.database.url().into(), 1).await.unwrap();
        let held = gate.database().begin().await.unwrap();
        held.execute_unprepared("SELECT id FROM users FOR UPDATE").await.unwrap();
        let all = i64::try_from(calls.len()).unwrap();
        let waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        let open = async {
            eventually(SOON, "calls that wait", async || {
                (self.database.column::<i64>(waiting).await == [all]).then_some(())
            })
            .await;
            held.commit().await.unwrap();
        };
        tokio::join!(join_all(calls), open).0
    }

    /// How many sessions ended because there were too many.
    async fn ended_by_the_cap(&self, user_id: i64) -> usize {
        let events = self.stores[0].events(user_id, EVERYTHING).await.unwrap().rows;
        events.iter().filter(|event| event.details.reason == Some(SessionEnd::SessionLimit)).count()
    }
}

#[async_test]
async fn twenty_sign_ins_at_the_same_moment_leave_exactly_the_cap() {
    let accounts = AccountStores::new().await;
    let mut user_id = 0;
    for n in 0..30 {
        user_id = accounts.sign_in_under(n, 0).await.unwrap().0.user.id;
    }
    assert_eq!(accounts.live(user_id).await.len(), 30, "0 is no limit");

    for round in 1..=3 {
        let signed_in =
            accounts.at_the_same_moment((0..20).map(|n| accounts.sign_in_under(n, 20))).await;
        let mut new: Vec<_> = signed_in.into_iter().map(|one| one.unwrap().1.to_string()).collect();
        let mut live: Vec<_> =
            accounts.live(user_id).await.iter().map(ToString::to_string).collect();
        new.sort_unstable();
        live.sort_unstable();
        assert_eq!(live, new, "those that were used in the same second make room for newer ones");
        assert_eq!(
            accounts.ended_by_the_cap(user_id).await,
            10 + 20 * round,
            "each end is written down once"
        );
    }
}

#[async_test]
async fn sessions_that_cannot_be_ended_keep_nobody_out() {
    let accounts = AccountStores::new().await;
    let user_id = accounts.sign_in_under(0, 2).await.unwrap().0.user.id;
    accounts.sign_in_under(0, 2).await.unwrap();
    accounts.database.refuse("DELETE", "tokens").await;
    let third = accounts.sign_in_under(0, 2).await;
    // On SQLite it is one transaction, all or nothing.
    assert_eq!(third.is_ok(), accounts.database.is_postgres(), "{third:?}");
    let expected = if accounts.database.is_postgres() { 3 } else { 2 };
    assert_eq!(accounts.live(user_id).await.len(), expected);
    accounts.database.allow("tokens").await;
    accounts.sign_in_under(0, 2).await.unwrap();
    assert_eq!(accounts.live(user_id).await.len(), 2);
    assert_eq!(accounts.ended_by_the_cap(user_id).await, expected - 1);
}

#[async_test]
async fn what_cannot_be_written_down_does_not_happen() {
    let accounts = AccountStores::new().await;
    let (first, id) = accounts.sign_in_under(0, 0).await.unwrap();
    let user_id = first.user.id;
    accounts.database.refuse("INSERT", "events").await;
    let [store, _] = &accounts.stores;
    assert!(accounts.sign_in_under(0, 0).await.is_err());
    let ended = store
        .end_sessions(
            user_id,
            SessionFilter::One(&id),
            SessionEnd::SignedOut,
            &client(),
            accounts.now,
        )
        .await;
    assert!(ended.is_err(), "{ended:?}");
    let session = store.sessions(user_id, EVERYTHING, accounts.now).await.unwrap().rows.remove(0);
    let expiry = accounts.now + Duration::DAY;
    let renewed = store
        .renew(user_id, &session.hash, Token::random().hash(), expiry, &client(), accounts.now)
        .await;
    assert!(renewed.is_err(), "{renewed:?}");
    assert_eq!(accounts.live(user_id).await, [id]);
    let after = store.sessions(user_id, EVERYTHING, accounts.now).await.unwrap().rows.remove(0);
    assert_eq!(after, session);
}

#[async_test]
async fn events_are_pruned_by_their_age_and_a_bounded_count_at_once() {
    let accounts = AccountStores::new().await;
    let user_id = accounts.sign_in_under(0, 0).await.unwrap().0.user.id;
    for _ in 0..4 {
        accounts.sign_in_under(0, 0).await.unwrap();
    }
    let [store, _] = &accounts.stores;
    assert_eq!(
        store.prune_events(accounts.now, 100).await.unwrap(),
        0,
        "they are not older than that"
    );
    let later = accounts.now + Duration::SECOND;
    for removed in [2, 2, 1, 0] {
        assert_eq!(store.prune_events(later, 2).await.unwrap(), removed);
    }
    assert!(store.events(user_id, EVERYTHING).await.unwrap().rows.is_empty());
    assert_eq!(accounts.live(user_id).await.len(), 5, "sessions stay");
}

#[async_test]
async fn of_twenty_changes_of_a_session_at_the_same_moment_one_happens() {
    let accounts = AccountStores::new().await;
    let user_id = accounts.sign_in_under(0, 0).await.unwrap().0.user.id;
    for _ in 0..3 {
        let (_, id) = accounts.sign_in_under(0, 0).await.unwrap();
        let session = accounts.stores[0]
            .sessions(user_id, EVERYTHING, accounts.now)
            .await
            .unwrap()
            .rows
            .remove(0);
        assert_eq!(session.id, id);
        let renewals = (0..20).map(|n| {
            let (store, expiry, hash) =
                (&accounts.stores[n % 2], accounts.now + Duration::DAY, session.hash.clone());
            async move {
                store
                    .renew(user_id, &hash, Token::random().hash(), expiry, &client(), accounts.now)
                    .await
                    .unwrap()
            }
        });
        let renewed = accounts.at_the_same_moment(renewals).await;
        assert_eq!(renewed.iter().filter(|done| **done).count(), 1, "{renewed:?}");

        let ends = (0..20).map(|n| {
            // Some end it alone, some with all others: nobody waits for each other in a circle.
            let which = if n % 3 == 0 { SessionFilter::All } else { SessionFilter::One(&id) };
            let store = &accounts.stores[n % 2];
            async move {
                store
                    .end_sessions(user_id, which, SessionEnd::SignedOut, &client(), accounts.now)
                    .await
                    .unwrap()
            }
        });
        let ended = accounts.at_the_same_moment(ends).await;
        assert_eq!(ended.iter().flatten().filter(|ended| **ended == id).count(), 1, "{ended:?}");
        assert!(accounts.live(user_id).await.is_empty());
    }
    let events = accounts.stores[0].events(user_id, EVERYTHING).await.unwrap().rows;
    let count = |kind| events.iter().filter(|event| event.kind == kind).count();
    assert_eq!(
        (count(EventKind::Renewed), count(EventKind::SignedOut)),
        (3, 4),
        "each is written down once"
    );
}
