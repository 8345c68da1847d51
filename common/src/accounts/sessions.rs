//! Sessions: who holds a token, what else they hold, and how a session ends or gets a new token.

use std::time::Duration;

use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect,
    Statement, Value,
};
use time::OffsetDateTime;

use super::events::{Change, SessionsChange, change_in};
use super::{Accounts, AccountsError, within_deadline};
use crate::accounts::entities::{token, user};
use crate::domain::client::{Client, Device};
use crate::domain::cursor::{Page, PageRequest};
use crate::domain::event::{EventDetails, EventKind, SessionEnd};
use crate::domain::ids::SessionId;
use crate::domain::phone::E164;
use crate::domain::token::{Scope, TokenHash};

/// How far behind `last_used_at` may be.
const USE_NOTED_EVERY: Duration = Duration::from_secs(60);

/// A live session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Session {
    /// It stays while the token changes.
    pub id: SessionId,
    /// What is kept of its token.
    pub hash: TokenHash,
    /// When its OTP was given.
    pub created_at: OffsetDateTime,
    /// When it was last used, up to a minute ago.
    pub last_used_at: OffsetDateTime,
    /// When its token ends.
    pub expires_at: OffsetDateTime,
    /// What signed in.
    pub device: Device,
}

impl From<token::Model> for Session {
    fn from(row: token::Model) -> Self {
        Self {
            id: SessionId::from_store(row.id),
            hash: TokenHash::from_store(row.hash),
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expiry,
            device: Device::of(row.device.as_bytes()),
        }
    }
}

/// Some of a user's live sessions.
#[derive(Clone, Copy, Debug)]
pub enum SessionFilter<'a> {
    /// That one.
    One(&'a SessionId),
    /// All but that one.
    Except(&'a SessionId),
    /// All.
    All,
    /// All but so many that were used most recently; of those that were used in the same second, signed in last.
    BeyondNewest(u32),
}

impl SessionFilter<'_> {
    fn deletion(self) -> SessionsChange {
        let live = "SELECT serial FROM tokens WHERE user_id = $1 AND expiry > $2 AND scope = $6";
        let (chosen, value): (_, Option<Value>) = match self {
            Self::One(id) => (format!("{live} AND id = $7"), Some(id.as_str().into())),
            Self::Except(id) => (format!("{live} AND id <> $7"), Some(id.as_str().into())),
            Self::All => (live.to_owned(), None),
            Self::BeyondNewest(cap) => {
                let ranked = "SELECT serial, row_number() OVER (ORDER BY last_used_at DESC, serial DESC) AS place
                    FROM tokens WHERE user_id = $1 AND expiry > $2 AND scope = $6";
                (format!("SELECT serial FROM ({ranked}) AS ranked WHERE place > $7"), Some(i64::from(cap).into()))
            }
        };
        SessionsChange {
            chosen,
            change: "DELETE FROM tokens
                WHERE user_id = (SELECT id FROM owner) AND serial IN (SELECT serial FROM chosen) RETURNING id",
            values: std::iter::once(Scope::Authentication.into_str().into()).chain(value).collect(),
        }
    }

    /// As [`Accounts::end_sessions`], in a transaction that is the only one to change the user now.
    pub(super) async fn end_in(
        self,
        transaction: &DatabaseTransaction,
        change: &Change,
    ) -> Result<Vec<SessionId>, DbErr> {
        change_in(transaction, change, self.deletion()).await
    }
}

impl Accounts {
    /// Who holds a live token of this scope, and the session that it belongs to.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn session_of(
        &self,
        token: TokenHash,
        scope: Scope,
        now: OffsetDateTime,
    ) -> Result<Option<(user::Model, Session)>, AccountsError> {
        // Asked with every request, so its text is not built anew.
        const SQL: &str = "
            SELECT users.id AS user_id, users.created_at AS user_created_at, name, phone_number, version,
                tokens.id AS session_id, tokens.created_at, last_used_at, expiry, device
            FROM tokens JOIN users ON users.id = user_id
            WHERE hash = $1 AND scope = $2 AND expiry > $3";
        #[derive(FromQueryResult)]
        struct Row {
            user_id: i64,
            user_created_at: OffsetDateTime,
            name: String,
            phone_number: E164,
            version: i32,
            session_id: String,
            created_at: OffsetDateTime,
            last_used_at: OffsetDateTime,
            expiry: OffsetDateTime,
            device: String,
        }
        let values = [token.clone().into_bytes().into(), scope.into_str().into(), now.into()];
        let query = Statement::from_sql_and_values(self.database.get_database_backend(), SQL, values);
        let found = within_deadline(Row::find_by_statement(query).one(&self.database)).await?;
        Ok(found.map(|row| {
            let Row { user_id: id, user_created_at, name, phone_number, version, .. } = row;
            let Row { session_id, created_at, last_used_at, expiry: expires_at, device, .. } = row;
            let device = Device::of(device.as_bytes());
            let session = Session {
                id: SessionId::from_store(session_id),
                hash: token,
                created_at,
                last_used_at,
                expires_at,
                device,
            };
            (user::Model { id, created_at: user_created_at, name, phone_number, version }, session)
        }))
    }

    /// Notes that a session is used, unless that was noted within the last minute.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn note_use(&self, session: &Session, now: OffsetDateTime) -> Result<(), AccountsError> {
        let due = now - USE_NOTED_EVERY;
        if session.last_used_at > due {
            return Ok(());
        }
        let update = token::Entity::update_many()
            .col_expr(token::Column::LastUsedAt, Expr::value(now))
            .filter(token::Column::Hash.eq(session.hash.clone().into_bytes()))
            // Of simultaneous requests, one writes.
            .filter(token::Column::LastUsedAt.lte(due));
        within_deadline(update.exec(&self.database)).await?;
        Ok(())
    }

    /// A user's live sessions, newest first.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn sessions(
        &self,
        user_id: i64,
        page: PageRequest,
        now: OffsetDateTime,
    ) -> Result<Page<Session>, AccountsError> {
        let mut query = token::Entity::find()
            .filter(token::Column::UserId.eq(user_id))
            .filter(token::Column::Scope.eq(Scope::Authentication.into_str()))
            .filter(token::Column::Expiry.gt(now));
        if let Some(cursor) = page.cursor {
            query = query.filter(token::Column::Serial.lt(cursor.row()));
        }
        let query = query.order_by_desc(token::Column::Serial).limit(page.limit.saturating_add(1));
        let rows = within_deadline(query.all(&self.database)).await?;
        Ok(Page::of(rows, page.limit, |row| row.serial).filter_map(|row| Some(row.into())))
    }

    /// Ends live sessions of a user and writes an event for each; answers those that it ended. A session that somebody else ends
    /// at the same moment is ended by one of the two.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] they may have ended.
    pub async fn end_sessions(
        &self,
        user_id: i64,
        which: SessionFilter<'_>,
        reason: SessionEnd,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Vec<SessionId>, AccountsError> {
        self.change_sessions(&Change::end(user_id, reason, Some(client.address), now), which.deletion()).await
    }

    /// Ends all live sessions of a user in the operator's name, as [`Self::end_sessions`] does; answers how many.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] they may have ended.
    pub async fn end_sessions_by_operator(&self, user_id: i64, now: OffsetDateTime) -> Result<usize, AccountsError> {
        let change = Change::end(user_id, SessionEnd::EndedByOperator, None, now);
        Ok(self.change_sessions(&change, SessionFilter::All.deletion()).await?.len())
    }

    /// Gives a live session another token in place of the one that it has, and writes the event. Says whether it did: of
    /// simultaneous renewals one does, and an ended session gets none.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] the old token may have ended, and nobody has been told the new one.
    pub async fn renew(
        &self,
        user_id: i64,
        old: &TokenHash,
        new: TokenHash,
        expiry: OffsetDateTime,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<bool, AccountsError> {
        let details = EventDetails::default().to_json();
        let change = Change { user_id, now, kind: EventKind::Renewed, address: Some(client.address), details };
        let renewal = SessionsChange {
            chosen: "SELECT serial FROM tokens WHERE user_id = $1 AND hash = $6 AND expiry > $2".to_owned(),
            // The hash again: somebody else may have changed it while this waited for the owner's row.
            change: "UPDATE tokens SET hash = $7, expiry = $8, last_used_at = $2
                WHERE user_id = (SELECT id FROM owner) AND hash = $6 AND expiry > $2 RETURNING id",
            values: vec![old.clone().into_bytes().into(), new.into_bytes().into(), expiry.into()],
        };
        Ok(!self.change_sessions(&change, renewal).await?.is_empty())
    }

    /// Removes at most `limit` expired tokens; says how many.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn prune_expired_tokens(&self, now: OffsetDateTime, limit: u64) -> Result<u64, AccountsError> {
        within_deadline(async {
            let expired = token::Entity::find()
                .select_only()
                .column(token::Column::Hash)
                .filter(token::Column::Expiry.lte(now))
                .limit(limit)
                .into_tuple::<Vec<u8>>()
                .all(&self.database)
                .await?;
            if expired.is_empty() {
                return Ok(0);
            }
            let removed =
                token::Entity::delete_many().filter(token::Column::Hash.is_in(expired)).exec(&self.database).await?;
            Ok(removed.rows_affected)
        })
        .await
    }
}
