use sea_orm_migration::prelude::*;

use crate::execute;

/// What OpenID clients get: a code, and an access token for it, that go with their session.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

// The sessions' table is referred to by its unique id, which a renewal keeps. That locks it against
// writes for a moment, and they wait while this does, so it does not wait for long. It is longer than
// `deadlock_timeout`, 1 s unless somebody changed it, after which an autovacuum of the table yields.
const POSTGRES: &str = "
SET LOCAL lock_timeout = '1500ms';
CREATE TABLE grants (
    code_hash bytea PRIMARY KEY,
    token_hash bytea UNIQUE,
    session_id text NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    user_id bigint NOT NULL,
    client_id text NOT NULL,
    redirect_uri text NOT NULL,
    scope text NOT NULL,
    nonce text,
    code_challenge text,
    auth_time timestamptz(0) NOT NULL,
    created_at timestamptz(0) NOT NULL,
    expires_at timestamptz(0) NOT NULL
);
CREATE INDEX grants_by_session ON grants (session_id);
CREATE INDEX grants_by_expiry ON grants (expires_at);
";

const SQLITE: &str = "
CREATE TABLE grants (
    code_hash blob PRIMARY KEY,
    token_hash blob UNIQUE,
    session_id text NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    user_id integer NOT NULL,
    client_id text NOT NULL,
    redirect_uri text NOT NULL,
    scope text NOT NULL,
    nonce text,
    code_challenge text,
    auth_time text NOT NULL,
    created_at text NOT NULL,
    expires_at text NOT NULL
);
CREATE INDEX grants_by_session ON grants (session_id);
CREATE INDEX grants_by_expiry ON grants (expires_at);
";

const DOWN: &str = "DROP TABLE grants;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, POSTGRES, SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, DOWN, DOWN).await
    }
}
