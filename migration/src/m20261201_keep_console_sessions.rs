use sea_orm_migration::prelude::*;

use crate::execute;

/// Browsers in which an operator has signed in to the console. They go with their key.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const POSTGRES: &str = "
CREATE TABLE admin_sessions (
    hash bytea PRIMARY KEY,
    key_id bigint NOT NULL REFERENCES admin_keys (id) ON DELETE CASCADE,
    expires_at timestamptz(0) NOT NULL
);
";

const SQLITE: &str = "
CREATE TABLE admin_sessions (
    hash blob NOT NULL PRIMARY KEY,
    key_id integer NOT NULL REFERENCES admin_keys (id) ON DELETE CASCADE,
    expires_at text NOT NULL
);
";

const DOWN: &str = "DROP TABLE admin_sessions;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, POSTGRES, SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, DOWN, DOWN).await
    }
}
