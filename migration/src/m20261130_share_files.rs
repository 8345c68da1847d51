use sea_orm_migration::prelude::*;

use crate::execute;

/// Links by which others get files of users, and pictures of users. A picture whose user is null is
/// to be removed, with its bytes.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

// About the time see `keep_grants`.
const POSTGRES: &str = "
SET LOCAL lock_timeout = '1500ms';
CREATE TABLE file_links (
    serial bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    hash bytea NOT NULL UNIQUE,
    file_serial bigint NOT NULL REFERENCES files (serial) ON DELETE CASCADE,
    created_at timestamptz(0) NOT NULL,
    expires_at timestamptz(0) NOT NULL,
    max_downloads bigint,
    downloads bigint NOT NULL DEFAULT 0
);
CREATE INDEX file_links_by_file ON file_links (file_serial, serial);
CREATE INDEX file_links_by_expiry ON file_links (expires_at);
CREATE TABLE pictures (
    serial bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    user_id bigint REFERENCES users (id) ON DELETE SET NULL,
    state text NOT NULL,
    fault text,
    put_size bigint NOT NULL DEFAULT 0,
    multipart_id text,
    attempts integer NOT NULL DEFAULT 0,
    due_at bigint NOT NULL,
    session_id text NOT NULL,
    address text NOT NULL,
    created_at timestamptz(0) NOT NULL,
    size bigint NOT NULL DEFAULT 0,
    sha256 bytea,
    made_at timestamptz(0)
);
CREATE INDEX pictures_by_user ON pictures (user_id, serial);
CREATE INDEX pictures_due ON pictures (due_at);
CREATE INDEX pictures_removed ON pictures (serial) WHERE user_id IS NULL;
";

const SQLITE: &str = "
CREATE TABLE file_links (
    serial integer PRIMARY KEY AUTOINCREMENT,
    id text NOT NULL UNIQUE,
    hash blob NOT NULL UNIQUE,
    file_serial integer NOT NULL REFERENCES files (serial) ON DELETE CASCADE,
    created_at text NOT NULL,
    expires_at text NOT NULL,
    max_downloads integer,
    downloads integer NOT NULL DEFAULT 0
);
CREATE INDEX file_links_by_file ON file_links (file_serial, serial);
CREATE INDEX file_links_by_expiry ON file_links (expires_at);
CREATE TABLE pictures (
    serial integer PRIMARY KEY AUTOINCREMENT,
    id text NOT NULL UNIQUE,
    user_id integer REFERENCES users (id) ON DELETE SET NULL,
    state text NOT NULL,
    fault text,
    put_size integer NOT NULL DEFAULT 0,
    multipart_id text,
    attempts integer NOT NULL DEFAULT 0,
    due_at integer NOT NULL,
    session_id text NOT NULL,
    address text NOT NULL,
    created_at text NOT NULL,
    size integer NOT NULL DEFAULT 0,
    sha256 blob,
    made_at text
);
CREATE INDEX pictures_by_user ON pictures (user_id, serial);
CREATE INDEX pictures_due ON pictures (due_at);
CREATE INDEX pictures_removed ON pictures (serial) WHERE user_id IS NULL;
";

const DOWN: &str = "DROP TABLE pictures; DROP TABLE file_links;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, POSTGRES, SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, DOWN, DOWN).await
    }
}
