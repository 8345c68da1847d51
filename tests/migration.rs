//! From tokens without ids to sessions, with rows in the tables, and back; and a step that fails.

use common::accounts::{Accounts, Session, SessionFilter};
use common::domain::cursor::PageRequest;
use common::domain::event::SessionEnd;
use common::domain::ids::SessionId;
use common::domain::token::{Scope, Token};
use common::runtime::clock::Clock;
use data_encoding::HEXLOWER;
use migration::{Migrator, MigratorTrait};
use time::OffsetDateTime;

use crate::support::database::Database;
use crate::support::numbers::NUMBER;

/// How many steps there were before.
const STEPS_BEFORE: u32 = 1;

/// Keeps a token as the programs did before.
async fn keep(database: &Database, token: &Token) {
    let hash = HEXLOWER.encode(&token.hash().into_bytes());
    let hash = if database.is_postgres() { format!("'\\x{hash}'") } else { format!("x'{hash}'") };
    let expiry = "2099-01-01T00:00:00Z";
    let scope = Scope::Authentication.into_str();
    let sql = format!(
        "INSERT INTO tokens (hash, user_id, expiry, scope) SELECT {hash}, id, '{expiry}', '{scope}' FROM users"
    );
    database.execute(&sql).await;
}

async fn session(accounts: &Accounts, token: &Token, now: OffsetDateTime) -> Session {
    let found = accounts.session_of(token.hash(), Scope::Authentication, now).await.unwrap();
    let (user, session) = found.expect("a live session");
    assert_eq!(user.phone_number.as_str(), NUMBER);
    session
}

#[async_test]
async fn tokens_from_before_are_sessions_and_stay_live_on_the_way_back() {
    let database = Database::create().await;
    let accounts = Accounts::connect(&database.url().into(), 2).await.unwrap();
    Migrator::up(accounts.database(), Some(STEPS_BEFORE)).await.unwrap();
    let user = format!(
        "INSERT INTO users (created_at, name, phone_number) VALUES ('2026-11-01T00:00:00Z', 'Asha', '{NUMBER}')"
    );
    database.execute(&user).await;
    let mut tokens = vec![Token::random(), Token::random()];
    for token in &tokens {
        keep(&database, token).await;
    }

    let before = Clock::default().now();
    Migrator::up(accounts.database(), None).await.unwrap();
    // A program of before, which is still running.
    let late = Token::random();
    keep(&database, &late).await;
    tokens.push(late);
    let now = Clock::default().now();
    let mut ids: Vec<SessionId> = Vec::new();
    for token in &tokens {
        let session = session(&accounts, token, now).await;
        assert!(
            SessionId::parse(session.id.as_str()).is_some_and(|id| !ids.contains(&id)),
            "{session:?}"
        );
        assert!((before..=now).contains(&session.created_at), "{session:?}");
        assert_eq!((session.last_used_at, session.device.as_str()), (session.created_at, ""));
        ids.push(session.id);
    }
    let user_id: i64 = database.column("SELECT id FROM users").await[0];
    let page = PageRequest { cursor: None, limit: 100 };
    let listed = accounts.sessions(user_id, page, now).await.unwrap().rows;
    let newest = listed.first().map(|session| &session.id);
    assert_eq!((listed.len(), newest), (3, ids.last()), "newest first");
    let client = common::domain::client::Client {
        address: std::net::IpAddr::from([203, 0, 113, 7]).into(),
        device: common::domain::client::Device::default(),
    };
    let ended = accounts
        .end_sessions(user_id, SessionFilter::One(&ids[0]), SessionEnd::SignedOut, &client, now)
        .await
        .unwrap();
    assert_eq!(ended, ids[..1]);
    assert_eq!(accounts.events(user_id, page).await.unwrap().rows.len(), 1);

    let steps_since = u32::try_from(Migrator::migrations().len()).unwrap() - STEPS_BEFORE;
    Migrator::down(accounts.database(), Some(steps_since)).await.unwrap();
    let hashes = "SELECT scope FROM tokens WHERE expiry > '2098-12-31T00:00:00Z'";
    assert_eq!(database.column::<String>(hashes).await.len(), 2, "what was live stays");
    Migrator::up(accounts.database(), None).await.unwrap();
    for token in &tokens[1..] {
        session(&accounts, token, Clock::default().now()).await;
    }
    assert!(accounts.events(user_id, page).await.unwrap().rows.is_empty());
}

#[async_test]
async fn a_step_that_fails_leaves_nothing_of_itself() {
    let database = Database::create().await;
    let accounts = Accounts::connect(&database.url().into(), 2).await.unwrap();
    Migrator::up(accounts.database(), Some(3)).await.unwrap();
    // The name of the last thing that the step makes.
    database.execute("CREATE INDEX outbox_notices ON outbox (id)").await;
    let error = migration::up(accounts.database()).await.unwrap_err().to_string();
    assert!(error.contains("outbox_notices"), "{error}");
    database.execute("DROP INDEX outbox_notices").await;
    migration::up(accounts.database()).await.unwrap();
    migration::down(accounts.database(), 1).await.unwrap();
    migration::up(accounts.database()).await.unwrap();
}
