//! Users and tokens in the database, through the store that the programs use, and the migrations
//! that make its tables.

use common::accounts::{Accounts, SignedIn};
use common::domain::token::{Scope, Token, TokenHash};
use futures_util::future::join_all;
use migration::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DbBackend, Statement, TransactionTrait};
use time::{Duration, OffsetDateTime};

use crate::support::accounts::AccountStores;
use crate::support::app::SOON;
use crate::support::database::Database;
use crate::support::numbers::{NUMBER, OTHER_NUMBER};
use crate::support::process::Process;
use crate::support::settings::Settings;

impl AccountStores {
    async fn sign_in(&self, number: &str, token: &Token, expiry: OffsetDateTime) -> SignedIn {
        self.sign_in_with(0, number, Self::session(token, expiry), 0).await.unwrap()
    }

    /// A new token of the owner of `number`, which expires so long from now.
    async fn token(&self, number: &str, left: Duration) -> TokenHash {
        let token = Token::random();
        self.sign_in(number, &token, self.now + left).await;
        token.hash()
    }

    /// The number of the user who holds that token.
    async fn owner(&self, token: &TokenHash) -> Option<String> {
        let found = self.stores[0]
            .session_of(token.clone(), Scope::Authentication, self.now)
            .await
            .unwrap();
        found.map(|(user, _)| user.phone_number.into_string())
    }

    async fn tokens(&self) -> usize {
        self.database.column::<String>("SELECT scope FROM tokens").await.len()
    }
}

#[async_test]
async fn forty_simultaneous_first_sign_ins_make_one_user() {
    let accounts = AccountStores::new().await;
    let expiry = accounts.now + Duration::HOUR;
    let tokens: Vec<Token> = (0..40).map(|_| Token::random()).collect();
    let signed_in =
        join_all(tokens.iter().map(|token| accounts.sign_in(NUMBER, token, expiry))).await;

    assert_eq!(accounts.database.users_with(NUMBER).await, 1);
    assert_eq!(signed_in.iter().filter(|one| one.is_new).count(), 1, "{signed_in:?}");
    let first = &signed_in[0].user;
    assert!(signed_in.iter().all(|one| one.user == *first), "{signed_in:?}");
    assert_eq!(
        (first.phone_number.as_str(), first.created_at, first.version),
        (NUMBER, accounts.now, 1)
    );
    assert_eq!(accounts.tokens().await, 40);
    for token in &tokens {
        assert_eq!(accounts.owner(&token.hash()).await.as_deref(), Some(NUMBER));
    }
}

#[async_test]
async fn an_expired_token_gives_no_user() {
    let accounts = AccountStores::new().await;
    let second = Duration::SECOND;
    for (left, owner) in [
        (second, Some(NUMBER)),
        (Duration::ZERO, None),
        (-second, None),
        (Duration::days(-400), None),
    ] {
        let token = accounts.token(NUMBER, left).await;
        assert_eq!(accounts.owner(&token).await.as_deref(), owner, "{left} before its end");
    }
}

#[async_test]
async fn a_token_of_another_scope_gives_no_user() {
    let accounts = AccountStores::new().await;
    let token = accounts.token(NUMBER, Duration::HOUR).await;
    accounts.database.execute("UPDATE tokens SET scope = 'password-reset'").await;
    assert_eq!(accounts.owner(&token).await, None);
    accounts.database.execute("UPDATE tokens SET scope = 'authentication'").await;
    assert_eq!(accounts.owner(&token).await.as_deref(), Some(NUMBER));
}

#[async_test]
async fn pruning_removes_expired_tokens_only_and_a_bounded_count_at_once() {
    let accounts = AccountStores::new().await;
    let second = Duration::SECOND;
    for ended in [Duration::ZERO, second, Duration::DAY, Duration::days(31), Duration::days(400)] {
        accounts.token(NUMBER, -ended).await;
    }
    let mut live = Vec::new();
    for left in [second, Duration::DAY, Duration::days(400)] {
        live.push(accounts.token(NUMBER, left).await);
    }
    for (removed, left) in [(2, 6), (2, 4), (1, 3), (0, 3)] {
        assert_eq!(
            accounts.stores[0].prune_expired_tokens(accounts.now, 2).await.unwrap(),
            removed
        );
        assert_eq!(accounts.tokens().await, left);
    }
    for token in &live {
        assert_eq!(accounts.owner(token).await.as_deref(), Some(NUMBER));
    }
    assert_eq!(
        accounts.stores[0].prune_expired_tokens(accounts.now + second, 100).await.unwrap(),
        1
    );
    assert_eq!(accounts.database.users_with(NUMBER).await, 1);
}

#[async_test]
async fn a_user_takes_their_tokens_along() {
    let accounts = AccountStores::new().await;
    let gone = [
        accounts.token(NUMBER, Duration::HOUR).await,
        accounts.token(NUMBER, -Duration::HOUR).await,
    ];
    let stays = accounts.token(OTHER_NUMBER, Duration::HOUR).await;
    let sql = format!("DELETE FROM users WHERE phone_number = '{NUMBER}'");
    accounts.stores[0].database().execute_unprepared(&sql).await.unwrap();
    assert_eq!(accounts.tokens().await, 1);
    for token in &gone {
        assert_eq!(accounts.owner(token).await, None);
    }
    assert_eq!(accounts.owner(&stays).await.as_deref(), Some(OTHER_NUMBER));
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
        let mut both = ["first", "second"]
            .map(|name| Process::spawn(name, "migration", &["up"], &settings, folder.path()));
        for program in &mut both {
            let status = program.ended(SOON).await;
            assert!(status.success(), "{status}: {}", program.log());
        }
        let mut steps: Vec<String> =
            database.column("SELECT version FROM seaql_migrations ORDER BY version").await;
        let count = steps.len();
        steps.dedup();
        assert_eq!(
            (steps.len(), count),
            (Migrator::migrations().len(), Migrator::migrations().len()),
            "{steps:?}"
        );
        assert_eq!(database.users_with(NUMBER).await, 0, "the tables are there");
    }
}
