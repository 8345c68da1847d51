//! Events for the operator's webhook: rows of the outbox, written by the transaction of what they
//! tell of, and taken from there by workers.
//!
//! A row's id is the event's sequence. The database gives it after the row of what changes is
//! locked, and whoever changes that next has waited for the lock. So it grows from each event of a
//! thing to the next: a user's name, their number, one session. The row is the user's, but where a
//! worker removes expired sessions it is the session's alone: that event may have a smaller sequence
//! than another of its user that was committed before.

use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, EntityTrait, FromQueryResult,
};
use time::OffsetDateTime;

use super::{Accounts, AccountsError, admin_actions};
use crate::accounts::entities::outbox;
use crate::domain::admin_action::NewAdminAction;
use crate::domain::cursor::{Page, PageRequest};
use crate::domain::ids::SessionId;
use crate::domain::outgoing_event::OutgoingEvent;

/// The kind of entries that are to be posted.
pub(super) const EVENT: &str = "event";
/// The kind of those that were given up.
const DEAD: &str = "dead_event";
/// Why a session ended whose token lived out its time.
pub(super) const EXPIRED: &str = "expired";
/// SQLite takes 32,766 values in a statement, and an entry has five.
const MOST_IN_ONE_INSERT: usize = 1_000;

/// Whether anybody is to be told.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outgoing(pub(super) bool);

impl Outgoing {
    /// Writes what `events` makes, where somebody is to be told.
    pub(super) async fn add(
        self,
        connection: &impl ConnectionTrait,
        now: OffsetDateTime,
        events: impl FnOnce() -> Vec<OutgoingEvent>,
    ) -> Result<(), DbErr> {
        if !self.0 {
            return Ok(());
        }
        for some in events().chunks(MOST_IN_ONE_INSERT) {
            let rows = some.iter().map(|event| outbox::ActiveModel {
                id: NotSet,
                created_at: Set(now),
                kind: Set(EVENT.to_owned()),
                payload: Set(event.to_json()),
                due_at: Set(due_at(now)),
            });
            outbox::Entity::insert_many(rows).exec_without_returning(connection).await?;
        }
        Ok(())
    }

    /// Writes that sessions of a user have ended.
    pub(super) async fn sessions_ended(
        self,
        transaction: &DatabaseTransaction,
        user_id: i64,
        sessions: &[SessionId],
        reason: &str,
        now: OffsetDateTime,
    ) -> Result<(), DbErr> {
        let event = |session| OutgoingEvent::session_ended(user_id, session, reason);
        self.add(transaction, now, || sessions.iter().map(event).collect()).await
    }
}

fn hasten() -> String {
    format!("UPDATE outbox SET due_at = 0 WHERE kind = '{EVENT}' AND due_at > 0")
}

/// The one of a sequence, or all for 0, which no event has.
fn replay() -> String {
    format!(
        "UPDATE outbox SET kind = '{EVENT}', attempts = 0, due_at = 0
        WHERE kind = '{DEAD}' AND ($1 = 0 OR id = $1)"
    )
}

/// When a new event is due (Unix ms): at once, but after those that have been due for longer.
pub(super) fn due_at(now: OffsetDateTime) -> i64 {
    now.unix_timestamp() * 1_000
}

/// An event that is to be posted.
#[derive(Clone, Debug, FromQueryResult)]
pub struct EventToPost {
    pub created_at: OffsetDateTime,
    /// [`OutgoingEvent`] in JSON.
    pub payload: String,
    /// Attempts until now.
    pub attempts: i32,
}

/// An event that was given up.
#[derive(Clone, Debug, FromQueryResult)]
pub struct DeadEvent {
    pub id: i64,
    pub created_at: OffsetDateTime,
    /// [`OutgoingEvent`] in JSON.
    pub payload: String,
    pub attempts: i32,
    /// What went wrong last.
    pub failure: Option<String>,
}

/// How many events are in the outbox.
#[derive(Clone, Copy, Debug, Default, FromQueryResult)]
pub struct EventCounts {
    pub waiting: i64,
    pub dead: i64,
}

impl Accounts {
    /// The same, writing events for the operator's webhook where it is set.
    #[must_use]
    pub fn telling_webhook(self, is_set: bool) -> Self {
        Self { outgoing: Outgoing(is_set), ..self }
    }

    /// Writes events that no other change in the database goes with.
    ///
    /// # Errors
    /// [`AccountsError`]; they may be written all the same.
    pub(crate) async fn add_events(
        &self,
        events: Vec<OutgoingEvent>,
        now: OffsetDateTime,
    ) -> Result<(), AccountsError> {
        self.within_deadline(Outgoing(true).add(&self.database, now, || events)).await
    }

    /// Takes at most `limit` events until `lease`, those that have been due for longest at `now`
    /// (both Unix ms); returns their ids. Of simultaneous calls each event goes to one.
    ///
    /// # Errors
    /// [`AccountsError`]; some may be taken all the same.
    pub async fn take_due_events(
        &self,
        now: i64,
        lease: i64,
        limit: i64,
    ) -> Result<Vec<i64>, AccountsError> {
        #[derive(FromQueryResult)]
        struct Row {
            id: i64,
        }
        let lock = match self.database.get_database_backend() {
            DbBackend::Postgres => "FOR UPDATE SKIP LOCKED",
            _ => "",
        };
        let sql = format!(
            "UPDATE outbox SET due_at = $1 WHERE id IN (
                SELECT id FROM outbox WHERE kind = '{EVENT}' AND due_at <= $2
                ORDER BY due_at, id LIMIT $3 {lock}
            ) RETURNING id"
        );
        let statement = self.statement(&sql, [lease.into(), now.into(), limit.into()]);
        let query = Row::find_by_statement(statement).all(&self.database);
        let mut ids: Vec<_> =
            self.within_deadline(query).await?.into_iter().map(|row| row.id).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// An event that was taken until `lease` and by nobody since; none where it is not there any
    /// more.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn event_to_post(
        &self,
        id: i64,
        lease: i64,
    ) -> Result<Option<EventToPost>, AccountsError> {
        let sql = format!(
            "SELECT created_at, payload, attempts FROM outbox
            WHERE id = $1 AND due_at = $2 AND kind = '{EVENT}'"
        );
        let statement = self.statement(&sql, [id.into(), lease.into()]);
        let query = EventToPost::find_by_statement(statement).one(&self.database);
        self.within_deadline(query).await
    }

    /// Puts off an event that was taken until `lease` (Unix ms): its next attempt is due at `at`,
    /// or there is none.
    ///
    /// # Errors
    /// [`AccountsError`]; then it is due again after its lease at the latest.
    pub async fn event_failed(
        &self,
        id: i64,
        lease: i64,
        failure: &str,
        at: Option<i64>,
    ) -> Result<(), AccountsError> {
        let kind = if at.is_some() { EVENT } else { DEAD };
        let sql = format!(
            "UPDATE outbox SET attempts = attempts + 1, due_at = $1, failure = $2, kind = '{kind}'
            WHERE id = $3 AND due_at = $4 AND kind = '{EVENT}'"
        );
        let at = at.unwrap_or_default();
        self.run(&sql, [at.into(), failure.into(), id.into(), lease.into()]).await?;
        Ok(())
    }

    /// Makes all events that wait due at once.
    ///
    /// # Errors
    /// [`AccountsError`]; they may be due all the same.
    pub async fn hasten_events(&self) -> Result<u64, AccountsError> {
        self.run(&hasten(), []).await
    }

    /// The same in the operator's name, with the action, also where no event waits: something in
    /// Redis follows.
    ///
    /// # Errors
    /// As of [`hasten_events`](Self::hasten_events).
    pub async fn hasten_events_by_operator(
        &self,
        action: &NewAdminAction<'_>,
        now: OffsetDateTime,
    ) -> Result<u64, AccountsError> {
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            let hastened = transaction.execute_raw(self.statement(&hasten(), [])).await?;
            admin_actions::insert(&transaction, action, now).await?;
            transaction.commit().await?;
            Ok(hastened.rows_affected())
        })
        .await
    }

    /// The events that were given up, the newest first.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn dead_events(&self, page: PageRequest) -> Result<Page<DeadEvent>, AccountsError> {
        let sql = format!(
            "SELECT id, created_at, payload, attempts, failure FROM outbox
            WHERE kind = '{DEAD}' AND id < $1 ORDER BY id DESC LIMIT $2"
        );
        let statement = self.statement(&sql, [page.before().into(), page.rows_asked().into()]);
        let query = DeadEvent::find_by_statement(statement).all(&self.database);
        Ok(Page::new(self.within_deadline(query).await?, page.limit, |event| event.id))
    }

    /// Makes events that were given up wait again, from the first attempt on: the one of that
    /// sequence, or all. Returns how many.
    ///
    /// # Errors
    /// [`AccountsError`]; they may wait all the same.
    pub async fn replay_events(&self, sequence: Option<i64>) -> Result<u64, AccountsError> {
        self.run(&replay(), [sequence.unwrap_or_default().into()]).await
    }

    /// The same in the operator's name, with the action where there are any.
    ///
    /// # Errors
    /// As of [`replay_events`](Self::replay_events).
    pub async fn replay_events_by_operator(
        &self,
        sequence: Option<i64>,
        action: &NewAdminAction<'_>,
        now: OffsetDateTime,
    ) -> Result<u64, AccountsError> {
        let replay = self.statement(&replay(), [sequence.unwrap_or_default().into()]);
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            let replayed = transaction.execute_raw(replay).await?.rows_affected();
            if replayed > 0 {
                admin_actions::insert(&transaction, action, now).await?;
            }
            transaction.commit().await?;
            Ok(replayed)
        })
        .await
    }

    /// Counts the events in the outbox.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn count_events(&self) -> Result<EventCounts, AccountsError> {
        let sql = format!(
            "SELECT COUNT(CASE WHEN kind = '{EVENT}' THEN 1 END) AS waiting,
                COUNT(CASE WHEN kind = '{DEAD}' THEN 1 END) AS dead FROM outbox"
        );
        let query = EventCounts::find_by_statement(self.statement(&sql, [])).one(&self.database);
        Ok(self.within_deadline(query).await?.unwrap_or_default())
    }

    /// Removes at most `limit` events that were given up and happened before a time; says how many.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn prune_dead_events(
        &self,
        before: OffsetDateTime,
        limit: u64,
    ) -> Result<u64, AccountsError> {
        let sql = format!(
            "DELETE FROM outbox WHERE id IN (
                SELECT id FROM outbox WHERE kind = '{DEAD}' AND created_at < $1 LIMIT $2
            )"
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.run(&sql, [before.into(), limit.into()]).await
    }
}
