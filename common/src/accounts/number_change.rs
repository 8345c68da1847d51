//! Who has which number: an account moves to another one, or goes.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, DbErr, EntityTrait, QueryFilter, SqlErr};
use time::OffsetDateTime;

use super::events::{Change, insert_event};
use super::sessions::SessionFilter;
use super::{Accounts, AccountsError, within_deadline};
use crate::accounts::entities::user;
use crate::domain::client::Client;
use crate::domain::event::{EventDetails, EventKind, SessionEnd};
use crate::domain::ids::SessionId;
use crate::domain::phone::E164;

/// An account that is to move from one number to another; both are proven.
#[derive(Clone, Copy, Debug)]
pub struct NumberMove<'a> {
    /// Whose account.
    pub user_id: i64,
    /// The session that lives on.
    pub session: &'a SessionId,
    /// The number that it has.
    pub old: &'a E164,
    /// The number that it gets.
    pub new: &'a E164,
}

impl NumberMove<'_> {
    fn details(&self) -> String {
        let (old_number, new_number) = (Some(self.old.to_string()), Some(self.new.to_string()));
        EventDetails { old_number, new_number, ..EventDetails::default() }.to_json()
    }
}

/// What came of it.
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
    /// Moves an account to another number, ends its other sessions and writes the events, all or nothing. Of simultaneous moves to
    /// one number one succeeds.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] it may have moved.
    pub async fn move_number(
        &self,
        number_move: NumberMove<'_>,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Moved, AccountsError> {
        let moved = within_deadline(async {
            match self.move_or_fail(number_move, client, now).await {
                Err(error) if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) => Ok(Moved::Taken),
                moved => moved,
            }
        });
        moved.await
    }

    /// A transaction on both databases: the statement that ends the sessions has to see those that began until the user's row was
    /// locked by the one before.
    async fn move_or_fail(
        &self,
        number_move: NumberMove<'_>,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Moved, DbErr> {
        let NumberMove { user_id, session, old, new } = number_move;
        let transaction = self.begin_write().await?;
        let update = user::Entity::update_many()
            .col_expr(user::Column::PhoneNumber, Expr::value(new.clone()))
            .col_expr(user::Column::Version, Expr::col(user::Column::Version).add(1))
            .filter(user::Column::Id.eq(user_id))
            .filter(user::Column::PhoneNumber.eq(old.clone()));
        let Some(user) = update.exec_with_returning(&transaction).await?.pop() else { return Ok(Moved::Outdated) };
        let ended = Change::end(user_id, SessionEnd::NumberChanged, Some(client.address), now);
        SessionFilter::Except(session).end_in(&transaction, &ended).await?;
        let (kind, address) = (EventKind::NumberChanged, Some(client.address));
        let changed = Change { user_id, now, kind, address, details: number_move.details() };
        insert_event(&transaction, &changed, session).await?;
        transaction.commit().await?;
        Ok(Moved::To(user))
    }

    /// The number that an account has now; none where there is no such account.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn number_of(&self, user_id: i64) -> Result<Option<E164>, AccountsError> {
        let user = within_deadline(user::Entity::find_by_id(user_id).one(&self.database)).await?;
        Ok(user.map(|user| user.phone_number))
    }

    /// Deletes a user who still has this number, and with them their sessions and events. Says whether it did.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] they may be gone.
    pub async fn delete_user(&self, user_id: i64, number: &E164) -> Result<bool, AccountsError> {
        within_deadline(async {
            // Or a server that was slow would still delete somebody who was told that it failed.
            let transaction = self.begin_write().await?;
            let delete = user::Entity::delete_many()
                .filter(user::Column::Id.eq(user_id))
                .filter(user::Column::PhoneNumber.eq(number.clone()));
            let deleted = delete.exec(&transaction).await?.rows_affected > 0;
            transaction.commit().await?;
            Ok(deleted)
        })
        .await
    }
}
