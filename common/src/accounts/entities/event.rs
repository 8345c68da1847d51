//! Something that happened to an account.

use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

#[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
#[sea_orm(table_name = "events")]
pub struct Model {
    /// Given by the database, growing with time.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// When it happened, in whole seconds.
    #[sea_orm(column_type = "custom(\"timestamptz(0)\")")]
    pub created_at: OffsetDateTime,
    pub user_id: i64,
    /// A word of [`crate::domain::event::EventKind`].
    #[sea_orm(column_type = "Text")]
    pub kind: String,
    /// The client's address, as the limits see it.
    #[sea_orm(column_type = "Text", nullable)]
    pub address: Option<String>,
    /// The session that it concerns.
    #[sea_orm(column_type = "Text", nullable)]
    pub session_id: Option<String>,
    /// [`crate::domain::event::EventDetails`] in JSON.
    #[sea_orm(column_type = "Text")]
    pub details: String,
}

#[derive(Copy, Clone, Debug, DeriveRelation, EnumIter)]
pub enum Relation {
    #[sea_orm(
        belongs_to = "super::user::Entity",
        from = "Column::UserId",
        to = "super::user::Column::Id"
    )]
    User,
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}
