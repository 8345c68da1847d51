//! The audit trail. Events are written by the statement or transaction of what they tell of, and only for people who have proven
//! who they are, so that no stranger can make any.

use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, QueryFilter, QueryOrder,
    QuerySelect, Statement, TryGetable, Value,
};
use time::OffsetDateTime;

use super::{Accounts, AccountsError, within_deadline};
use crate::accounts::entities::event;
use crate::domain::client::ClientAddress;
use crate::domain::cursor::{Page, PageRequest};
use crate::domain::event::{EventDetails, EventKind, SessionEnd};
use crate::domain::ids::SessionId;

/// Something that happened to an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Event {
    /// Its place among all events.
    pub id: i64,
    /// When it happened, in whole seconds.
    pub created_at: OffsetDateTime,
    /// What happened.
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
    fn of(row: event::Model) -> Option<Self> {
        let event::Model { id, created_at, kind, address, session_id, details, .. } = row;
        let (kind, details) = (kind.parse().ok()?, EventDetails::from_json(&details));
        Some(Self { id, created_at, kind, address, session_id, details })
    }
}

/// What is told of a change of sessions, whichever they are.
pub(super) struct Change {
    pub(super) user_id: i64,
    pub(super) now: OffsetDateTime,
    pub(super) kind: EventKind,
    /// The client's address; none where it is the operator who changes something.
    pub(super) address: Option<ClientAddress>,
    /// [`EventDetails`] in JSON.
    pub(super) details: String,
}

impl Change {
    /// Sessions of a user end for a reason.
    pub(super) fn end(user_id: i64, reason: SessionEnd, address: Option<ClientAddress>, now: OffsetDateTime) -> Self {
        let details = EventDetails { reason: Some(reason), ..EventDetails::default() }.to_json();
        Self { user_id, now, kind: EventKind::SignedOut, address, details }
    }

    /// `$1` to `$5` of a statement: user, now, and the event's kind, address and details.
    fn values(&self) -> Vec<Value> {
        let Self { user_id, now, kind, address, details } = self;
        let (kind, address) = (kind.into_str(), address.map(|address| address.to_string()));
        vec![(*user_id).into(), (*now).into(), kind.into(), address.into(), details.as_str().into()]
    }
}

/// A change of rows of `tokens`. In its SQL `$1` is the user, `$2` the time, and `$6` and up are `values`.
pub(super) struct SessionsChange {
    /// Selects the `serial` of those that are to change.
    pub(super) chosen: String,
    /// Changes them, if their `user_id` is `(SELECT id FROM owner)`, and returns the `id` of each that it changed.
    pub(super) change: &'static str,
    /// What else the two ask for.
    pub(super) values: Vec<Value>,
}

/// An event about one session.
pub(super) async fn insert_event(
    transaction: &DatabaseTransaction,
    change: &Change,
    session: &SessionId,
) -> Result<(), DbErr> {
    let event = event::ActiveModel {
        id: NotSet,
        created_at: Set(change.now),
        user_id: Set(change.user_id),
        kind: Set(change.kind.into_str().to_owned()),
        address: Set(change.address.map(|address| address.to_string())),
        session_id: Set(Some(session.to_string())),
        details: Set(change.details.clone()),
    };
    event::Entity::insert(event).exec_without_returning(transaction).await?;
    Ok(())
}

impl Accounts {
    /// Changes sessions of one user and writes an event for each that it changed. Where there is nothing to change, nothing is
    /// locked or written.
    pub(super) async fn change_sessions(
        &self,
        change: &Change,
        sessions: SessionsChange,
    ) -> Result<Vec<SessionId>, AccountsError> {
        within_deadline(async {
            match self.database.get_database_backend() {
                DbBackend::Postgres => {
                    let sql = format!(
                        "WITH chosen AS ({}),
                        owner AS (
                            SELECT id FROM users WHERE id = $1 AND EXISTS (SELECT 1 FROM chosen) FOR NO KEY UPDATE
                        ),
                        changed AS ({}),
                        noted AS (
                            INSERT INTO events (user_id, created_at, kind, address, session_id, details)
                            SELECT $1, $2, $3, $4, id, $5 FROM changed
                        )
                        SELECT id FROM changed",
                        sessions.chosen, sessions.change
                    );
                    ids_from(&self.database, &sql, change, sessions.values).await
                }
                _ => {
                    let transaction = self.begin_write().await?;
                    let changed = change_in(&transaction, change, sessions).await?;
                    transaction.commit().await?;
                    Ok(changed)
                }
            }
        })
        .await
    }

    /// What happened to a user's account.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn events(&self, user_id: i64, page: PageRequest) -> Result<Page<Event>, AccountsError> {
        let mut query = event::Entity::find().filter(event::Column::UserId.eq(user_id));
        if let Some(cursor) = page.cursor {
            query = query.filter(event::Column::Id.lt(cursor.row()));
        }
        let query = query.order_by_desc(event::Column::Id).limit(page.limit.saturating_add(1));
        let rows = within_deadline(query.all(&self.database)).await?;
        Ok(Page::of(rows, page.limit, |row| row.id).filter_map(Event::of))
    }

    /// Removes at most `limit` events from before a time; says how many.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn prune_events(&self, before: OffsetDateTime, limit: u64) -> Result<u64, AccountsError> {
        within_deadline(async {
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
            let removed =
                event::Entity::delete_many().filter(event::Column::Id.is_in(old)).exec(&self.database).await?;
            Ok(removed.rows_affected)
        })
        .await
    }
}

/// As [`Accounts::change_sessions`], in a transaction that is the only one to change the user now.
pub(super) async fn change_in(
    transaction: &DatabaseTransaction,
    change: &Change,
    sessions: SessionsChange,
) -> Result<Vec<SessionId>, DbErr> {
    let SessionsChange { chosen, change: sql, values } = sessions;
    let sql = format!("WITH chosen AS ({chosen}), owner AS (SELECT id FROM users WHERE id = $1) {sql}");
    let changed = ids_from(transaction, &sql, change, values).await?;
    for session in &changed {
        insert_event(transaction, change, session).await?;
    }
    Ok(changed)
}

async fn ids_from(
    connection: &impl ConnectionTrait,
    sql: &str,
    change: &Change,
    more: Vec<Value>,
) -> Result<Vec<SessionId>, DbErr> {
    let values = change.values().into_iter().chain(more);
    let statement = Statement::from_sql_and_values(connection.get_database_backend(), sql, values);
    let rows = connection.query_all_raw(statement).await?;
    rows.iter().map(|row| Ok(SessionId::from_store(String::try_get_by(row, "id")?))).collect()
}
