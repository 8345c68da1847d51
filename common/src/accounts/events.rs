//! The audit trail. Events are written by the statement or transaction of what they tell of, and
//! only for people who have proven who they are, so that no stranger can make any.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};
use time::OffsetDateTime;

use super::{Accounts, AccountsError};
use crate::accounts::entities::event;
use crate::domain::client::ClientAddress;
use crate::domain::cursor::{Page, PageRequest};
use crate::domain::event::{EventDetails, EventKind, SessionEnd};
use crate::domain::ids::SessionId;

/// SQLite takes 32,766 values in a statement, and an event has six.
const MOST_IN_ONE_INSERT: usize = 1_000;

/// Something that happened to an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Its place among all events.
    pub id: i64,
    /// When it happened, in whole seconds.
    pub created_at: OffsetDateTime,
    pub kind: EventKind,
    /// The client's address, as the limits see it: IPv6 by its /64.
    pub address: Option<String>,
    /// The session that it concerns.
    pub session_id: Option<String>,
    /// What else there is to say.
    pub details: EventDetails,
}

impl Event {
    /// None for a kind that only a later version knows.
    fn from_row(row: event::Model) -> Option<Self> {
        Some(Self {
            id: row.id,
            created_at: row.created_at,
            kind: row.kind.parse().ok()?,
            address: row.address,
            session_id: row.session_id,
            details: EventDetails::from_json(&row.details),
        })
    }
}

/// Something that happens to an account, whichever of its sessions it concerns.
pub(super) struct NewEvent {
    pub(super) user_id: i64,
    pub(super) created_at: OffsetDateTime,
    pub(super) kind: EventKind,
    /// None where it is the operator who changes something.
    pub(super) address: Option<ClientAddress>,
    pub(super) details: EventDetails,
}

impl NewEvent {
    /// Sessions of a user end.
    pub(super) fn end(
        user_id: i64,
        reason: SessionEnd,
        address: Option<ClientAddress>,
        now: OffsetDateTime,
    ) -> Self {
        let details = EventDetails { reason: Some(reason), ..EventDetails::default() };
        Self { user_id, created_at: now, kind: EventKind::SignedOut, address, details }
    }

    /// Writes it once for each of these sessions.
    pub(super) async fn insert(
        &self,
        transaction: &DatabaseTransaction,
        sessions: &[SessionId],
    ) -> Result<(), DbErr> {
        for some in sessions.chunks(MOST_IN_ONE_INSERT) {
            let rows = some.iter().map(|session| self.row(Some(session)));
            event::Entity::insert_many(rows).exec_without_returning(transaction).await?;
        }
        Ok(())
    }

    /// Writes it once, of no session.
    pub(super) async fn insert_without_session(
        &self,
        transaction: &DatabaseTransaction,
    ) -> Result<(), DbErr> {
        event::Entity::insert(self.row(None)).exec_without_returning(transaction).await?;
        Ok(())
    }

    /// Whether there is one of this kind for the session, later than `time`. In a transaction that
    /// has locked the user's row.
    pub(super) async fn was_told_since(
        &self,
        transaction: &DatabaseTransaction,
        session: &SessionId,
        time: OffsetDateTime,
    ) -> Result<bool, DbErr> {
        let told = event::Entity::find()
            .filter(event::Column::UserId.eq(self.user_id))
            .filter(event::Column::CreatedAt.gt(time))
            .filter(event::Column::Kind.eq(self.kind.into_str()))
            .filter(event::Column::SessionId.eq(session.as_str()));
        Ok(told.one(transaction).await?.is_some())
    }

    /// When the `nth` newest one of this kind was told, later than `time`; none where there are
    /// fewer. In a transaction that has locked the user's row.
    pub(super) async fn nth_newest_since(
        &self,
        transaction: &DatabaseTransaction,
        nth: u64,
        time: OffsetDateTime,
    ) -> Result<Option<OffsetDateTime>, DbErr> {
        let told = event::Entity::find()
            .filter(event::Column::UserId.eq(self.user_id))
            .filter(event::Column::CreatedAt.gt(time))
            .filter(event::Column::Kind.eq(self.kind.into_str()))
            .order_by_desc(event::Column::Id)
            .offset(nth.saturating_sub(1));
        Ok(told.one(transaction).await?.map(|event| event.created_at))
    }

    fn row(&self, session: Option<&SessionId>) -> event::ActiveModel {
        event::ActiveModel {
            id: NotSet,
            created_at: Set(self.created_at),
            user_id: Set(self.user_id),
            kind: Set(self.kind.into_str().to_owned()),
            address: Set(self.address.map(|address| address.to_string())),
            session_id: Set(session.map(ToString::to_string)),
            details: Set(self.details.to_json()),
        }
    }
}

impl Accounts {
    /// What happened to a user's account.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn events(
        &self,
        user_id: i64,
        page: PageRequest,
    ) -> Result<Page<Event>, AccountsError> {
        let mut query = event::Entity::find().filter(event::Column::UserId.eq(user_id));
        if let Some(cursor) = page.cursor {
            query = query.filter(event::Column::Id.lt(cursor.row()));
        }
        let query = query.order_by_desc(event::Column::Id).limit(page.limit.saturating_add(1));
        let rows = self.within_deadline(query.all(&self.database)).await?;
        Ok(Page::new(rows, page.limit, |row| row.id).filter_map(Event::from_row))
    }

    /// Removes at most `limit` events from before a time; says how many.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn prune_events(
        &self,
        before: OffsetDateTime,
        limit: u64,
    ) -> Result<u64, AccountsError> {
        self.within_deadline(async {
            let old = event::Entity::find()
                .select_only()
                .column(event::Column::Id)
                .filter(event::Column::CreatedAt.lt(before))
                .limit(limit)
                .into_tuple::<i64>()
                .all(&self.database)
                .await?;
            if old.is_empty() {
                return Ok(0);
            }
            let removed = event::Entity::delete_many()
                .filter(event::Column::Id.is_in(old))
                .exec(&self.database)
                .await?;
            Ok(removed.rows_affected)
        })
        .await
    }
}
