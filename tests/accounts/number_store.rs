//! Numbers that accounts have, through the store that the API uses.

use common::accounts::{Accounts, Moved, NewSession, NumberMove, SignedIn};
use common::domain::client::{Client, Device};
use common::domain::cursor::PageRequest;
use common::domain::event::{EventKind, SessionEnd};
use common::domain::ids::SessionId;
use common::domain::person_name::PersonName;
use common::domain::phone::E164;
use common::domain::token::{Scope, Token};
use common::runtime::clock::Clock;
use migration::{Migrator, MigratorTrait};
use time::{Duration, OffsetDateTime};

use crate::support::database::Database;

const NUMBER: &str = "+919876543210";
const NEW: &str = "+919876543211";
const OTHER: &str = "+919876543212";
const EVERYTHING: PageRequest = PageRequest { cursor: None, limit: 100 };

/// A database, and the stores of two processes over it.
struct Kept {
    // Closed before the database goes.
    stores: [Accounts; 2],
    database: Database,
    now: OffsetDateTime,
}

fn number(text: &str) -> E164 {
    text.parse().unwrap()
}

fn client() -> Client {
    let address = std::net::IpAddr::from([203, 0, 113, 7]).into();
    Client { address, device: Device::default() }
}

impl Kept {
    async fn new() -> Self {
        let database = Database::create().await;
        let connect = || async { Accounts::connect(&database.url().into(), 4).await.unwrap() };
        let stores = [connect().await, connect().await];
        Migrator::up(stores[0].database(), None).await.unwrap();
        Self { stores, database, now: Clock::manual(1_798_761_600_000).now() }
    }

    async fn sign_in(&self, store: usize, of: &str) -> (SignedIn, SessionId) {
        let id = SessionId::random();
        let session = NewSession {
            id: id.clone(),
            hash: Token::random().hash(),
            expiry: self.now + Duration::HOUR,
            scope: Scope::Authentication,
            client: client(),
        };
        let name = PersonName::parse("Asha").unwrap().unwrap();
        (self.stores[store].sign_in(&number(of), &name, session, 0, self.now).await.unwrap(), id)
    }

    async fn move_number(&self, user_id: i64, session: &SessionId, old: &str, new: &str) -> Moved {
        let number_move = NumberMove { user_id, session, old: &number(old), new: &number(new) };
        self.stores[0].move_number(number_move, &client(), self.now).await.unwrap()
    }

    async fn sessions(&self, user_id: i64) -> Vec<SessionId> {
        let page = self.stores[1].sessions(user_id, EVERYTHING, self.now).await.unwrap();
        page.rows.into_iter().map(|session| session.id).collect()
    }
}

#[async_test]
async fn only_an_account_that_has_the_old_number_moves_or_goes() {
    let kept = Kept::new().await;
    let (asha, session) = kept.sign_in(0, NUMBER).await;
    let (_, other_session) = kept.sign_in(0, NUMBER).await;
    let (ravi, _) = kept.sign_in(0, OTHER).await;
    let id = asha.user.id;
    let event_count = kept.database.column::<i64>("SELECT id FROM events").await.len();

    assert_eq!(kept.move_number(id, &session, OTHER, NEW).await, Moved::Outdated);
    assert_eq!(kept.move_number(id, &session, NUMBER, OTHER).await, Moved::Taken);
    assert_eq!(kept.move_number(i64::MAX, &session, NUMBER, NEW).await, Moved::Outdated);
    assert!(!kept.stores[0].delete_user(id, &number(NEW)).await.unwrap());
    assert!(!kept.stores[0].delete_user(i64::MAX, &number(NUMBER)).await.unwrap());
    assert_eq!(kept.sessions(id).await.len(), 2, "nothing has happened");
    assert_eq!(kept.database.column::<i64>("SELECT id FROM events").await.len(), event_count);

    let Moved::To(moved) = kept.move_number(id, &session, NUMBER, NEW).await else { panic!("it moves") };
    assert_eq!((moved.id, moved.phone_number.as_str(), moved.version), (id, NEW, 2));
    assert_eq!(kept.sessions(id).await, std::slice::from_ref(&session));
    let events = kept.stores[1].events(id, EVERYTHING).await.unwrap().rows;
    let newest = &events[0];
    assert_eq!((newest.kind, newest.session_id.as_deref()), (EventKind::NumberChanged, Some(session.as_str())));
    assert_eq!(newest.address.as_deref(), Some("203.0.113.7"));
    assert_eq!(newest.details.new_number.as_deref(), Some("+91********11"));
    assert_eq!((events[1].kind, events[1].details.reason), (EventKind::SignedOut, Some(SessionEnd::NumberChanged)));
    assert_eq!(events[1].session_id.as_deref(), Some(other_session.as_str()));

    assert!(!kept.stores[0].delete_user(id, &number(NUMBER)).await.unwrap(), "it has another number by now");
    assert!(kept.stores[0].delete_user(id, &number(NEW)).await.unwrap());
    assert_eq!(kept.stores[0].number_of(id).await.unwrap(), None);
    assert!(kept.sessions(id).await.is_empty());
    assert_eq!(kept.stores[0].number_of(ravi.user.id).await.unwrap(), Some(number(OTHER)));
    assert_eq!(kept.sessions(ravi.user.id).await.len(), 1);
}

/// Who has the old number's phone may sign in while the account moves: into it just before, and then that session ends, or into a new
/// account.
#[async_test]
async fn no_session_of_the_old_number_outlives_the_move() {
    let kept = Kept::new().await;
    for round in 0..20 {
        let (old, new) = (format!("+9198765410{round:02}"), format!("+9198765420{round:02}"));
        let (owner, session) = kept.sign_in(0, &old).await;
        let id = owner.user.id;
        let (moved, (late, _)) = tokio::join!(kept.move_number(id, &session, &old, &new), kept.sign_in(1, &old));
        assert!(matches!(moved, Moved::To(_)), "{moved:?}");
        assert_eq!(kept.sessions(id).await, [session], "round {round}");
        if late.user.id != id {
            assert!(late.is_new, "{late:?}");
            assert_eq!(kept.database.users_with(&old).await, 1);
        }
    }
}

#[async_test]
async fn two_accounts_do_not_get_one_number() {
    let kept = Kept::new().await;
    for round in 0..20 {
        let (one, other) = (format!("+9198765410{round:02}"), format!("+9198765420{round:02}"));
        let new = format!("+9198765430{round:02}");
        let ((asha, session), (ravi, other_session)) = (kept.sign_in(0, &one).await, kept.sign_in(0, &other).await);
        let moves = tokio::join!(
            kept.move_number(asha.user.id, &session, &one, &new),
            kept.move_number(ravi.user.id, &other_session, &other, &new)
        );
        assert!(
            matches!(moves, (Moved::To(_), Moved::Taken) | (Moved::Taken, Moved::To(_))),
            "one gets it, the other is told: {moves:?}"
        );
        assert_eq!(kept.database.users_with(&new).await, 1);
    }
}
