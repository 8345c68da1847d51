//! Users: their name, their number, and their end.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use time::OffsetDateTime;

use super::sessions::{SessionFilter, lock_user};
use super::{Accounts, AccountsError};
use crate::accounts::entities::user;
use crate::domain::ids::SessionId;
use crate::domain::outgoing_event::OutgoingEvent;
use crate::domain::person_name::PersonName;
use crate::domain::phone::E164;

impl Accounts {
    /// Gives a user another name, if they still are as of that version; none if they are not.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] the name may have changed.
    pub async fn rename(
        &self,
        user_id: i64,
        version: i32,
        name: &PersonName,
        now: OffsetDateTime,
    ) -> Result<Option<user::Model>, AccountsError> {
        let update = user::Entity::update_many()
            .col_expr(user::Column::Name, Expr::value(name.as_str()))
            .col_expr(user::Column::Version, Expr::col(user::Column::Version).add(1))
            .filter(user::Column::Id.eq(user_id))
            .filter(user::Column::Version.eq(version));
        self.change(user_id, async {
            let transaction = self.begin_write().await?;
            let user = update.exec_with_returning(&transaction).await?.pop();
            if let Some(user) = &user {
                let told = || vec![OutgoingEvent::user_updated(user_id, &user.name, user.version)];
                self.outgoing.add(&transaction, now, told).await?;
            }
            transaction.commit().await?;
            Ok(user)
        })
        .await
    }

    /// The number that an account has now; none where there is no such account.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn number_of(&self, user_id: i64) -> Result<Option<E164>, AccountsError> {
        let user =
            self.within_deadline(user::Entity::find_by_id(user_id).one(&self.database)).await?;
        Ok(user.map(|user| user.phone_number))
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
        self.change(user_id, async {
            // Or a server that was slow would still delete somebody who was told that it failed.
            let transaction = self.begin_write().await?;
            let mut ended = Vec::new();
            if self.outgoing.0 {
                lock_user(&transaction, user_id).await?;
                ended = SessionFilter::All.select(user_id, now).all(&transaction).await?;
            }
            let delete = user::Entity::delete_many()
                .filter(user::Column::Id.eq(user_id))
                .filter(user::Column::PhoneNumber.eq(number.clone()));
            let deleted = delete.exec(&transaction).await?.rows_affected > 0;
            if deleted {
                let ended = ended.into_iter().map(|row| SessionId::from_store(row.id));
                let ended = ended
                    .map(|session| OutgoingEvent::session_ended(user_id, &session, "user_deleted"));
                let told = || ended.chain([OutgoingEvent::user_deleted(user_id, number)]).collect();
                self.outgoing.add(&transaction, now, told).await?;
            }
            transaction.commit().await?;
            Ok(deleted)
        })
        .await
    }
}
