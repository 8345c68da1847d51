//! Numbers that accounts have, through the store that the API uses.

use common::accounts::{Moved, NumberMove, SignedIn};
use common::domain::event::{EventKind, SessionEnd};
use common::domain::ids::SessionId;
use common::domain::message::NoticeKind;
use common::domain::phone::E164;
use common::ledger::notices::Notice;

use crate::support::accounts::{AccountStores, EVERYTHING, client};
use crate::support::numbers::{NUMBER, OTHER_NUMBER, THIRD_NUMBER};

impl AccountStores {
    async fn sign_in_at(&self, store: usize, number: &str) -> (SignedIn, SessionId) {
        let session = self.any_session();
        let id = session.id.clone();
        (self.sign_in_with(store, number, session, 0).await.unwrap(), id)
    }

    async fn move_number(&self, user_id: i64, session: &SessionId, old: &str, new: &str) -> Moved {
        let (old, new) = (number(old), number(new));
        let notice = Notice::new(NoticeKind::NumberChanged, &old, 0, "a request");
        let notice = Some(&notice);
        let number_move = NumberMove { user_id, session, old: &old, new: &new, notice };
        self.stores[0].move_number(number_move, &client(), self.now).await.unwrap()
    }
}

fn number(text: &str) -> E164 {
    text.parse().unwrap()
}

#[async_test]
async fn only_an_account_that_has_the_old_number_moves_or_goes() {
    let accounts = AccountStores::new().await;
    let (asha, session) = accounts.sign_in_at(0, NUMBER).await;
    let (_, other_session) = accounts.sign_in_at(0, NUMBER).await;
    let (ravi, _) = accounts.sign_in_at(0, THIRD_NUMBER).await;
    let id = asha.user.id;
    let event_count = accounts.database.column::<i64>("SELECT id FROM events").await.len();

    assert_eq!(
        accounts.move_number(id, &session, THIRD_NUMBER, OTHER_NUMBER).await,
        Moved::Outdated
    );
    assert_eq!(accounts.move_number(id, &session, NUMBER, THIRD_NUMBER).await, Moved::Taken);
    assert_eq!(
        accounts.move_number(i64::MAX, &session, NUMBER, OTHER_NUMBER).await,
        Moved::Outdated
    );
    assert!(
        !accounts.stores[0].delete_user(id, &number(OTHER_NUMBER), accounts.now).await.unwrap()
    );
    assert!(
        !accounts.stores[0].delete_user(i64::MAX, &number(NUMBER), accounts.now).await.unwrap()
    );
    assert_eq!(accounts.live(id).await.len(), 2, "nothing has happened");
    assert_eq!(accounts.database.column::<i64>("SELECT id FROM events").await.len(), event_count);
    assert_eq!(accounts.database.column::<i64>("SELECT id FROM outbox").await, [0_i64; 0]);

    let Moved::To(moved) = accounts.move_number(id, &session, NUMBER, OTHER_NUMBER).await else {
        panic!("it moves")
    };
    assert_eq!((moved.id, moved.phone_number.as_str(), moved.version), (id, OTHER_NUMBER, 2));
    let to_tell = accounts.stores[1].notices_to_queue(10).await.unwrap();
    assert!(to_tell.len() == 1 && to_tell[0].payload.contains(NUMBER), "{to_tell:?}");
    assert_eq!(accounts.live(id).await, std::slice::from_ref(&session));
    let events = accounts.stores[1].events(id, EVERYTHING).await.unwrap().rows;
    let newest = &events[0];
    assert_eq!(
        (newest.kind, newest.session_id.as_deref()),
        (EventKind::NumberChanged, Some(session.as_str()))
    );
    assert_eq!(newest.address.as_deref(), Some("203.0.113.7"));
    assert_eq!(newest.details.new_number.as_deref(), Some("+91********11"));
    assert_eq!(
        (events[1].kind, events[1].details.reason),
        (EventKind::SignedOut, Some(SessionEnd::NumberChanged))
    );
    assert_eq!(events[1].session_id.as_deref(), Some(other_session.as_str()));

    assert!(
        !accounts.stores[0].delete_user(id, &number(NUMBER), accounts.now).await.unwrap(),
        "it has another number by now"
    );
    assert!(accounts.stores[0].delete_user(id, &number(OTHER_NUMBER), accounts.now).await.unwrap());
    assert_eq!(accounts.stores[0].number_of(id).await.unwrap(), None);
    assert!(accounts.live(id).await.is_empty());
    assert_eq!(
        accounts.stores[0].number_of(ravi.user.id).await.unwrap(),
        Some(number(THIRD_NUMBER))
    );
    assert_eq!(accounts.live(ravi.user.id).await.len(), 1);
}

/// Who has the old number's phone may sign in while the account moves: into it just before, and
/// then that session ends, or into a new account.
#[async_test]
async fn no_session_of_the_old_number_outlives_the_move() {
    let accounts = AccountStores::new().await;
    for round in 0..20 {
        let (old, new) = (format!("+9198765410{round:02}"), format!("+9198765420{round:02}"));
        let (owner, session) = accounts.sign_in_at(0, &old).await;
        let id = owner.user.id;
        let (moved, (late, _)) = tokio::join!(
            accounts.move_number(id, &session, &old, &new),
            accounts.sign_in_at(1, &old)
        );
        assert!(matches!(moved, Moved::To(_)), "{moved:?}");
        assert_eq!(accounts.live(id).await, [session], "round {round}");
        if late.user.id != id {
            assert!(late.is_new, "{late:?}");
            assert_eq!(accounts.database.users_with(&old).await, 1);
        }
    }
}

#[async_test]
async fn two_accounts_do_not_get_one_number() {
    let accounts = AccountStores::new().await;
    for round in 0..20 {
        let (one, other) = (format!("+9198765410{round:02}"), format!("+9198765420{round:02}"));
        let new = format!("+9198765430{round:02}");
        let ((asha, session), (ravi, other_session)) =
            (accounts.sign_in_at(0, &one).await, accounts.sign_in_at(0, &other).await);
        let moves = tokio::join!(
            accounts.move_number(asha.user.id, &session, &one, &new),
            accounts.move_number(ravi.user.id, &other_session, &other, &new)
        );
        assert!(
            matches!(moves, (Moved::To(_), Moved::Taken) | (Moved::Taken, Moved::To(_))),
            "one gets it, the other is told: {moves:?}"
        );
        assert_eq!(accounts.database.users_with(&new).await, 1);
    }
}
