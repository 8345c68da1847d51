use sea_orm_migration::prelude::*;

use crate::execute;

/// Files of users. A file whose user is null is to be removed, with its bytes: whatever removes a
/// user's row, the database itself notes that.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

// About the time see `keep_grants`.
const POSTGRES: &str = "
SET LOCAL lock_timeout = '1500ms';
CREATE TABLE files (
    serial bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id text NOT NULL UNIQUE,
    user_id bigint REFERENCES users (id) ON DELETE SET NULL,
    name text NOT NULL,
    declared_type text,
    sniffed_type text,
    size bigint NOT NULL,
    received bigint NOT NULL DEFAULT 0,
    hash_state bytea,
    sha256 bytea,
    multipart_id text,
    tail bigint NOT NULL DEFAULT 0,
    lease text,
    leased_until bigint NOT NULL DEFAULT 0,
    created_at timestamptz(0) NOT NULL,
    expires_at timestamptz(0) NOT NULL,
    completed_at timestamptz(0)
);
CREATE INDEX files_by_user ON files (user_id, serial);
CREATE INDEX files_unfinished ON files (expires_at) WHERE completed_at IS NULL;
CREATE INDEX files_removed ON files (serial) WHERE user_id IS NULL;
CREATE TABLE file_parts (
    file_serial bigint NOT NULL REFERENCES files (serial) ON DELETE CASCADE,
    number bigint NOT NULL,
    part text NOT NULL,
    PRIMARY KEY (file_serial, number)
);
";

const SQLITE: &str = "
CREATE TABLE files (
    serial integer PRIMARY KEY AUTOINCREMENT,
    id text NOT NULL UNIQUE,
    user_id integer REFERENCES users (id) ON DELETE SET NULL,
    name text NOT NULL,
    declared_type text,
    sniffed_type text,
    size integer NOT NULL,
    received integer NOT NULL DEFAULT 0,
    hash_state blob,
    sha256 blob,
    multipart_id text,
    tail integer NOT NULL DEFAULT 0,
    lease text,
    leased_until integer NOT NULL DEFAULT 0,
    created_at text NOT NULL,
    expires_at text NOT NULL,
    completed_at text
);
CREATE INDEX files_by_user ON files (user_id, serial);
CREATE INDEX files_unfinished ON files (expires_at) WHERE completed_at IS NULL;
CREATE INDEX files_removed ON files (serial) WHERE user_id IS NULL;
CREATE TABLE file_parts (
    file_serial integer NOT NULL REFERENCES files (serial) ON DELETE CASCADE,
    number integer NOT NULL,
    part text NOT NULL,
    PRIMARY KEY (file_serial, number)
);
";

const DOWN: &str = "DROP TABLE file_parts; DROP TABLE files;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, POSTGRES, SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, DOWN, DOWN).await
    }
}
