use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::execute;

/// Keys of the admin API, what their holders do, and an index that finds users by a part of their
/// name.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const POSTGRES: &str = "
CREATE TABLE IF NOT EXISTS admin_keys (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hash bytea NOT NULL UNIQUE,
    name text NOT NULL UNIQUE,
    role text NOT NULL,
    created_at timestamptz(0) NOT NULL,
    expires_at timestamptz(0),
    last_used_at timestamptz(0)
);
CREATE TABLE IF NOT EXISTS admin_actions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz(0) NOT NULL,
    key_id bigint NOT NULL,
    key_name text NOT NULL,
    kind text NOT NULL,
    user_id bigint,
    subject text,
    reason text
);
CREATE INDEX IF NOT EXISTS admin_actions_by_user ON admin_actions (user_id, id);
";

// The extension comes with PostgreSQL, but not everywhere: without it, looking for a name reads all
// of them.
const POSTGRES_TRIGRAMS: &str = "
DO $$ BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
EXCEPTION WHEN OTHERS THEN NULL;
END $$;
";

const HAS_TRIGRAMS: &str =
    "SELECT 1 FROM pg_opclass WHERE opcname = 'gin_trgm_ops' AND pg_opclass_is_visible(oid)";

// Users sign up meanwhile, so nothing of it locks their table. One that could not be finished is not
// used, and is in the way.
const POSTGRES_INDEX: [&str; 2] = [
    "DROP INDEX CONCURRENTLY IF EXISTS users_by_part_of_name",
    "CREATE INDEX CONCURRENTLY users_by_part_of_name ON users USING gin (lower(name) gin_trgm_ops)",
];

const SQLITE: &str = "
CREATE TABLE admin_keys (
    id integer PRIMARY KEY AUTOINCREMENT,
    hash blob NOT NULL UNIQUE,
    name text NOT NULL UNIQUE,
    role text NOT NULL,
    created_at text NOT NULL,
    expires_at text,
    last_used_at text
);
CREATE TABLE admin_actions (
    id integer PRIMARY KEY AUTOINCREMENT,
    created_at text NOT NULL,
    key_id integer NOT NULL,
    key_name text NOT NULL,
    kind text NOT NULL,
    user_id integer,
    subject text,
    reason text
);
CREATE INDEX admin_actions_by_user ON admin_actions (user_id, id);
";

// The extension stays: it may be somebody else's.
const DOWN: &str = "
DROP INDEX IF EXISTS users_by_part_of_name;
DROP TABLE admin_actions;
DROP TABLE admin_keys;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() != DbBackend::Postgres {
            return execute(manager, "", SQLITE).await;
        }
        let database = manager.get_connection();
        database.execute_unprepared(POSTGRES).await?;
        database.execute_unprepared(POSTGRES_TRIGRAMS).await?;
        if database.execute_unprepared(HAS_TRIGRAMS).await?.rows_affected() > 0 {
            for statement in POSTGRES_INDEX {
                database.execute_unprepared(statement).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, DOWN, DOWN).await
    }

    /// An index that is made while the table is in use cannot be made in a transaction.
    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
