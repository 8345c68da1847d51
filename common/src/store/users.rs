//! Users, as operators find them.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::accounts::Accounts;
use super::operator::{OperatorError, ask_database};
use crate::entity::user;
use crate::phone::PhoneNumber;

/// A user, as an operator names one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum UserName {
    /// By their number.
    Number(PhoneNumber),
    /// By their id.
    Id(i64),
}

/// Finds a user.
///
/// # Errors
/// [`OperatorError`].
pub async fn find_user(accounts: &Accounts, who: &UserName) -> Result<Option<user::Model>, OperatorError> {
    let query = match who {
        UserName::Number(number) => user::Entity::find().filter(user::Column::PhoneNumber.eq(number.as_e164())),
        UserName::Id(id) => user::Entity::find_by_id(*id),
    };
    ask_database(query.one(accounts.database())).await
}
