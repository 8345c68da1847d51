//! The keys of the admin API. What their holders do is in `admin_actions`.

use std::time::Duration;

use sea_orm::{ConnectionTrait, FromQueryResult, SelectModel, SelectorRaw, SqlErr};
use time::OffsetDateTime;

use super::{Accounts, AccountsError, admin_actions};
use crate::domain::admin_action::{Actor, AdminActionKind, NewAdminAction};
use crate::domain::admin_key::{AdminKey, AdminRole};
use crate::domain::cursor::{Page, PageRequest};
use crate::domain::person_name::PersonName;
use crate::domain::token::TokenHash;

/// How far behind `last_used_at` may be.
const USE_NOTED_EVERY: Duration = Duration::from_secs(60);

const COLUMNS: &str = "id, name, role, created_at, expires_at, last_used_at";

/// What is known of a key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KeptAdminKey {
    /// No other key ever has it.
    pub id: i64,
    /// Of all keys that there are, no other has it; one that is removed may have had it.
    pub name: String,
    pub role: AdminRole,
    pub created_at: OffsetDateTime,
    /// None where it works until it is removed.
    pub expires_at: Option<OffsetDateTime>,
    /// A minute late at most.
    pub last_used_at: Option<OffsetDateTime>,
}

impl KeptAdminKey {
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor { key_id: self.id, key_name: self.name.clone() }
    }

    /// None for a role that only a later version knows.
    fn from_row(row: Row) -> Option<Self> {
        let Row { id, name, role, created_at, expires_at, last_used_at } = row;
        Some(Self { id, name, role: role.parse().ok()?, created_at, expires_at, last_used_at })
    }
}

#[derive(FromQueryResult)]
pub(super) struct Row {
    id: i64,
    name: String,
    role: String,
    created_at: OffsetDateTime,
    expires_at: Option<OffsetDateTime>,
    last_used_at: Option<OffsetDateTime>,
}

/// A key to be kept.
#[derive(Clone, Debug)]
pub struct NewAdminKey<'a> {
    pub key: &'a AdminKey,
    pub name: &'a PersonName,
    pub role: AdminRole,
    pub expires_at: Option<OffsetDateTime>,
}

impl Accounts {
    /// Keeps a key, and writes who added it, unless that is a command. None where another one has
    /// the name.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be kept all the same.
    pub async fn add_admin_key(
        &self,
        new: NewAdminKey<'_>,
        by: Option<&Actor>,
        now: OffsetDateTime,
    ) -> Result<Option<KeptAdminKey>, AccountsError> {
        const SQL: &str = "INSERT INTO admin_keys (hash, name, role, created_at, expires_at)
            VALUES ($1, $2, $3, $4, $5) RETURNING id, name, role, created_at, expires_at, last_used_at";
        let values = [
            new.key.hash().into_bytes().into(),
            new.name.as_str().into(),
            new.role.into_str().into(),
            now.into(),
            new.expires_at.into(),
        ];
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            let insert = Row::find_by_statement(self.statement(SQL, values));
            let row = match insert.one(&transaction).await {
                Err(error)
                    if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) =>
                {
                    return Ok(None);
                }
                row => row?,
            };
            if let Some((actor, row)) = by.zip(row.as_ref()) {
                let action = NewAdminAction::new(actor, AdminActionKind::KeyAdded)
                    .about(format!("{}, {}, key {}", row.name, row.role, row.id));
                admin_actions::insert(&transaction, &action, now).await?;
            }
            transaction.commit().await?;
            Ok(row.and_then(KeptAdminKey::from_row))
        })
        .await
    }

    /// The key with this hash, where it is there and has not expired. Once a minute its use is
    /// noted.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn use_admin_key(
        &self,
        hash: TokenHash,
        now: OffsetDateTime,
    ) -> Result<Option<KeptAdminKey>, AccountsError> {
        let sql = format!("SELECT {COLUMNS} FROM admin_keys WHERE hash = $1");
        let statement = self.statement(&sql, [hash.into_bytes().into()]);
        self.use_key(Row::find_by_statement(statement), now).await
    }

    /// The key that the query finds, where it has not expired. Its use is noted.
    pub(super) async fn use_key(
        &self,
        query: SelectorRaw<SelectModel<Row>>,
        now: OffsetDateTime,
    ) -> Result<Option<KeptAdminKey>, AccountsError> {
        const NOTE: &str = "UPDATE admin_keys SET last_used_at = $1
            WHERE id = $2 AND (last_used_at IS NULL OR last_used_at <= $3)";
        let row = self.within_deadline(query.one(&self.database)).await?;
        let is_live = |key: &KeptAdminKey| key.expires_at.is_none_or(|end| end > now);
        let Some(key) = row.and_then(KeptAdminKey::from_row).filter(is_live) else {
            return Ok(None);
        };
        let noted_until = now - USE_NOTED_EVERY;
        if key.last_used_at.is_none_or(|last| last <= noted_until) {
            let noted = self.run(NOTE, [now.into(), key.id.into(), noted_until.into()]).await;
            if let Err(error) = noted {
                tracing::warn!(event = "admin_key_use_not_noted", key = key.name, %error);
            }
        }
        Ok(Some(key))
    }

    /// The keys, newest first.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn admin_keys(&self, page: PageRequest) -> Result<Page<KeptAdminKey>, AccountsError> {
        let sql =
            format!("SELECT {COLUMNS} FROM admin_keys WHERE id < $1 ORDER BY id DESC LIMIT $2");
        let statement = self.statement(&sql, [page.before().into(), page.rows_asked().into()]);
        let rows = self.within_deadline(Row::find_by_statement(statement).all(&self.database));
        Ok(Page::new(rows.await?, page.limit, |row| row.id).filter_map(KeptAdminKey::from_row))
    }

    /// The id of the key of that name.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn admin_key_named(&self, name: &str) -> Result<Option<i64>, AccountsError> {
        let statement = self.statement("SELECT id FROM admin_keys WHERE name = $1", [name.into()]);
        let row = self.within_deadline(self.database.query_one_raw(statement)).await?;
        Ok(row.map(|row| row.try_get("", "id")).transpose()?)
    }

    /// Removes a key: it stops working with the next request. Says what it was called; none where
    /// there is no such key.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be removed all the same.
    pub async fn remove_admin_key(
        &self,
        id: i64,
        by: Option<&Actor>,
        now: OffsetDateTime,
    ) -> Result<Option<String>, AccountsError> {
        const SQL: &str = "DELETE FROM admin_keys WHERE id = $1 RETURNING name";
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            let row = transaction.query_one_raw(self.statement(SQL, [id.into()])).await?;
            let Some(name) = row.map(|row| row.try_get::<String>("", "name")).transpose()? else {
                return Ok(None);
            };
            if let Some(actor) = by {
                let action = NewAdminAction::new(actor, AdminActionKind::KeyRemoved)
                    .about(format!("{name}, key {id}"));
                admin_actions::insert(&transaction, &action, now).await?;
            }
            transaction.commit().await?;
            Ok(Some(name))
        })
        .await
    }
}
