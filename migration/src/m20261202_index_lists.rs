use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// Indexes for what operators list: by last sign-in, by who did it and what, what was given up; and
/// for what is told of a user in their export.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// Each by its name, and by what follows `ON`.
const INDEXES: [(&str, &str); 6] = [
    ("events_of_sign_ins", "events (user_id, id) WHERE kind IN ('signed_up', 'signed_in')"),
    ("admin_actions_by_key", "admin_actions (key_id, id)"),
    ("admin_actions_by_kind", "admin_actions (kind, id)"),
    ("admin_sessions_by_key", "admin_sessions (key_id)"),
    ("outbox_events_given_up", "outbox (id) WHERE kind = 'dead_event'"),
    ("logouts_by_user", "logouts (user_id)"),
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let database = manager.get_connection();
        for (name, on) in INDEXES {
            if manager.get_database_backend() == DbBackend::Postgres {
                // One that could not be finished is not used, and is in the way.
                let remove = format!("DROP INDEX CONCURRENTLY IF EXISTS {name}");
                database.execute_unprepared(&remove).await?;
                // Users sign in meanwhile, so nothing of it locks their tables.
                let make = format!("CREATE INDEX CONCURRENTLY {name} ON {on}");
                database.execute_unprepared(&make).await?;
            } else {
                database.execute_unprepared(&format!("CREATE INDEX {name} ON {on}")).await?;
            }
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (name, _) in INDEXES {
            let remove = format!("DROP INDEX IF EXISTS {name}");
            manager.get_connection().execute_unprepared(&remove).await?;
        }
        Ok(())
    }

    /// An index that is made while the table is in use cannot be made in a transaction.
    fn use_transaction(&self) -> Option<bool> {
        Some(false)
    }
}
