//! `api admin-key`: who may use the admin API.

use std::fmt;

use clap::{Args, Subcommand};
use common::accounts::{Accounts, KeptAdminKey, NewAdminKey};
use common::admin::OperatorError;
use common::config::SettingError;
use common::domain::admin_key::{AdminKey, AdminRole};
use common::domain::cursor::PageRequest;
use common::domain::last_day;
use common::domain::person_name::PersonName;
use common::runtime::clock::{Clock, Timestamp};
use common::runtime::command::{self, CommandError, Output};
use serde::Serialize;
use time::OffsetDateTime;

use crate::config::Config;

/// Keys that are listed.
const MOST_LISTED: u64 = 10_000;

/// What can be done with the keys of the admin API.
#[derive(Clone, Debug, Subcommand)]
pub enum AdminKeyCommand {
    /// Make a key and print it, this once
    Add(NewKey),
    /// Print what is known of all keys
    List(Output),
    /// Remove one: it stops working at once
    Remove(OneKey),
}

/// Whose key it is, and what it may do.
#[derive(Args, Clone, Debug)]
pub struct NewKey {
    /// Whose it is; no other key may have the name
    #[arg(long)]
    name: String,
    /// What its holder may do
    #[arg(long, value_enum, default_value = "operator")]
    role: AdminRole,
    /// The last day on which it works (UTC), like 2027-01-31 [default: it works until it is removed]
    #[arg(long)]
    expires: Option<String>,
    #[command(flatten)]
    output: Output,
}

/// Which key, and how to answer.
#[derive(Args, Clone, Debug)]
pub struct OneKey {
    /// Its name
    #[arg(long)]
    name: String,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(command: &AdminKeyCommand, config: &Config) -> Result<(), CommandError> {
    let accounts = Accounts::connect(&config.database.url(&config.app)?, 1).await?;
    let now = Clock::default().now();
    match command {
        AdminKeyCommand::Add(new) => add(&accounts, new, now).await,
        AdminKeyCommand::List(Output { json }) => {
            let page = PageRequest { cursor: None, limit: MOST_LISTED };
            let keys = accounts.admin_keys(page).await.map_err(OperatorError::from)?;
            command::answer(&Table(keys.rows.into_iter().map(Row::from).collect()), *json)
        }
        AdminKeyCommand::Remove(OneKey { name, output }) => {
            let missing = || CommandError::NotFound(format!("no key is called {name}"));
            let id = accounts.admin_key_named(name).await.map_err(OperatorError::from)?;
            let removed = accounts.remove_admin_key(id.ok_or_else(missing)?, None, now).await;
            let removed = removed.map_err(OperatorError::from)?.ok_or_else(missing)?;
            command::answer(&Removed { removed }, output.json)
        }
    }
}

async fn add(accounts: &Accounts, new: &NewKey, now: OffsetDateTime) -> Result<(), CommandError> {
    let name = PersonName::parse(&new.name).ok().flatten();
    let name =
        name.ok_or_else(|| SettingError::new("--name", "has to have 1 to 100 characters"))?;
    let wrong =
        || SettingError::new("--expires", "has to be a day like 2027-01-31 that is not over");
    let end = |day: &String| last_day::end_after(now, day).ok_or_else(wrong);
    let expires_at = new.expires.as_ref().map(end).transpose()?;
    let key = AdminKey::random();
    let kept = NewAdminKey { key: &key, name: &name, role: new.role, expires_at };
    let kept = accounts.add_admin_key(kept, None, now).await.map_err(OperatorError::from)?;
    let kept = kept.ok_or_else(|| SettingError::new("--name", "is another key's already"))?;
    command::answer(&Added { row: kept.into(), key: key.expose().to_owned() }, new.output.json)
}

#[derive(Serialize)]
struct Row {
    id: i64,
    name: String,
    role: &'static str,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
}

impl From<KeptAdminKey> for Row {
    fn from(key: KeptAdminKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            role: key.role.into_str(),
            created_at: key.created_at.into(),
            expires_at: key.expires_at.map(Into::into),
            last_used_at: key.last_used_at.map(Into::into),
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Table(Vec<Row>);

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:>6} {:8} {:20} {:20} {:20} NAME",
            "ID", "ROLE", "ADDED", "EXPIRES", "LAST USED"
        )?;
        let shown =
            |time: Option<Timestamp>| time.map_or_else(|| "-".to_owned(), |time| time.to_string());
        for Row { id, name, role, created_at, expires_at, last_used_at } in &self.0 {
            let (expires, used) = (shown(*expires_at), shown(*last_used_at));
            writeln!(f, "{id:>6} {role:8} {created_at:20} {expires:20} {used:20} {name}")?;
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Added {
    #[serde(flatten)]
    row: Row,
    key: String,
}

impl fmt::Display for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { name, role, expires_at, .. } = &self.row;
        write!(f, "The key of {name}, {role}")?;
        if let Some(end) = expires_at {
            write!(f, ", until {end}")?;
        }
        write!(f, ". It is shown this once:\n\n{}", self.key)
    }
}

#[derive(Serialize)]
struct Removed {
    removed: String,
}

impl fmt::Display for Removed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "The key of {} is removed.", self.removed)
    }
}
