use sea_orm_migration::prelude::*;

use crate::execute;

/// OpenID clients that are to be told when a session ends. The database itself notes that it has:
/// whatever removes a session's row, the reference becomes null.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

// About the time see `keep_grants`.
const POSTGRES: &str = "
SET LOCAL lock_timeout = '1500ms';
CREATE TABLE logouts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id text REFERENCES tokens (id) ON DELETE SET NULL,
    sid text NOT NULL,
    user_id bigint NOT NULL,
    client_id text NOT NULL,
    uri text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at bigint NOT NULL DEFAULT 0,
    UNIQUE (session_id, client_id)
);
CREATE INDEX logouts_due ON logouts (due_at, id) WHERE session_id IS NULL;
";

const SQLITE: &str = "
CREATE TABLE logouts (
    id integer PRIMARY KEY AUTOINCREMENT,
    session_id text REFERENCES tokens (id) ON DELETE SET NULL,
    sid text NOT NULL,
    user_id integer NOT NULL,
    client_id text NOT NULL,
    uri text NOT NULL,
    attempts integer NOT NULL DEFAULT 0,
    due_at integer NOT NULL DEFAULT 0,
    UNIQUE (session_id, client_id)
);
CREATE INDEX logouts_due ON logouts (due_at, id) WHERE session_id IS NULL;
";

const DOWN: &str = "DROP TABLE logouts;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, POSTGRES, SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, DOWN, DOWN).await
    }
}
