//! A session, with the bearer token that it has now.

use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

#[derive(Clone, DeriveEntityModel, Eq, PartialEq)]
#[sea_orm(table_name = "tokens")]
pub struct Model {
    /// SHA-256 of the token. A renewal changes it.
    #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::None)")]
    pub hash: Vec<u8>,
    pub user_id: i64,
    /// When it ends, in whole seconds.
    #[sea_orm(column_type = "custom(\"timestamptz(0)\")")]
    pub expiry: OffsetDateTime,
    /// What it gives a right to.
    #[sea_orm(column_type = "Text")]
    pub scope: String,
    /// Given by the database, growing from one sign-in to the next.
    pub serial: i64,
    /// The session's id, which stays.
    #[sea_orm(column_type = "Text", unique)]
    pub id: String,
    /// When its OTP was given, in whole seconds.
    #[sea_orm(column_type = "custom(\"timestamptz(0)\")")]
    pub created_at: OffsetDateTime,
    /// When the token was last sent, a minute late at most.
    #[sea_orm(column_type = "custom(\"timestamptz(0)\")")]
    pub last_used_at: OffsetDateTime,
    /// What signed in, as its `User-Agent` said; may be empty.
    #[sea_orm(column_type = "Text")]
    pub device: String,
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

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .field("expiry", &self.expiry)
            .finish_non_exhaustive()
    }
}
