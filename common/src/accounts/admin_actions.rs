//! What the holders of admin keys do. The rows outlive keys and users.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, FromQueryResult, Statement, Value};
use time::OffsetDateTime;

use super::{Accounts, AccountsError};
use crate::domain::admin_action::{AdminActionKind, NewAdminAction};
use crate::domain::cursor::{Page, PageRequest};

#[derive(Clone, Debug, Eq, FromQueryResult, PartialEq)]
pub struct AdminAction {
    /// Grows with time.
    pub id: i64,
    pub created_at: OffsetDateTime,
    pub key_id: i64,
    /// What the key was called.
    pub key_name: String,
    /// A word of [`AdminActionKind`].
    pub kind: String,
    pub user_id: Option<i64>,
    pub subject: Option<String>,
    pub reason: Option<String>,
}

/// Some of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct AdminActionFilter {
    pub kind: Option<AdminActionKind>,
    pub key_id: Option<i64>,
    pub user_id: Option<i64>,
}

pub(super) async fn insert(
    connection: &impl ConnectionTrait,
    action: &NewAdminAction<'_>,
    now: OffsetDateTime,
) -> Result<(), DbErr> {
    const SQL: &str = "INSERT INTO admin_actions
        (created_at, key_id, key_name, kind, user_id, subject, reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    let values: [Value; 7] = [
        now.into(),
        action.actor.key_id.into(),
        action.actor.key_name.as_str().into(),
        action.kind.into_str().into(),
        action.user_id.into(),
        action.subject.clone().into(),
        action.reason.clone().into(),
    ];
    let backend = connection.get_database_backend();
    connection.execute_raw(Statement::from_sql_and_values(backend, SQL, values)).await?;
    Ok(())
}

impl Accounts {
    /// Writes an action that changes nothing in the database, before it is done.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be written all the same.
    pub async fn note_admin_action(
        &self,
        action: &NewAdminAction<'_>,
        now: OffsetDateTime,
    ) -> Result<(), AccountsError> {
        self.within_deadline(insert(&self.database, action, now)).await
    }

    /// Writes an action of a kind of which a key may do `most` within `window`, all processes
    /// together. Where it is one too many, writes nothing, and says after which time it may do
    /// another one.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be written all the same.
    pub async fn note_bounded_admin_action(
        &self,
        action: &NewAdminAction<'_>,
        most: u32,
        window: Duration,
        now: OffsetDateTime,
    ) -> Result<Option<Duration>, AccountsError> {
        // Whoever counts a key's actions waits for whoever adds to them. On SQLite they wait already.
        const LOCK: &str = "SELECT id FROM admin_keys WHERE id = $1 FOR NO KEY UPDATE";
        // However many there are, no more than these are read.
        const LAST_OF_THEM: &str = "SELECT created_at FROM admin_actions
            WHERE key_id = $1 AND kind = $2 ORDER BY id DESC LIMIT 1 OFFSET $3";
        let key_id = action.actor.key_id;
        let values = [
            key_id.into(),
            action.kind.into_str().into(),
            i64::from(most.saturating_sub(1)).into(),
        ];
        let last_of_them = self.statement(LAST_OF_THEM, values);
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            if self.database.get_database_backend() == DbBackend::Postgres {
                transaction.query_one_raw(self.statement(LOCK, [key_id.into()])).await?;
            }
            let row = transaction.query_one_raw(last_of_them).await?;
            let at = row.map(|row| row.try_get::<OffsetDateTime>("", "created_at")).transpose()?;
            let ends_at = at.map(|at| at + window);
            if let Some(ends_at) = ends_at.filter(|ends_at| *ends_at > now) {
                return Ok(Some((ends_at - now).unsigned_abs()));
            }
            insert(&transaction, action, now).await?;
            transaction.commit().await?;
            Ok(None)
        })
        .await
    }

    /// What the holders of keys have done, newest first.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn admin_actions(
        &self,
        filter: AdminActionFilter,
        page: PageRequest,
    ) -> Result<Page<AdminAction>, AccountsError> {
        let mut sql = "SELECT id, created_at, key_id, key_name, kind, user_id, subject, reason
            FROM admin_actions WHERE id < $1"
            .to_owned();
        let mut values: Vec<Value> = vec![page.before().into()];
        let kind = filter.kind.map(|kind| kind.into_str().into());
        let conditions = [
            ("kind", kind),
            ("key_id", filter.key_id.map(Value::from)),
            ("user_id", filter.user_id.map(Value::from)),
        ];
        for (column, value) in conditions {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND {column} = ${}", values.len()));
            }
        }
        sql.push_str(&format!(" ORDER BY id DESC LIMIT {}", page.rows_asked()));
        let backend = self.database.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let rows = self.within_deadline(async {
            let transaction = self.begin_planned_anew().await?;
            let rows = AdminAction::find_by_statement(statement).all(&transaction).await?;
            transaction.commit().await?;
            Ok(rows)
        });
        let rows = rows.await?;
        Ok(Page::new(rows, page.limit, |row| row.id))
    }
}
