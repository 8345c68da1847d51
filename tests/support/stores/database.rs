//! A database of the test's own: SQLite or, with `TEST_DATABASE=postgres`, Postgres.

use std::path::PathBuf;

use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, Statement, TryGetable};
use tempfile::TempDir;

/// An empty database, removed when this is dropped.
#[derive(Debug)]
pub(crate) enum Database {
    /// A file in a temporary folder.
    Sqlite { file: PathBuf, _folder: TempDir },
    /// A database in the server that `TEST_POSTGRES_URL` names.
    Postgres { name: String, server: String },
}

/// What makes the database useless while this lives.
#[derive(Debug)]
pub(crate) enum Outage {
    /// The connection that holds a lock against writing.
    Locked(DatabaseConnection),
    Closed,
}

impl Database {
    /// Makes a database of the kind that `TEST_DATABASE` names.
    pub(crate) async fn create() -> Self {
        match std::env::var("TEST_DATABASE").as_deref() {
            Err(_) | Ok("sqlite") => {
                let folder = tempfile::tempdir().unwrap();
                let file = folder.path().join("app.db");
                Self::Sqlite { file, _folder: folder }
            }
            Ok("postgres") => {
                Self::create_in(
                    &std::env::var("TEST_POSTGRES_URL")
                        .expect("TEST_POSTGRES_URL is not set: run bin/test"),
                )
                .await
            }
            Ok(other) => panic!("TEST_DATABASE is sqlite or postgres, not {other}"),
        }
    }

    /// Makes a database in that Postgres.
    pub(crate) async fn create_in(server: &str) -> Self {
        let name = format!("test_{}", ulid::Ulid::generate().to_string().to_lowercase());
        execute(server, &format!("CREATE DATABASE {name}")).await;
        Self::Postgres { name, server: server.to_owned() }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self, Self::Postgres { .. })
    }

    /// What `DATABASE_URL` takes where the server is reached by another port.
    pub(crate) fn url_by(&self, port: u16) -> String {
        match self {
            Self::Postgres { name, .. } => format!("postgres://postgres@127.0.0.1:{port}/{name}"),
            Self::Sqlite { .. } => panic!("SQLite has no port"),
        }
    }

    /// The same database in the server that took over.
    pub(crate) fn moves_to(&mut self, url: &str) {
        let Self::Postgres { server, .. } = self else { panic!("SQLite has no server") };
        *server = url.to_owned();
    }

    /// What `DATABASE_URL` takes.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Sqlite { file, .. } => format!("sqlite://{}?mode=rwc", file.display()),
            Self::Postgres { name, server } => of_server(server, name),
        }
    }

    pub(crate) async fn execute(&self, sql: &str) {
        execute(&self.url(), sql).await;
    }

    /// The first column of every row that the query finds.
    pub(crate) async fn column<T: TryGetable>(&self, sql: &str) -> Vec<T> {
        column(&self.url(), sql).await
    }

    /// How many users have this number (E.164).
    pub(crate) async fn users_with(&self, number: &str) -> usize {
        let sql = format!("SELECT name FROM users WHERE phone_number = '{number}'");
        self.column::<String>(&sql).await.len()
    }

    /// All that it holds, as bytes that can be searched.
    pub(crate) async fn everything(&self) -> Vec<u8> {
        match self {
            Self::Sqlite { file, .. } => {
                let mut all = std::fs::read(file).unwrap();
                let log = file.with_extension("db-wal");
                all.extend(std::fs::read(log).unwrap_or_default());
                all
            }
            Self::Postgres { .. } => {
                let tables = "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public'";
                let mut all = String::new();
                for table in self.column::<String>(tables).await {
                    let rows = format!("SELECT row_to_json(t)::text FROM \"{table}\" t");
                    all.push_str(&self.column::<String>(&rows).await.join("\n"));
                }
                all.into_bytes()
            }
        }
    }

    /// Makes every `INSERT`, `UPDATE` or `DELETE` (`change`) of that table fail, until
    /// [`Database::allow`].
    pub(crate) async fn refuse(&self, change: &str, table: &str) {
        let sql = match self {
            Self::Sqlite { .. } => format!(
                "CREATE TRIGGER refused BEFORE {change} ON {table} BEGIN SELECT RAISE(ABORT, 'refused by a test'); END"
            ),
            Self::Postgres { .. } => format!(
                "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE 'refused by a test'; END $$ LANGUAGE plpgsql;
                CREATE TRIGGER refused BEFORE {change} ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()"
            ),
        };
        self.execute(&sql).await;
    }

    /// Takes [`Database::refuse`] back.
    pub(crate) async fn allow(&self, table: &str) {
        let sql = match self {
            Self::Sqlite { .. } => "DROP TRIGGER refused".to_owned(),
            Self::Postgres { .. } => {
                format!("DROP TRIGGER refused ON {table}; DROP FUNCTION refuse")
            }
        };
        self.execute(&sql).await;
    }

    /// Makes every write of the programs fail, until [`Database::restore`]: Postgres cuts all
    /// connections and refuses new ones; in SQLite another connection holds the lock for writing.
    pub(crate) async fn fail(&self) -> Outage {
        match self {
            Self::Sqlite { .. } => self.lock().await,
            Self::Postgres { name, server } => {
                let closed = format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false");
                execute(server, &closed).await;
                let cut = format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
                );
                execute(server, &cut).await;
                Outage::Closed
            }
        }
    }

    /// Makes nothing but the writing of users fail, until [`Database::restore`]: another connection
    /// holds a lock.
    pub(crate) async fn lock(&self) -> Outage {
        let connection = connect(&self.url()).await;
        let lock = if self.is_postgres() {
            "BEGIN; LOCK TABLE users IN SHARE MODE"
        } else {
            "BEGIN IMMEDIATE"
        };
        connection.execute_unprepared(lock).await.unwrap();
        Outage::Locked(connection)
    }

    pub(crate) async fn restore(&self, outage: Outage) {
        match (self, outage) {
            (Self::Postgres { name, server }, Outage::Closed) => {
                let open = format!("ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true");
                execute(server, &open).await;
            }
            (_, Outage::Locked(connection)) => {
                connection.execute_unprepared("ROLLBACK").await.unwrap();
                connection.close().await.unwrap();
            }
            (Self::Sqlite { .. }, Outage::Closed) => {
                unreachable!("an outage of another database")
            }
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Self::Postgres { name, server } = self {
            let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            let server = server.clone();
            let dropped = std::thread::spawn(move || {
                let runtime =
                    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(execute(&server, &sql));
            });
            assert!(
                dropped.join().is_ok() || std::thread::panicking(),
                "the database {name} was not dropped"
            );
        }
    }
}

pub(crate) async fn connect(url: &str) -> DatabaseConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false).idle_timeout(None).max_lifetime(None);
    sea_orm::Database::connect(options).await.unwrap()
}

pub(super) async fn column<T: TryGetable>(url: &str, sql: &str) -> Vec<T> {
    let connection = connect(url).await;
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    let column = rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    connection.close().await.unwrap();
    column
}

async fn execute(url: &str, sql: &str) {
    let connection = connect(url).await;
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}

/// The URL of a server's database `name`, from that of another of its databases.
fn of_server(server: &str, name: &str) -> String {
    let (address, query) = server
        .split_once('?')
        .map_or((server, String::new()), |(address, query)| (address, format!("?{query}")));
    let authority = address.find("://").map_or(0, |at| at + 3);
    let end = address[authority..].find('/').map_or(address.len(), |at| authority + at);
    format!("{}/{name}{query}", &address[..end])
}
