use sea_orm_migration::prelude::*;

use crate::execute;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const POSTGRES: &str = "
CREATE TABLE users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz(0) NOT NULL DEFAULT now(),
    name text NOT NULL,
    phone_number text NOT NULL UNIQUE,
    version int NOT NULL DEFAULT 1
);
CREATE TABLE tokens (
    hash bytea PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE,
    expiry timestamptz(0) NOT NULL,
    scope text NOT NULL
);
CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE INDEX tokens_by_expiry ON tokens (expiry);
";

// SQLite keeps times as text; the programs write all of them, in one format that sorts.
const SQLITE: &str = "
CREATE TABLE users (
    id integer PRIMARY KEY AUTOINCREMENT,
    created_at text NOT NULL,
    name text NOT NULL,
    phone_number text NOT NULL UNIQUE,
    version integer NOT NULL DEFAULT 1
);
CREATE TABLE tokens (
    hash blob PRIMARY KEY,
    user_id integer NOT NULL REFERENCES users ON DELETE CASCADE,
    expiry text NOT NULL,
    scope text NOT NULL
) WITHOUT ROWID;
CREATE INDEX tokens_by_user ON tokens (user_id);
CREATE INDEX tokens_by_expiry ON tokens (expiry);
";

const DOWN: &str = "DROP TABLE tokens; DROP TABLE users;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, POSTGRES, SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, DOWN, DOWN).await
    }
}
