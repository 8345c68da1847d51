//! Users: their name, their number, and their end.

use std::time::Duration;

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::{Expr, ExprTrait, LockType};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, SqlErr};
use time::OffsetDateTime;

use super::changed_by::ChangedBy;
use super::events::NewEvent;
use super::outgoing_events::EXPIRED;
use super::sessions::lock_user;
use super::{Accounts, AccountsError, admin_actions};
use crate::accounts::entities::{token, user};
use crate::domain::admin_action::{Actor, AdminActionKind, NewAdminAction};
use crate::domain::client::Client;
use crate::domain::event::{EventDetails, EventKind};
use crate::domain::ids::SessionId;
use crate::domain::outgoing_event::OutgoingEvent;
use crate::domain::person_name::PersonName;
use crate::domain::phone::E164;

/// A user, as an operator names one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UserSelector {
    Number(E164),
    Id(i64),
}

/// New names that a user may get within an hour, so that nobody fills the database by renaming.
const MOST_NAMES: u64 = 20;
const NAMES_WITHIN: Duration = Duration::from_secs(60 * 60);

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Renamed {
    /// The user, as of now.
    To(user::Model),
    /// The account is gone, or of another version.
    Outdated,
    /// They have had too many new names within an hour, and may have another one after this.
    TooOften(Duration),
}

impl Accounts {
    /// Gives a user another name and writes the event, if they still are as of that version. The
    /// name that they have already writes nothing.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] the name may have changed.
    pub async fn rename(
        &self,
        user_id: i64,
        version: i32,
        name: &PersonName,
        session: &SessionId,
        client: &Client,
        now: OffsetDateTime,
    ) -> Result<Renamed, AccountsError> {
        self.rename_by(ChangedBy::User { session, client }, user_id, version, name, now).await
    }

    /// The same in the operator's name, however often, with the action.
    ///
    /// # Errors
    /// As of [`rename`](Self::rename).
    pub async fn rename_by_operator(
        &self,
        user_id: i64,
        version: i32,
        name: &PersonName,
        action: &NewAdminAction<'_>,
        now: OffsetDateTime,
    ) -> Result<Renamed, AccountsError> {
        self.rename_by(ChangedBy::Operator(action), user_id, version, name, now).await
    }

    async fn rename_by(
        &self,
        by: ChangedBy<'_>,
        user_id: i64,
        version: i32,
        name: &PersonName,
        now: OffsetDateTime,
    ) -> Result<Renamed, AccountsError> {
        let update = user::Entity::update_many()
            .col_expr(user::Column::Name, Expr::value(name.as_str()))
            .col_expr(user::Column::Version, Expr::col(user::Column::Version).add(1))
            .filter(user::Column::Id.eq(user_id));
        let event = NewEvent {
            user_id,
            created_at: now,
            kind: EventKind::NameChanged,
            address: by.address(),
            details: EventDetails::default(),
        };
        self.change(user_id, async {
            let transaction = self.begin_write().await?;
            let user = lock_user(&transaction, user_id).await?;
            let Some(user) = user.filter(|user| user.version == version) else {
                return Ok(Renamed::Outdated);
            };
            if user.name == name.as_str() {
                return Ok(Renamed::To(user));
            }
            let earliest = now - NAMES_WITHIN;
            if by.is_user()
                && let Some(told) =
                    event.nth_newest_since(&transaction, MOST_NAMES, earliest).await?
            {
                return Ok(Renamed::TooOften((told - earliest).unsigned_abs()));
            }
            let Some(user) = update.exec_with_returning(&transaction).await?.pop() else {
                return Ok(Renamed::Outdated);
            };
            by.note(&transaction, &event).await?;
            let told = || vec![OutgoingEvent::user_updated(user_id, &user.name, user.version)];
            self.outgoing.add(&transaction, now, told).await?;
            transaction.commit().await?;
            Ok(Renamed::To(user))
        })
        .await
    }

    /// A user.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn user(&self, who: &UserSelector) -> Result<Option<user::Model>, AccountsError> {
        let query = match who {
            UserSelector::Number(number) => {
                user::Entity::find().filter(user::Column::PhoneNumber.eq(number.clone()))
            }
            UserSelector::Id(id) => user::Entity::find_by_id(*id),
        };
        self.within_deadline(query.one(&self.database)).await
    }

    /// The number that an account has now; none where there is no such account.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn number_of(&self, user_id: i64) -> Result<Option<E164>, AccountsError> {
        Ok(self.user(&UserSelector::Id(user_id)).await?.map(|user| user.phone_number))
    }

    /// Deletes a user who still has this number, and with them their sessions and events. Says
    /// whether it did.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] they may be gone.
    pub async fn delete_user(
        &self,
        user_id: i64,
        number: &E164,
        now: OffsetDateTime,
    ) -> Result<bool, AccountsError> {
        self.delete(user_id, number, None, now).await
    }

    /// The same in the operator's name, with the action.
    ///
    /// # Errors
    /// As of [`delete_user`](Self::delete_user).
    pub async fn delete_user_by_operator(
        &self,
        user_id: i64,
        number: &E164,
        action: &NewAdminAction<'_>,
        now: OffsetDateTime,
    ) -> Result<bool, AccountsError> {
        self.delete(user_id, number, Some(action), now).await
    }

    async fn delete(
        &self,
        user_id: i64,
        number: &E164,
        action: Option<&NewAdminAction<'_>>,
        now: OffsetDateTime,
    ) -> Result<bool, AccountsError> {
        self.change(user_id, async {
            // Or a server that was slow would still delete somebody who was told that it failed.
            let transaction = self.begin_write().await?;
            let mut ended = Vec::new();
            if self.outgoing.0 {
                lock_user(&transaction, user_id).await?;
                // Expired ones too, which nobody has tidied up and told of yet. Locked, so that
                // somebody who does that meanwhile tells of others.
                ended = token::Entity::find()
                    .filter(token::Column::UserId.eq(user_id))
                    .order_by_asc(token::Column::Serial)
                    .lock(LockType::Update)
                    .all(&transaction)
                    .await?;
            }
            let delete = user::Entity::delete_many()
                .filter(user::Column::Id.eq(user_id))
                .filter(user::Column::PhoneNumber.eq(number.clone()));
            let deleted = delete.exec(&transaction).await?.rows_affected > 0;
            if deleted {
                let ended = ended.into_iter().map(|row| {
                    let reason = if row.expiry <= now { EXPIRED } else { "user_deleted" };
                    OutgoingEvent::session_ended(user_id, &SessionId::from_store(row.id), reason)
                });
                let told = || ended.chain([OutgoingEvent::user_deleted(user_id, number)]).collect();
                self.outgoing.add(&transaction, now, told).await?;
                if let Some(action) = action {
                    admin_actions::insert(&transaction, action, now).await?;
                }
            }
            transaction.commit().await?;
            Ok(deleted)
        })
        .await
    }

    /// Makes a user of a number that nobody has, with the action. None where somebody has it.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] they may be there.
    pub async fn create_user(
        &self,
        number: &E164,
        name: &PersonName,
        actor: &Actor,
        now: OffsetDateTime,
    ) -> Result<Option<user::Model>, AccountsError> {
        let new = user::ActiveModel {
            created_at: Set(now),
            name: Set(name.as_str().to_owned()),
            phone_number: Set(number.clone()),
            version: Set(1),
            ..Default::default()
        };
        self.within_deadline(async {
            let transaction = self.begin_write().await?;
            let user = match user::Entity::insert(new).exec_with_returning(&transaction).await {
                Err(error)
                    if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) =>
                {
                    return Ok(None);
                }
                user => user?,
            };
            let action = NewAdminAction::new(actor, AdminActionKind::UserCreated)
                .of_user(user.id)
                .about(number);
            admin_actions::insert(&transaction, &action, now).await?;
            let told = || vec![OutgoingEvent::user_created(user.id, &user.name, number)];
            self.outgoing.add(&transaction, now, told).await?;
            transaction.commit().await?;
            Ok(Some(user))
        })
        .await
    }
}
