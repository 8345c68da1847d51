use sea_orm_migration::prelude::*;

use crate::execute;

/// A token becomes a session that is seen and ended by its id, and what happens to an account is
/// written down.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

// Programs from before this step know nothing of the new columns, so each has a default. Random ids
// are 26 characters of base32 (RFC 4648) in lower case; those made here use 16 of its letters.
const POSTGRES: &str = "
CREATE TABLE events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz(0) NOT NULL,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    kind text NOT NULL,
    address text,
    session_id text,
    details text NOT NULL DEFAULT '{}'
);
CREATE INDEX events_by_user ON events (user_id, id);
CREATE INDEX events_by_time ON events (created_at);
ALTER TABLE tokens
    ADD COLUMN serial bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN id text NOT NULL UNIQUE
        DEFAULT translate(left(replace(gen_random_uuid()::text, '-', ''), 26), '0189', 'ghij'),
    ADD COLUMN created_at timestamptz(0) NOT NULL DEFAULT date_trunc('second', now()),
    ADD COLUMN last_used_at timestamptz(0) NOT NULL DEFAULT date_trunc('second', now()),
    ADD COLUMN device text NOT NULL DEFAULT '';
";

const POSTGRES_DOWN: &str = "
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
        execute(manager, POSTGRES, SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, POSTGRES_DOWN, SQLITE_DOWN).await
    }

    /// All or nothing on SQLite too: live tokens are on their way from one table to another.
    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
