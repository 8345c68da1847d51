//! Sessions: who holds a token, what else they hold, and how a session ends or gets a new token.

use std::sync::LazyLock;
use std::time::Duration;

use sea_orm::sea_query::{Expr, LockBehavior, LockType};
use sea_orm::{
    ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, Select, Statement,
};
use time::OffsetDateTime;

use super::events::NewEvent;
use super::outgoing_events::EXPIRED;
use super::{Accounts, AccountsError, admin_actions};
use crate::accounts::entities::{token, user};
use crate::domain::admin_action::NewAdminAction;
use crate::domain::client::{Client, ClientAddress, Device};
use crate::domain::cursor::{Page, PageRequest};
use crate::domain::event::{EventDetails, EventKind, SessionEnd};
use crate::domain::ids::SessionId;
use crate::domain::outgoing_event::OutgoingEvent;
use crate::domain::token::{Scope, TokenHash};

/// How far behind `last_used_at` may be.
const USE_NOTED_EVERY: Duration = Duration::from_secs(60);
/// Renewals of one session that follow each other more closely are told by one event, so that
/// nobody fills the database by renewing.
const RENEWAL_TOLD_EVERY: Duration = Duration::from_secs(60);

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
    pub expires_at: OffsetDateTime,
    pub device: Device,
}

impl Session {
    /// Whether its last use was noted so long ago that this one is to be.
    #[must_use]
    pub fn use_is_to_be_noted(&self, now: OffsetDateTime) -> bool {
        self.last_used_at <= now - USE_NOTED_EVERY
    }
}

impl From<token::Model> for Session {
    fn from(row: token::Model) -> Self {
        Self {
            id: SessionId::from_store(row.id),
            hash: TokenHash::from_store(row.hash),
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expiry,
            device: Device::from_store(row.device),
        }
    }
}

/// Some of a user's live sessions.
#[derive(Clone, Copy, Debug)]
pub enum SessionFilter<'a> {
    One(&'a SessionId),
    Except(&'a SessionId),
    All,
    /// All but so many that were used most recently; of those that were used in the same second,
    /// signed in last.
    BeyondNewest(u32),
}

impl SessionFilter<'_> {
    fn select(self, user_id: i64, now: OffsetDateTime) -> Select<token::Entity> {
        let live = live_sessions(user_id, now);
        match self {
            Self::One(id) => live.filter(token::Column::Id.eq(id.as_str())),
            Self::Except(id) => live.filter(token::Column::Id.ne(id.as_str())),
            Self::All => live,
            Self::BeyondNewest(cap) => live
                .order_by_desc(token::Column::LastUsedAt)
                .order_by_desc(token::Column::Serial)
                .offset(u64::from(cap))
                // SQLite takes no offset without a limit.
                .limit(u64::from(u32::MAX)),
        }
    }

    /// Ends those of the event's user, and writes the event for each. In a transaction that has
    /// locked the user's row, so that it sees all their sessions and nobody else ends one.
    pub(super) async fn end(
        self,
        transaction: &DatabaseTransaction,
        event: &NewEvent,
    ) -> Result<Vec<SessionId>, DbErr> {
        let chosen = self.select(event.user_id, event.created_at);
        let chosen = chosen.select_only().column(token::Column::Serial).into_query();
        let ended = token::Entity::delete_many()
            .filter(token::Column::Serial.in_subquery(chosen))
            .exec_with_returning(transaction)
            .await?;
        let ended: Vec<_> = ended.into_iter().map(|row| SessionId::from_store(row.id)).collect();
        event.insert(transaction, &ended).await?;
        Ok(ended)
    }
}

fn live_sessions(user_id: i64, now: OffsetDateTime) -> Select<token::Entity> {
    token::Entity::find()
        .filter(token::Column::UserId.eq(user_id))
        .filter(token::Column::Scope.eq(Scope::Authentication.into_str()))
        .filter(token::Column::Expiry.gt(now))
}

/// Makes whoever else changes this user, or their sessions, wait; returns the user. On SQLite they
/// wait already.
pub(super) async fn lock_user(
    transaction: &DatabaseTransaction,
    user_id: i64,
) -> Result<Option<user::Model>, DbErr> {
    user::Entity::find_by_id(user_id).lock(LockType::NoKeyUpdate).one(transaction).await
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
        static SQL: LazyLock<String> = LazyLock::new(|| {
            let user = &*user::COLUMNS;
            format!(
                "SELECT {user}, tokens.id, tokens.created_at, last_used_at, expiry, device
                FROM tokens JOIN users ON users.id = tokens.user_id
                WHERE hash = $1 AND scope = $2 AND expiry > $3"
            )
        });
        #[derive(FromQueryResult)]
        struct Row {
            #[sea_orm(nested(prefix = "user_"))]
            user: user::Model,
            id: String,
            created_at: OffsetDateTime,
            last_used_at: OffsetDateTime,
            expiry: OffsetDateTime,
            device: String,
        }
        let values = [token.clone().into_bytes().into(), scope.into_str().into(), now.into()];
        let backend = self.database.get_database_backend();
        let query = Statement::from_sql_and_values(backend, SQL.as_str(), values);
        let found = self.within_deadline(Row::find_by_statement(query).one(&self.database)).await?;
        Ok(found.map(|row| {
            let session = Session {
                id: SessionId::from_store(row.id),
                hash: token,
                created_at: row.created_at,
                last_used_at: row.last_used_at,
                expires_at: row.expiry,
                device: Device::from_store(row.device),
            };
            (row.user, session)
        }))
    }

    /// Notes that a session is used, unless that was noted within the last minute. Returns when its
    /// last use is noted to have been.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn note_use(
        &self,
        session: &Session,
        now: OffsetDateTime,
    ) -> Result<OffsetDateTime, AccountsError> {
        if !session.use_is_to_be_noted(now) {
            return Ok(session.last_used_at);
        }
        let update = token::Entity::update_many()
            .col_expr(token::Column::LastUsedAt, Expr::value(now))
            .filter(token::Column::Hash.eq(session.hash.clone().into_bytes()))
            // Of simultaneous requests, one writes.
            .filter(token::Column::LastUsedAt.lte(now - USE_NOTED_EVERY));
        self.within_deadline(update.exec(&self.database)).await?;
        Ok(now)
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
        let mut query = live_sessions(user_id, now);
        if let Some(cursor) = page.cursor {
            query = query.filter(token::Column::Serial.lt(cursor.row()));
        }
        let query = query.order_by_desc(token::Column::Serial).limit(page.limit.saturating_add(1));
        let rows = self.within_deadline(query.all(&self.database)).await?;
        Ok(Page::new(rows, page.limit, |row| row.serial).filter_map(|row| Some(row.into())))
    }

    /// Ends live sessions of a user and writes an event for each; returns those that it ended. A
    /// session that somebody else ends at the same moment is ended by one of the two.
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
        self.end(which, NewEvent::end(user_id, reason, Some(client.address), now), None).await
    }

    /// Ends live sessions of a user in the operator's name, as [`Self::end_sessions`] does, and
    /// writes the action where it is one and ends any; returns those that it ended.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] they may have ended.
    pub async fn end_sessions_by_operator(
        &self,
        user_id: i64,
        which: SessionFilter<'_>,
        action: Option<&NewAdminAction<'_>>,
        now: OffsetDateTime,
    ) -> Result<Vec<SessionId>, AccountsError> {
        let event = NewEvent::end(user_id, SessionEnd::EndedByOperator, None, now);
        self.end(which, event, action).await
    }

    /// Ends those of a user's sessions that are more than `cap`. Few sign-ins leave any, and no
    /// other locks the user's row for it.
    pub(super) async fn end_surplus(
        &self,
        user_id: i64,
        cap: u32,
        address: ClientAddress,
        now: OffsetDateTime,
    ) -> Result<(), AccountsError> {
        let surplus = SessionFilter::BeyondNewest(cap);
        let first = surplus.select(user_id, now).one(&self.database);
        if self.within_deadline(first).await?.is_some() {
            let event = NewEvent::end(user_id, SessionEnd::SessionLimit, Some(address), now);
            self.end(surplus, event, None).await?;
        }
        Ok(())
    }

    async fn end(
        &self,
        which: SessionFilter<'_>,
        event: NewEvent,
        action: Option<&NewAdminAction<'_>>,
    ) -> Result<Vec<SessionId>, AccountsError> {
        self.change(event.user_id, async {
            let transaction = self.begin_write().await?;
            lock_user(&transaction, event.user_id).await?;
            let ended = which.end(&transaction, &event).await?;
            let NewEvent { user_id, created_at, .. } = event;
            let reason = event.details.reason.map_or("", |reason| reason.into_str());
            self.outgoing.sessions_ended(&transaction, user_id, &ended, reason, created_at).await?;
            if let Some(action) = action.filter(|_| !ended.is_empty()) {
                admin_actions::insert(&transaction, action, created_at).await?;
            }
            transaction.commit().await?;
            Ok(ended)
        })
        .await
    }

    /// Gives a live session another token in place of the one that it has, and writes the event,
    /// unless one of the last minute tells of a renewal already. Says whether it did: of
    /// simultaneous renewals one does, and an ended session gets none.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] the old token may have ended, and
    /// nobody has been told the new one.
    pub async fn renew(
        &self,
        user_id: i64,
        old: &TokenHash,
        new: TokenHash,
        expiry: OffsetDateTime,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<bool, AccountsError> {
        let renewal = token::Entity::update_many()
            .col_expr(token::Column::Hash, Expr::value(new.into_bytes()))
            .col_expr(token::Column::Expiry, Expr::value(expiry))
            .col_expr(token::Column::LastUsedAt, Expr::value(now))
            .filter(token::Column::UserId.eq(user_id))
            .filter(token::Column::Hash.eq(old.clone().into_bytes()))
            .filter(token::Column::Expiry.gt(now));
        let event = NewEvent {
            user_id,
            created_at: now,
            kind: EventKind::Renewed,
            address: Some(client.address),
            details: EventDetails::default(),
        };
        self.change(user_id, async {
            let transaction = self.begin_write().await?;
            lock_user(&transaction, user_id).await?;
            let Some(row) = renewal.exec_with_returning(&transaction).await?.pop() else {
                return Ok(false);
            };
            let session = SessionId::from_store(row.id);
            if !event.was_told_since(&transaction, &session, now - RENEWAL_TOLD_EVERY).await? {
                event.insert(&transaction, &[session]).await?;
            }
            transaction.commit().await?;
            Ok(true)
        })
        .await
    }

    /// Removes at most `limit` expired tokens; says how many. Passes over those that somebody else
    /// changes at the moment, and so waits for nobody who locks them in another order.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn prune_expired_tokens(
        &self,
        now: OffsetDateTime,
        limit: u64,
    ) -> Result<u64, AccountsError> {
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            let expired = token::Entity::find()
                .filter(token::Column::Expiry.lte(now))
                .limit(limit)
                .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                .all(&transaction)
                .await?;
            if expired.is_empty() {
                return Ok(0);
            }
            let serials = expired.iter().map(|row| row.serial);
            token::Entity::delete_many()
                .filter(token::Column::Serial.is_in(serials))
                .exec(&transaction)
                .await?;
            let ended = |row: token::Model| {
                let session = SessionId::from_store(row.id);
                OutgoingEvent::session_ended(row.user_id, &session, EXPIRED)
            };
            let removed = expired.len() as u64;
            let told = || expired.into_iter().map(ended).collect();
            self.outgoing.add(&transaction, now, told).await?;
            transaction.commit().await?;
            Ok(removed)
        })
        .await
    }
}
