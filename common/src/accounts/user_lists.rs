//! Users as operators look for them.

use sea_orm::{DbBackend, FromQueryResult, Statement, Value};
use time::OffsetDateTime;

use super::{Accounts, AccountsError};
use crate::accounts::entities::user;
use crate::domain::cursor::{Page, PageRequest};
use crate::domain::event::EventKind;
use crate::domain::phone::E164;

/// Which users. All of it has to fit.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    pub id: Option<i64>,
    pub number: Option<E164>,
    /// A part of the name, in any case; on SQLite, letters other than a to z only as they are.
    pub name: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum UserOrder {
    /// The newest account first.
    Newest,
    /// Who signed in last first; nobody of whose sign-ins no event is kept.
    LastSignIn,
}

/// A user, and when they last signed in, as far as events are kept.
#[derive(Clone, Debug, Eq, FromQueryResult, PartialEq)]
pub struct ListedUser {
    #[sea_orm(nested(prefix = "user_"))]
    pub user: user::Model,
    pub last_sign_in_at: Option<OffsetDateTime>,
    /// In the list.
    place: i64,
}

impl Accounts {
    /// A part of a list of users.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn list_users(
        &self,
        filter: &UserFilter,
        order: UserOrder,
        page: PageRequest,
    ) -> Result<Page<ListedUser>, AccountsError> {
        let backend = self.database.get_database_backend();
        let mut sql = select(order);
        let mut values: Vec<Value> = vec![page.before().into()];
        let number = filter.number.clone();
        for (column, value) in
            [("id", filter.id.map(Value::from)), ("phone_number", number.map(Value::from))]
        {
            if let Some(value) = value {
                values.push(value);
                sql.push_str(&format!(" AND users.{column} = ${}", values.len()));
            }
        }
        if let Some(name) = &filter.name {
            values.push(pattern(&name.to_lowercase()).into());
            let lower = values.len();
            // SQLite knows the case of no letter but a to z.
            let as_it_is = if backend == DbBackend::Postgres {
                String::new()
            } else {
                values.push(pattern(name).into());
                format!(" OR users.name LIKE ${} ESCAPE '\\'", values.len())
            };
            sql.push_str(&format!(" AND (lower(users.name) LIKE ${lower} ESCAPE '\\'{as_it_is})"));
        }
        sql.push_str(&format!(" ORDER BY place DESC LIMIT {}", page.rows_asked()));
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let query = ListedUser::find_by_statement(statement).all(&self.database);
        let rows = self.within_deadline(query).await?;
        Ok(Page::new(rows, page.limit, |row| row.place))
    }
}

fn select(order: UserOrder) -> String {
    let user = &*user::COLUMNS;
    let sign_ins =
        format!("('{}', '{}')", EventKind::SignedUp.into_str(), EventKind::SignedIn.into_str());
    match order {
        UserOrder::Newest => format!(
            "SELECT {user}, users.id AS place, (
                SELECT events.created_at FROM events
                WHERE events.user_id = users.id AND events.kind IN {sign_ins}
                ORDER BY events.id DESC LIMIT 1
            ) AS last_sign_in_at FROM users WHERE users.id < $1"
        ),
        UserOrder::LastSignIn => format!(
            "SELECT {user}, signed_in.id AS place, signed_in.created_at AS last_sign_in_at
            FROM events AS signed_in JOIN users ON users.id = signed_in.user_id
            WHERE signed_in.id < $1 AND signed_in.kind IN {sign_ins} AND NOT EXISTS (
                SELECT 1 FROM events AS later WHERE later.user_id = signed_in.user_id
                AND later.id > signed_in.id AND later.kind IN {sign_ins}
            )"
        ),
    }
}

/// What `LIKE` takes for a part of a text.
fn pattern(part: &str) -> String {
    let plain = part.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    format!("%{plain}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_nothing_but_its_text() {
        assert_eq!(pattern(r"50%_\a"), r"%50\%\_\\a%");
    }
}
