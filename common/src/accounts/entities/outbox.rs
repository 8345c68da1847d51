//! Something that a change in the database wants done elsewhere.

use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

#[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// Given by the database, growing with time.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// When it happened, in whole seconds.
    #[sea_orm(column_type = "custom(\"timestamptz(0)\")")]
    pub created_at: OffsetDateTime,
    /// What is to be done.
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// With what, in JSON.
    #[sea_orm(column_type = "Text")]
    pub payload: String,
    /// When an event is to be posted (Unix ms).
    pub due_at: i64,
}

#[derive(Copy, Clone, Debug, DeriveRelation, EnumIter)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
