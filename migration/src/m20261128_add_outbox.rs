use sea_orm_migration::prelude::*;

use crate::execute;

/// What a change in the database wants done elsewhere is written with it, and so is not lost.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const POSTGRES: &str = "
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    created_at timestamptz(0) NOT NULL,
    kind text NOT NULL,
    payload text NOT NULL
);
";

const SQLITE: &str = "
CREATE TABLE outbox (
    id integer PRIMARY KEY AUTOINCREMENT,
    created_at text NOT NULL,
    kind text NOT NULL,
    payload text NOT NULL
);
";

const DOWN: &str = "DROP TABLE outbox;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, POSTGRES, SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, DOWN, DOWN).await
    }
}
