//! The database in process: the stores of some processes over it, at a time that stands still.

use common::accounts::{Accounts, AccountsError, NewSession, SignedIn};
use common::domain::client::{Client, Device};
use common::domain::cursor::PageRequest;
use common::domain::ids::SessionId;
use common::domain::person_name::PersonName;
use common::domain::token::{Scope, Token};
use common::runtime::clock::Clock;
use futures_util::future::join_all;
use migration::{Migrator, MigratorTrait};
use time::{Duration, OffsetDateTime};

use crate::support::database::Database;

/// As many connections as a program opens where nothing else is set.
const CONNECTIONS: u32 = 10;

/// All rows in one page.
pub(crate) const EVERYTHING: PageRequest = PageRequest { cursor: None, limit: 1_000 };

/// A database with its tables, and the stores of two processes over it.
pub(crate) struct AccountStores {
    // Closed before the database goes.
    pub(crate) stores: [Accounts; 2],
    pub(crate) database: Database,
    /// 2027-01-01 00:00:00 UTC: a second earlier is another year.
    pub(crate) now: OffsetDateTime,
}

impl AccountStores {
    pub(crate) async fn new() -> Self {
        let database = Database::create().await;
        let connect =
            || async { Accounts::connect(&database.url().into(), CONNECTIONS).await.unwrap() };
        let stores = [connect().await, connect().await];
        Migrator::up(stores[0].database(), None).await.unwrap();
        // Connections are made when they are needed, which takes its time when twenty are needed at
        // once.
        for store in &stores {
            join_all((0..CONNECTIONS).map(|_| async { store.ping().await.unwrap() })).await;
        }
        Self { stores, database, now: Clock::manual(1_798_761_600_000).now() }
    }

    /// Signs in at one of the two, where a user may have `cap` sessions.
    pub(crate) async fn sign_in_with(
        &self,
        store: usize,
        number: &str,
        session: NewSession,
        cap: u32,
    ) -> Result<SignedIn, AccountsError> {
        let name = PersonName::parse("Asha").unwrap().unwrap();
        self.stores[store % 2]
            .sign_in(&number.parse().unwrap(), &name, session, cap, self.now)
            .await
    }

    /// A session of that token.
    pub(crate) fn session(token: &Token, expiry: OffsetDateTime) -> NewSession {
        let id = SessionId::random();
        NewSession {
            id,
            hash: token.hash(),
            expiry,
            scope: Scope::Authentication,
            client: client(),
        }
    }

    /// The same of a token of its own, for an hour.
    pub(crate) fn any_session(&self) -> NewSession {
        Self::session(&Token::random(), self.now + Duration::HOUR)
    }

    /// The ids of the user's live sessions, newest first.
    pub(crate) async fn live(&self, user_id: i64) -> Vec<SessionId> {
        let page = self.stores[1].sessions(user_id, EVERYTHING, self.now).await.unwrap();
        page.rows.into_iter().map(|session| session.id).collect()
    }
}

pub(crate) fn client() -> Client {
    Client {
        address: std::net::IpAddr::from([203, 0, 113, 7]).into(),
        device: Device::from_user_agent(b"tests"),
    }
}
