//! A live bearer token.

use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

/// A row of `tokens`.
#[derive(Clone, DeriveEntityModel, Eq, PartialEq)]
#[sea_orm(table_name = "tokens")]
pub struct Model {
    /// SHA-256 of the token.
    #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::None)")]
    pub hash: Vec<u8>,
    /// Whose it is.
    pub user_id: i64,
    /// When it ends, in whole seconds.
    #[sea_orm(column_type = "custom(\"timestamptz(0)\")")]
    pub expiry: OffsetDateTime,
    /// What it gives a right to.
    #[sea_orm(column_type = "Text")]
    pub scope: String,
}

/// The token's user.
#[derive(Copy, Clone, Debug, DeriveRelation, EnumIter)]
pub enum Relation {
    /// Whose it is.
    #[sea_orm(belongs_to = "super::user::Entity", from = "Column::UserId", to = "super::user::Column::Id")]
    User,
}

impl Related<super::user::Entity> for Entity {
    fn to() -> RelationDef {
        Relation::User.def()
    }
}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("user_id", &self.user_id).field("expiry", &self.expiry).finish_non_exhaustive()
    }
}
