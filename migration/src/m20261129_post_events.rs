use sea_orm_migration::prelude::*;

use crate::execute;

/// Entries of the outbox that may have to be tried for days.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const POSTGRES: &str = "
ALTER TABLE outbox
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN due_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN failure text;
CREATE INDEX outbox_events_due ON outbox (due_at, id) WHERE kind = 'event';
CREATE INDEX outbox_events_dead ON outbox (created_at) WHERE kind = 'dead_event';
CREATE INDEX outbox_notices ON outbox (id) WHERE kind = 'notice';
";

const SQLITE: &str = "
ALTER TABLE outbox ADD COLUMN attempts integer NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN due_at integer NOT NULL DEFAULT 0;
ALTER TABLE outbox ADD COLUMN failure text;
CREATE INDEX outbox_events_due ON outbox (due_at, id) WHERE kind = 'event';
CREATE INDEX outbox_events_dead ON outbox (created_at) WHERE kind = 'dead_event';
CREATE INDEX outbox_notices ON outbox (id) WHERE kind = 'notice';
";

const DOWN: &str = "
DROP INDEX outbox_notices;
DROP INDEX outbox_events_dead;
DROP INDEX outbox_events_due;
ALTER TABLE outbox DROP COLUMN failure;
ALTER TABLE outbox DROP COLUMN due_at;
ALTER TABLE outbox DROP COLUMN attempts;
";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, POSTGRES, SQLITE).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute(manager, DOWN, DOWN).await
    }
}
