//! Many users at once.

use std::collections::HashSet;

use sea_orm::{ConnectionTrait, Statement, Value};
use time::OffsetDateTime;

use super::{Accounts, AccountsError};
use crate::domain::person_name::PersonName;
use crate::domain::phone::E164;

/// Users that one statement makes. SQLite takes 32,766 values, and a user has two.
pub const MOST_AT_ONCE: usize = 1_000;

impl Accounts {
    /// Makes users of those numbers that nobody has, at most [`MOST_AT_ONCE`]; returns the numbers
    /// (E.164). The webhook is not told: whoever imports has the list.
    ///
    /// # Errors
    /// [`AccountsError`]; after [`AccountsError::Deadline`] they may be there.
    pub async fn import_users(
        &self,
        users: &[(E164, PersonName)],
        now: OffsetDateTime,
    ) -> Result<HashSet<String>, AccountsError> {
        if users.is_empty() {
            return Ok(HashSet::new());
        }
        let mut values: Vec<Value> = vec![now.into()];
        let mut rows = Vec::with_capacity(users.len());
        for (number, name) in users {
            rows.push(format!("($1, ${}, ${})", values.len() + 1, values.len() + 2));
            values.extend([name.as_str().into(), number.as_str().into()]);
        }
        let sql = format!(
            "INSERT INTO users (created_at, name, phone_number) VALUES {}
            ON CONFLICT (phone_number) DO NOTHING RETURNING phone_number",
            rows.join(", ")
        );
        let backend = self.database.get_database_backend();
        let insert =
            self.database.query_all_raw(Statement::from_sql_and_values(backend, sql, values));
        let made = self.within_deadline(insert).await?;
        let numbers = made.iter().map(|row| row.try_get("", "phone_number"));
        Ok(numbers.collect::<Result<_, _>>()?)
    }
}
