//! The two tables of the floor.

pub(crate) mod user {
    use sea_orm::entity::prelude::*;

    /// A row of `users`.
    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "users")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        /// As the person gave it.
        #[sea_orm(column_type = "Text")]
        pub name: String,
        /// E.164.
        #[sea_orm(column_type = "Text", unique)]
        pub phone_number: String,
    }

    #[derive(Copy, Clone, Debug, DeriveRelation, EnumIter)]
    pub enum Relation {
        /// Tokens that this user holds.
        #[sea_orm(has_many = "super::token::Entity")]
        Token,
    }

    impl Related<super::token::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Token.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

pub(crate) mod token {
    use sea_orm::entity::prelude::*;
    use time::OffsetDateTime;

    /// A row of `tokens`.
    #[derive(Clone, Debug, DeriveEntityModel, Eq, PartialEq)]
    #[sea_orm(table_name = "tokens")]
    pub struct Model {
        /// SHA-256 of the token.
        #[sea_orm(primary_key, auto_increment = false, column_type = "VarBinary(StringLen::None)")]
        pub hash: Vec<u8>,
        pub user_id: i64,
        pub expiry: OffsetDateTime,
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
}

pub(crate) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, phone_number text NOT NULL UNIQUE
);
CREATE TABLE IF NOT EXISTS tokens (
    hash bytea PRIMARY KEY, user_id bigint NOT NULL REFERENCES users ON DELETE CASCADE, expiry timestamptz NOT NULL
);";
