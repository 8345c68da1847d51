//! Sessions, as operators end them.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use time::OffsetDateTime;

use super::accounts::Accounts;
use super::operator::{OperatorError, ask_database};
use crate::entity::{token, user};
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

/// Ends all sessions of a user that live at `now`; says how many.
///
/// # Errors
/// [`OperatorError`].
pub async fn end_sessions(accounts: &Accounts, user_id: i64, now: OffsetDateTime) -> Result<u64, OperatorError> {
    let live =
        token::Entity::delete_many().filter(token::Column::UserId.eq(user_id)).filter(token::Column::Expiry.gt(now));
    Ok(ask_database(live.exec(accounts.database())).await?.rows_affected)
}
