//! Users, as operators find them.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use crate::accounts::Accounts;
use crate::accounts::entities::user;
use crate::admin::{OperatorError, ask_database};
use crate::domain::phone::E164;

/// A user, as an operator names one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UserSelector {
    Number(E164),
    Id(i64),
}

/// Finds a user.
///
/// # Errors
/// [`OperatorError`].
pub async fn find_user(
    accounts: &Accounts,
    who: &UserSelector,
) -> Result<Option<user::Model>, OperatorError> {
    let query = match who {
        UserSelector::Number(number) => {
            user::Entity::find().filter(user::Column::PhoneNumber.eq(number.clone()))
        }
        UserSelector::Id(id) => user::Entity::find_by_id(*id),
    };
    ask_database(query.one(accounts.database())).await
}
