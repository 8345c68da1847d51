//! An account moves to another number.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, SqlErr};
use time::OffsetDateTime;

use super::changed_by::ChangedBy;
use super::events::NewEvent;
use super::sessions::SessionFilter;
use super::{Accounts, AccountsError, outbox};
use crate::accounts::entities::user;
use crate::domain::admin_action::NewAdminAction;
use crate::domain::client::Client;
use crate::domain::event::{EventDetails, EventKind, SessionEnd};
use crate::domain::ids::SessionId;
use crate::domain::outgoing_event::OutgoingEvent;
use crate::domain::phone::E164;
use crate::ledger::notices::Notice;

/// An account that is to move from one number to another; both are proven.
#[derive(Clone, Copy, Debug)]
pub struct NumberMove<'a> {
    pub user_id: i64,
    /// The session that lives on.
    pub session: &'a SessionId,
    /// The number that it has.
    pub old: &'a E164,
    /// The number that it gets.
    pub new: &'a E164,
    /// What the old number is told.
    pub notice: Option<&'a Notice>,
}

/// An account that is to move, whoever wants that.
#[derive(Clone, Copy, Debug)]
pub struct OtherNumber<'a> {
    pub user_id: i64,
    /// The number that it has.
    pub old: &'a E164,
    /// The number that it gets.
    pub new: &'a E164,
    /// What the old number is told.
    pub notice: Option<&'a Notice>,
}

impl OtherNumber<'_> {
    fn details(&self) -> EventDetails {
        EventDetails {
            old_number: Some(self.old.to_string()),
            new_number: Some(self.new.to_string()),
            ..EventDetails::default()
        }
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Moved {
    /// The user, as of now.
    To(user::Model),
    /// Another account has the new number.
    Taken,
    /// The account is gone, or has another number than the old one.
    Outdated,
}

impl Accounts {
    /// Moves an account to another number, ends its other sessions, and writes the events and the
    /// notice to the outbox, all or nothing. Of simultaneous moves to one number one succeeds.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] it may have moved.
    pub async fn move_number(
        &self,
        number_move: NumberMove<'_>,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Moved, AccountsError> {
        let NumberMove { user_id, session, old, new, notice } = number_move;
        let by = ChangedBy::User { session, client };
        self.move_by(by, OtherNumber { user_id, old, new, notice }, now).await
    }

    /// The same in the operator's name, with the action: all sessions end.
    ///
    /// # Errors
    /// As of [`move_number`](Self::move_number).
    pub async fn move_number_by_operator(
        &self,
        other: OtherNumber<'_>,
        action: &NewAdminAction<'_>,
        now: OffsetDateTime,
    ) -> Result<Moved, AccountsError> {
        self.move_by(ChangedBy::Operator(action), other, now).await
    }

    async fn move_by(
        &self,
        by: ChangedBy<'_>,
        other: OtherNumber<'_>,
        now: OffsetDateTime,
    ) -> Result<Moved, AccountsError> {
        let moved = self.change(other.user_id, async {
            match self.move_or_fail(by, other, now).await {
                Err(error)
                    if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) =>
                {
                    Ok(Moved::Taken)
                }
                moved => moved,
            }
        });
        moved.await
    }

    /// The update locks the user's row, so that the statement that ends the sessions sees all that
    /// began before.
    async fn move_or_fail(
        &self,
        by: ChangedBy<'_>,
        other: OtherNumber<'_>,
        now: OffsetDateTime,
    ) -> Result<Moved, DbErr> {
        let OtherNumber { user_id, old, new, notice } = other;
        let transaction = self.begin_write().await?;
        let update = user::Entity::update_many()
            .col_expr(user::Column::PhoneNumber, Expr::value(new.clone()))
            .col_expr(user::Column::Version, Expr::col(user::Column::Version).add(1))
            .filter(user::Column::Id.eq(user_id))
            .filter(user::Column::PhoneNumber.eq(old.clone()));
        let Some(user) = update.exec_with_returning(&transaction).await?.pop() else {
            return Ok(Moved::Outdated);
        };
        let address = by.address();
        let ended = NewEvent::end(user_id, SessionEnd::NumberChanged, address, now);
        let ending = match by {
            ChangedBy::User { session, .. } => SessionFilter::Except(session),
            ChangedBy::Operator(_) => SessionFilter::All,
        };
        let sessions = ending.end(&transaction, &ended).await?;
        let reason = SessionEnd::NumberChanged.into_str();
        self.outgoing.sessions_ended(&transaction, user_id, &sessions, reason, now).await?;
        let told = || vec![OutgoingEvent::number_changed(user_id, old, new)];
        self.outgoing.add(&transaction, now, told).await?;
        let moved = NewEvent {
            user_id,
            created_at: now,
            kind: EventKind::NumberChanged,
            address,
            details: other.details(),
        };
        by.note(&transaction, &moved).await?;
        if let Some(notice) = notice {
            outbox::add_notice(&transaction, notice, now).await?;
        }
        transaction.commit().await?;
        Ok(Moved::To(user))
    }
}
