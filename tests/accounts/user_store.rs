//! Users and tokens in the database, through the store that the programs use, and the migrations that make its tables.

use common::accounts::{Accounts, NewSession, SignedIn};
use common::domain::client::{Client, Device};
use common::domain::ids::SessionId;
use common::domain::person_name::PersonName;
use common::domain::phone::E164;
use common::domain::token::{Scope, Token, TokenHash};
use common::runtime::clock::Clock;
use futures_util::future::join_all;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use time::{Duration, OffsetDateTime};

use crate::support::app::SOON;
use crate::support::database::Database;
use crate::support::process::{Process, Settings};

const NUMBER: &str = "+919876543210";
const OTHER_NUMBER: &str = "+919876543211";

/// As many connections as a program opens where nothing else is set.
const CONNECTIONS: u32 = 10;

/// A database with its tables, and the store over it.
struct Kept {
    // Closed before the database goes.
    accounts: Accounts,
    database: Database,
    now: OffsetDateTime,
}

impl Kept {
    async fn new() -> Self {
        let database = Database::create().await;
        let accounts = Accounts::connect(&database.url().into(), CONNECTIONS).await.unwrap();
        Migrator::up(accounts.database(), None).await.unwrap();
        // 2027-01-01 00:00:00 UTC: a second earlier is another year.
        let now = Clock::manual(1_798_761_600_000).now();
        Self { accounts, database, now }
    }

    async fn sign_in(&self, number: &str, token: &Token, expiry: OffsetDateTime) -> SignedIn {
        let number: E164 = number.parse().unwrap();
        let name = PersonName::parse("Asha").unwrap().unwrap();
        let address = std::net::IpAddr::from([203, 0, 113, 7]).into();
        let session = NewSession {
            id: SessionId::random(),
            hash: token.hash(),
            expiry,
            scope: Scope::Authentication,
            client: Client { address, device: Device::from_user_agent(b"tests") },
        };
        self.accounts.sign_in(&number, &name, session, 0, self.now).await.unwrap()
    }

    /// A new token of the owner of `number`, which expires so long from now.
    async fn token(&self, number: &str, left: Duration) -> TokenHash {
        let token = Token::random();
        self.sign_in(number, &token, self.now + left).await;
        token.hash()
    }

    /// The number of the user who holds that token.
    async fn owner(&self, token: &TokenHash) -> Option<String> {
        let found = self.accounts.session_of(token.clone(), Scope::Authentication, self.now).await.unwrap();
        found.map(|(user, _)| user.phone_number.into_string())
    }

    async fn tokens(&self) -> usize {
        self.database.column::<String>("SELECT scope FROM tokens").await.len()
    }
}

#[async_test]
async fn forty_simultaneous_first_sign_ins_make_one_user() {
    let kept = Kept::new().await;
    let expiry = kept.now + Duration::HOUR;
    let tokens: Vec<Token> = (0..40).map(|_| Token::random()).collect();
    let signed_in = join_all(tokens.iter().map(|token| kept.sign_in(NUMBER, token, expiry))).await;

    assert_eq!(kept.database.users_with(NUMBER).await, 1);
    assert_eq!(signed_in.iter().filter(|one| one.is_new).count(), 1, "{signed_in:?}");
    let first = &signed_in[0].user;
    assert!(signed_in.iter().all(|one| one.user == *first), "{signed_in:?}");
    assert_eq!((first.phone_number.as_str(), first.created_at, first.version), (NUMBER, kept.now, 1));
    assert_eq!(kept.tokens().await, 40);
    for token in &tokens {
        assert_eq!(kept.owner(&token.hash()).await.as_deref(), Some(NUMBER));
    }
}

#[async_test]
async fn an_expired_token_gives_no_user() {
    let kept = Kept::new().await;
    let second = Duration::SECOND;
    for (left, owner) in [(second, Some(NUMBER)), (Duration::ZERO, None), (-second, None), (Duration::days(-400), None)]
    {
        let token = kept.token(NUMBER, left).await;
        assert_eq!(kept.owner(&token).await.as_deref(), owner, "{left} before its end");
    }
}

#[async_test]
async fn a_token_of_another_scope_gives_no_user() {
    let kept = Kept::new().await;
    let token = kept.token(NUMBER, Duration::HOUR).await;
    kept.database.execute("UPDATE tokens SET scope = 'password-reset'").await;
    assert_eq!(kept.owner(&token).await, None);
    kept.database.execute("UPDATE tokens SET scope = 'authentication'").await;
    assert_eq!(kept.owner(&token).await.as_deref(), Some(NUMBER));
}

#[async_test]
async fn pruning_removes_expired_tokens_only_and_a_bounded_count_at_once() {
    let kept = Kept::new().await;
    let second = Duration::SECOND;
    for ended in [Duration::ZERO, second, Duration::DAY, Duration::days(31), Duration::days(400)] {
        kept.token(NUMBER, -ended).await;
    }
    let mut live = Vec::new();
    for left in [second, Duration::DAY, Duration::days(400)] {
        live.push(kept.token(NUMBER, left).await);
    }
    for (removed, left) in [(2, 6), (2, 4), (1, 3), (0, 3)] {
        assert_eq!(kept.accounts.prune_expired_tokens(kept.now, 2).await.unwrap(), removed);
        assert_eq!(kept.tokens().await, left);
    }
    for token in &live {
        assert_eq!(kept.owner(token).await.as_deref(), Some(NUMBER));
    }
    assert_eq!(kept.accounts.prune_expired_tokens(kept.now + second, 100).await.unwrap(), 1);
    assert_eq!(kept.database.users_with(NUMBER).await, 1);
}

#[async_test]
async fn a_user_takes_their_tokens_along() {
    let kept = Kept::new().await;
    let gone = [kept.token(NUMBER, Duration::HOUR).await, kept.token(NUMBER, -Duration::HOUR).await];
    let stays = kept.token(OTHER_NUMBER, Duration::HOUR).await;
    let sql = format!("DELETE FROM users WHERE phone_number = '{NUMBER}'");
    kept.accounts.database().execute_unprepared(&sql).await.unwrap();
    assert_eq!(kept.tokens().await, 1);
    for token in &gone {
        assert_eq!(kept.owner(token).await, None);
    }
    assert_eq!(kept.owner(&stays).await.as_deref(), Some(OTHER_NUMBER));
}

#[async_test]
async fn every_connection_to_sqlite_has_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("app.db").display());
    let accounts = Accounts::connect(&url.into(), 3).await.unwrap();
    // Held until the end, so that each is a connection of its own.
    let mut held = Vec::new();
    for _ in 0..3 {
        let connection = accounts.database().begin().await.unwrap();
        let ask = async |pragma: &str| {
            let statement = Statement::from_string(DbBackend::Sqlite, format!("PRAGMA {pragma}"));
            connection.query_one_raw(statement).await.unwrap().unwrap()
        };
        let journal: String = ask("journal_mode").await.try_get_by_index(0).unwrap();
        assert_eq!(journal, "wal");
        let wait_ms: i64 = ask("busy_timeout").await.try_get_by_index(0).unwrap();
        assert!(wait_ms > 0, "{wait_ms}");
        let foreign_keys: i64 = ask("foreign_keys").await.try_get_by_index(0).unwrap();
        assert_eq!(foreign_keys, 1);
        held.push(connection);
    }
}

#[async_test]
async fn two_migrations_of_an_empty_database_at_once_both_succeed() {
    // Each round is another chance for them to meet.
    for _ in 0..5 {
        let database = Database::create().await;
        let settings = Settings::from([("DATABASE_URL".to_owned(), database.url())]);
        let folder = tempfile::tempdir().unwrap();
        let mut both =
            ["first", "second"].map(|name| Process::spawn(name, "migration", &["up"], &settings, folder.path()));
        for program in &mut both {
            let status = program.ended(SOON).await;
            assert!(status.success(), "{status}: {}", program.log());
        }
        let mut steps: Vec<String> = database.column("SELECT version FROM seaql_migrations ORDER BY version").await;
        let count = steps.len();
        steps.dedup();
        assert_eq!((steps.len(), count), (Migrator::migrations().len(), Migrator::migrations().len()), "{steps:?}");
        assert_eq!(database.users_with(NUMBER).await, 0, "the tables are there");
    }
}
