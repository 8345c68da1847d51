//! What a change in the database wants done elsewhere. It is written in the transaction of the
//! change, so that no crash loses it.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect,
};
use serde::Serialize;
use time::OffsetDateTime;

use super::{Accounts, AccountsError};
use crate::accounts::entities::outbox;

/// The kind of entries that are SMS without a code.
const NOTICE: &str = "notice";

/// One thing to do.
#[derive(Clone, Debug, FromQueryResult)]
pub struct OutboxEntry {
    pub id: i64,
    /// With what, in JSON.
    pub payload: String,
}

/// Writes that an SMS without a code is to be sent.
pub(super) async fn add_notice(
    transaction: &DatabaseTransaction,
    notice: &impl Serialize,
    now: OffsetDateTime,
) -> Result<(), DbErr> {
    let payload = serde_json::to_string(notice).map_err(|error| DbErr::Json(error.to_string()))?;
    let entry = outbox::ActiveModel {
        id: NotSet,
        created_at: Set(now),
        kind: Set(NOTICE.to_owned()),
        payload: Set(payload),
        due_at: NotSet,
    };
    outbox::Entity::insert(entry).exec_without_returning(transaction).await?;
    Ok(())
}

impl Accounts {
    /// The oldest SMS without a code that have not been queued yet, at most `limit`.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn notices_to_queue(&self, limit: u64) -> Result<Vec<OutboxEntry>, AccountsError> {
        let query = outbox::Entity::find()
            .select_only()
            .columns([outbox::Column::Id, outbox::Column::Payload])
            .filter(outbox::Column::Kind.eq(NOTICE))
            .order_by_asc(outbox::Column::Id)
            .limit(limit)
            .into_model();
        self.within_deadline(query.all(&self.database)).await
    }

    /// Removes what has been done.
    ///
    /// # Errors
    /// [`AccountsError`]; it may be removed all the same.
    pub async fn remove_from_outbox(&self, id: i64) -> Result<(), AccountsError> {
        let statement = outbox::Entity::delete_by_id(id);
        self.within_deadline(statement.exec(&self.database)).await?;
        Ok(())
    }
}
