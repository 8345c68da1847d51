use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::execute;

/// A token becomes a session that is seen and ended by its id, and what happens to an account is
/// written down.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

// Programs from before this step know nothing of the new columns, so each has a default. Random ids
// are 26 characters of base32 (RFC 4648) in lower case; those made here use 16 of its letters.
//
// A table of millions of tokens is in use meanwhile: no statement rewrites it, and none that locks
// it waits for its lock, or keeps it, for longer than a moment. Each can be run again.
const POSTGRES: [&str; 2] = [
    "
SET LOCAL lock_timeout = '1s';
CREATE TABLE IF NOT EXISTS events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz(0) NOT NULL,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    kind text NOT NULL,
    address text,
    session_id text,
    details text NOT NULL DEFAULT '{}'
);
CREATE INDEX IF NOT EXISTS events_by_user ON events (user_id, id);
CREATE INDEX IF NOT EXISTS events_by_time ON events (created_at);
",
    "
SET LOCAL lock_timeout = '1s';
CREATE SEQUENCE IF NOT EXISTS tokens_serial_seq;
ALTER TABLE tokens
    ADD COLUMN IF NOT EXISTS serial bigint,
    ADD COLUMN IF NOT EXISTS id text,
    ADD COLUMN IF NOT EXISTS created_at timestamptz(0) NOT NULL DEFAULT date_trunc('second', now()),
    ADD COLUMN IF NOT EXISTS last_used_at timestamptz(0) NOT NULL DEFAULT date_trunc('second', now()),
    ADD COLUMN IF NOT EXISTS device text NOT NULL DEFAULT '',
    ALTER COLUMN serial SET DEFAULT nextval('tokens_serial_seq'),
    ALTER COLUMN id SET DEFAULT
        translate(left(replace(gen_random_uuid()::text, '-', ''), 26), '0189', 'ghij');
ALTER SEQUENCE tokens_serial_seq OWNED BY tokens.serial;
",
];

/// Repeated until no row is left.
const POSTGRES_FILL: &str = "
UPDATE tokens SET serial = DEFAULT, id = DEFAULT
WHERE hash IN (SELECT hash FROM tokens WHERE id IS NULL LIMIT 10000)
";

const POSTGRES_FILLED: [&str; 5] = [
    // One that could not be finished is not used, and is in the way.
    "DROP INDEX CONCURRENTLY IF EXISTS tokens_id_key",
    "CREATE UNIQUE INDEX CONCURRENTLY tokens_id_key ON tokens (id)",
    "
SET LOCAL lock_timeout = '1s';
ALTER TABLE tokens DROP CONSTRAINT IF EXISTS tokens_filled;
ALTER TABLE tokens ADD CONSTRAINT tokens_filled
    CHECK (id IS NOT NULL AND serial IS NOT NULL) NOT VALID;
",
    "ALTER TABLE tokens VALIDATE CONSTRAINT tokens_filled",
    "
SET LOCAL lock_timeout = '1s';
ALTER TABLE tokens ALTER COLUMN id SET NOT NULL, ALTER COLUMN serial SET NOT NULL;
ALTER TABLE tokens DROP CONSTRAINT tokens_filled;
",
];

const POSTGRES_DOWN: &str = "
SET LOCAL lock_timeout = '1s';
DROP TABLE events;
ALTER TABLE tokens
    DROP COLUMN serial,
    DROP COLUMN id,
    DROP COLUMN created_at,
    DROP COLUMN last_used_at,
    DROP COLUMN device;
";

// SQLite cannot add a column whose default is not a constant, so the table is made anew.
const SQLITE: &str = "
CREATE TABLE events (
    id integer PRIMARY KEY AUTOINCREMENT,
    created_at text NOT NULL,
    user_id integer NOT NULL REFERENCES users ON DELETE CASCADE,
    kind text NOT NULL,
    address text,
    session_id text,
    details text NOT NULL DEFAULT '{}'
);
CREATE INDEX events_by_user ON events (user_id, id);
CREATE INDEX events_by_time ON events (created_at);
CREATE TABLE new_tokens (
    serial integer PRIMARY KEY AUTOINCREMENT,
    hash blob NOT NULL UNIQUE,
    user_id integer NOT NULL REFERENCES users ON DELETE CASCADE,
    expiry text NOT NULL,
    scope text NOT NULL,
    id text NOT NULL UNIQUE DEFAULT
        (replace(replace(replace(replace(lower(hex(randomblob(13))), '0', 'g'), '1', 'h'), '8', 'i'), '9', 'j')),
    created_at text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    last_used_at text NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    device text NOT NULL DEFAULT ''
);
INSERT INTO new_tokens (hash, user_id, expiry, scope) SELECT hash, user_id, expiry, scope FROM tokens;
DROP TABLE tokens;
ALTER TABLE new_tokens RENAME TO tokens;
CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE INDEX tokens_by_expiry ON tokens (expiry);
";

const SQLITE_DOWN: &str = "
DROP TABLE events;
CREATE TABLE old_tokens (
    hash blob PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users ON DELETE CASCADE,
    expiry text NOT NULL,
    scope text NOT NULL
) WITHOUT ROWID;
INSERT INTO old_tokens SELECT hash, user_id, expiry, scope FROM tokens;
DROP TABLE tokens;
ALTER TABLE old_tokens RENAME TO tokens;
CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE INDEX tokens_by_expiry ON tokens (expiry);
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if manager.get_database_backend() == DbBackend::Postgres {
            return up_on_postgres(manager.get_connection()).await;
        }
        // All or nothing: live tokens are on their way from one table to another.
        let transaction = manager.begin().await?;
        transaction.get_connection().execute_unprepared(SQLITE).await?;
        transaction.commit().await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let transaction = manager.begin().await?;
        execute(&transaction, POSTGRES_DOWN, SQLITE_DOWN).await?;
        transaction.commit().await
    }

    /// An index that is made while the table is in use cannot be made in a transaction.
    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}

async fn up_on_postgres(database: &SchemaManagerConnection<'_>) -> Result<(), DbErr> {
    for statement in POSTGRES {
        database.execute_unprepared(statement).await?;
    }
    while database.execute_unprepared(POSTGRES_FILL).await?.rows_affected() > 0 {}
    for statement in POSTGRES_FILLED {
        database.execute_unprepared(statement).await?;
    }
    Ok(())
}
