//! A file of a user, from the request that announces it to its removal.

use sea_orm::entity::prelude::*;
use time::OffsetDateTime;

#[derive(Clone, DeriveEntityModel, Eq, PartialEq)]
#[sea_orm(table_name = "files")]
pub struct Model {
    /// Given by the database, growing with time.
    #[sea_orm(primary_key)]
    pub serial: i64,
    /// What clients know it by; the bytes have it as their key.
    #[sea_orm(column_type = "Text", unique)]
    pub id: String,
    /// Whose it is; none where it is to be removed.
    pub user_id: Option<i64>,
    /// A [`crate::domain::file_name::FileName`].
    #[sea_orm(column_type = "Text")]
    pub name: String,
    /// The media type that the client told. Never trusted.
    #[sea_orm(column_type = "Text", nullable)]
    pub declared_type: Option<String>,
    /// The media type that its first bytes tell; none until they are there.
    #[sea_orm(column_type = "Text", nullable)]
    pub sniffed_type: Option<String>,
    /// In bytes, as it was announced.
    pub size: i64,
    /// How many bytes are kept.
    pub received: i64,
    /// The state of SHA-256 after the bytes that are kept, while there are more to come.
    #[sea_orm(column_type = "VarBinary(StringLen::None)", nullable)]
    pub hash_state: Option<Vec<u8>>,
    /// SHA-256 of all bytes, once they are kept.
    #[sea_orm(column_type = "VarBinary(StringLen::None)", nullable)]
    pub sha256: Option<Vec<u8>>,
    /// The multipart upload of an object store, with its parts in the table `file_parts`.
    #[sea_orm(column_type = "Text", nullable)]
    pub multipart_id: Option<String>,
    /// The bytes at the end of those that are kept that are not in a part, but in an object of their
    /// own.
    pub tail: i64,
    /// The request that writes to it.
    #[sea_orm(column_type = "Text", nullable)]
    pub lease: Option<String>,
    /// Until when no other request may (Unix ms).
    pub leased_until: i64,
    /// When it was announced, in whole seconds.
    #[sea_orm(column_type = "custom(\"timestamptz(0)\")")]
    pub created_at: OffsetDateTime,
    /// When it is given up, unless it is complete by then.
    #[sea_orm(column_type = "custom(\"timestamptz(0)\")")]
    pub expires_at: OffsetDateTime,
    /// When all of it was kept. Only then can it be downloaded.
    #[sea_orm(column_type = "custom(\"timestamptz(0)\")", nullable)]
    pub completed_at: Option<OffsetDateTime>,
}

#[derive(Copy, Clone, Debug, DeriveRelation, EnumIter)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File")
            .field("id", &self.id)
            .field("user_id", &self.user_id)
            .field("size", &self.size)
            .field("received", &self.received)
            .finish_non_exhaustive()
    }
}
