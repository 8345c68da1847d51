//! Somebody who has signed in with a phone number.

use std::sync::LazyLock;

use sea_orm::Iterable;
use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

use crate::domain::phone::E164;

#[derive(Clone, DeriveEntityModel, Eq, PartialEq)]
#[sea_orm(table_name = "users")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub id: i64,
    /// When the number first signed in, in whole seconds.
    #[sea_orm(column_type = "custom(\"timestamptz(0)\")")]
    pub created_at: OffsetDateTime,
    /// As the person gave it.
    #[sea_orm(column_type = "Text")]
    pub name: String,
    #[sea_orm(column_type = "Text", unique)]
    pub phone_number: E164,
    /// Grows with each change.
    pub version: i32,
}

/// `users.id AS user_id` and so on, for SQL that is written by hand.
pub(crate) static COLUMNS: LazyLock<String> = LazyLock::new(|| {
    let columns = Column::iter().map(|column| {
        let name = column.as_str();
        format!("users.{name} AS user_{name}")
    });
    columns.collect::<Vec<_>>().join(", ")
});

#[derive(Copy, Clone, Debug, DeriveRelation, EnumIter)]
pub enum Relation {
    /// Tokens that this user holds.
    #[sea_orm(has_many = "super::token::Entity")]
    Token,
    /// What happened to the account.
    #[sea_orm(has_many = "super::event::Entity")]
    Event,
}

impl Related<super::token::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Token.def()
    }
}

impl Related<super::event::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::Event.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
