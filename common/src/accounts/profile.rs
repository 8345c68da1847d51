//! What users say of themselves.

use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Accounts, AccountsError, within_deadline};
use crate::accounts::entities::user;
use crate::domain::person_name::PersonName;

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
    ) -> Result<Option<user::Model>, AccountsError> {
        let update = user::Entity::update_many()
            .col_expr(user::Column::Name, Expr::value(name.as_str()))
            .col_expr(user::Column::Version, Expr::col(user::Column::Version).add(1))
            .filter(user::Column::Id.eq(user_id))
            .filter(user::Column::Version.eq(version));
        Ok(within_deadline(update.exec_with_returning(&self.database)).await?.pop())
    }
}
