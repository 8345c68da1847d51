//! Users as operators look for them.

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, FromQueryResult, Statement,
    TransactionTrait, Value,
};
use time::OffsetDateTime;

use super::{Accounts, AccountsError};
use crate::accounts::entities::user;
use crate::domain::cursor::{Cursor, Page, PageRequest};
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

impl UserFilter {
    /// Whether it is known who fits before they are looked for, but for those who do not.
    fn is_of_one(&self) -> bool {
        self.id.is_some() || self.number.is_some()
    }
}

/// Events that one page reads at most of those who signed in last: of most of them a later one tells.
const MOST_SIGN_INS_READ: i64 = 20_000;
/// Names that one page reads at most where no index finds them.
const MOST_NAMES_READ: i64 = 100_000;

/// A statement that is planned without what it looks for reads everything where an index would do.
/// Translating it costs more than it takes.
const PLAN_ANEW: &str = "SET LOCAL plan_cache_mode = force_custom_plan; SET LOCAL jit = off";

impl Accounts {
    /// A part of a list of users. It may be shorter than the limit, or empty, and not be the last
    /// one: where users cannot be found by an index, a page reads no more than it can in 0.3 s.
    ///
    /// # Errors
    /// [`AccountsError`].
    pub async fn list_users(
        &self,
        filter: &UserFilter,
        order: UserOrder,
        page: PageRequest,
    ) -> Result<Page<ListedUser>, AccountsError> {
        let is_postgres = self.database.get_database_backend() == DbBackend::Postgres;
        self.within_deadline(async {
            if !is_postgres || filter.is_of_one() {
                return list(&self.database, filter, order, page).await;
            }
            let transaction = self.begin_planned_anew().await?;
            let found = list(&transaction, filter, order, page).await?;
            transaction.commit().await?;
            Ok(found)
        })
        .await
    }
}

impl Accounts {
    /// Begins to read what PostgreSQL plans by what is looked for.
    pub(super) async fn begin_planned_anew(&self) -> Result<DatabaseTransaction, DbErr> {
        let transaction = self.database.begin().await?;
        if self.database.get_database_backend() == DbBackend::Postgres {
            transaction.execute_unprepared(PLAN_ANEW).await?;
        }
        Ok(transaction)
    }
}

async fn list(
    connection: &impl ConnectionTrait,
    filter: &UserFilter,
    order: UserOrder,
    page: PageRequest,
) -> Result<Page<ListedUser>, DbErr> {
    let backend = connection.get_database_backend();
    let last_read = last_read(connection, filter, order, page).await?;
    let mut sql = select(order, filter.is_of_one(), backend);
    let mut values: Vec<Value> = vec![page.before().into(), last_read.unwrap_or(0).into()];
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
    let rows = ListedUser::find_by_statement(statement).all(connection).await?;
    let mut found = Page::new(rows, page.limit, |row| row.place);
    if found.next.is_none() {
        found.next = last_read.map(Cursor::after);
    }
    Ok(found)
}

/// The place of the last row that this page reads, where more are behind it and it may not read
/// them.
async fn last_read(
    connection: &impl ConnectionTrait,
    filter: &UserFilter,
    order: UserOrder,
    page: PageRequest,
) -> Result<Option<i64>, DbErr> {
    let (table, most) = match order {
        _ if filter.is_of_one() => return Ok(None),
        UserOrder::LastSignIn => ("events", MOST_SIGN_INS_READ),
        UserOrder::Newest => match &filter.name {
            Some(name) if !is_indexed(connection, name).await? => ("users", MOST_NAMES_READ),
            _ => return Ok(None),
        },
    };
    let sql = format!("SELECT id FROM {table} WHERE id < $1 ORDER BY id DESC LIMIT 1 OFFSET $2");
    let values = [page.before().into(), (most - 1).into()];
    let backend = connection.get_database_backend();
    let row =
        connection.query_one_raw(Statement::from_sql_and_values(backend, sql, values)).await?;
    row.map(|row| row.try_get("", "id")).transpose()
}

/// Whether an index finds names by this part of them. It knows three letters or digits in a row, and
/// is there where PostgreSQL has the extension for it.
async fn is_indexed(connection: &impl ConnectionTrait, part: &str) -> Result<bool, DbErr> {
    const SQL: &str = "SELECT 1 FROM pg_index
        WHERE indexrelid = to_regclass('users_by_part_of_name') AND indisvalid";
    let mut words = part.split(|char: char| !char.is_alphanumeric());
    let backend = connection.get_database_backend();
    if backend != DbBackend::Postgres || !words.any(|word| word.chars().count() >= 3) {
        return Ok(false);
    }
    Ok(connection.query_one_raw(Statement::from_string(backend, SQL)).await?.is_some())
}

/// Takes the place that the rows come after ($1), and that of the last one ($2).
fn select(order: UserOrder, is_of_one: bool, backend: DbBackend) -> String {
    let offset = if backend == DbBackend::Postgres { "OFFSET 0" } else { "" };
    let user = &*user::COLUMNS;
    let sign_ins =
        format!("('{}', '{}')", EventKind::SignedUp.into_str(), EventKind::SignedIn.into_str());
    let last = |column: &str, user: &str| {
        format!(
            "(SELECT last.{column} FROM events AS last
            WHERE last.user_id = {user} AND last.kind IN {sign_ins} ORDER BY last.id DESC LIMIT 1)"
        )
    };
    match order {
        UserOrder::Newest => format!(
            "SELECT {user}, users.id AS place, {} AS last_sign_in_at
            FROM users WHERE users.id < $1 AND users.id >= $2",
            last("created_at", "users.id")
        ),
        // Who signed in last is at one place, whatever that is.
        UserOrder::LastSignIn if is_of_one => format!(
            "SELECT {user}, signed_in.id AS place, signed_in.created_at AS last_sign_in_at
            FROM users JOIN events AS signed_in ON signed_in.id = {}
            WHERE signed_in.id < $1 AND signed_in.id >= $2",
            last("id", "users.id")
        ),
        // Not by a join, which would read all events first where it thinks that there are few. And
        // the offset keeps PostgreSQL from beginning with the users.
        UserOrder::LastSignIn => format!(
            "SELECT {user}, signed_in.id AS place, signed_in.created_at AS last_sign_in_at
            FROM (
                SELECT one.id, one.user_id, one.created_at FROM events AS one
                WHERE one.id < $1 AND one.id >= $2 AND one.kind IN {sign_ins} AND one.id = {}
                ORDER BY one.id DESC {offset}
            ) AS signed_in JOIN users ON users.id = signed_in.user_id WHERE true",
            last("id", "one.user_id")
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
