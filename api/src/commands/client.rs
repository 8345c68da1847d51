//! `api client new`: makes an entry for `CLIENTS_FILE` and its secret. It changes nothing.

use std::fmt;

use clap::{Args, Subcommand};
use common::config::SettingError;
use common::domain::person_name::PersonName;
use common::runtime::command::{self, CommandError, Output};
use serde::Serialize;

use crate::service::registered_clients::{ClientId, ClientSecret};

/// What can be done with registered clients.
#[derive(Clone, Debug, Subcommand)]
pub enum ClientCommand {
    /// Print an entry for CLIENTS_FILE, and its secret, which is kept nowhere
    New(NewClient),
}

/// What the program is called and may do.
#[derive(Args, Clone, Debug)]
pub struct NewClient {
    /// What people call the program
    #[arg(long)]
    name: String,
    /// What it calls itself when it asks: 1 to 64 letters, digits, `-`, `_` and `.` [default: 26
    /// random characters]
    #[arg(long)]
    id: Option<String>,
    /// It is told users' phone numbers, too
    #[arg(long)]
    phone_number: bool,
    #[command(flatten)]
    output: Output,
}

pub(super) fn run(ClientCommand::New(new): &ClientCommand) -> Result<(), CommandError> {
    let wrong = |name: &str, reason: &str| CommandError::from(SettingError::new(name, reason));
    let name = PersonName::parse(&new.name).ok().flatten();
    let name = name.ok_or_else(|| wrong("--name", "has to have 1 to 100 characters"))?;
    let id = match &new.id {
        Some(id) => ClientId::parse(id)
            .ok_or_else(|| wrong("--id", "has to be 1 to 64 letters, digits, -, _ and ."))?,
        None => ClientId::random(),
    };
    let secret = ClientSecret::random();
    let entry = Entry {
        id,
        name: name.as_str().to_owned(),
        secret_hashes: vec![secret.hash().text()],
        introspect: true,
        phone_number: new.phone_number,
    };
    let made = Made { client: entry, secret: secret.expose().to_owned() };
    command::answer(&made, new.output.json)
}

/// As `CLIENTS_FILE` has it.
#[derive(Serialize)]
struct Entry {
    id: ClientId,
    name: String,
    secret_hashes: Vec<String>,
    introspect: bool,
    phone_number: bool,
}

#[derive(Serialize)]
struct Made {
    client: Entry,
    secret: String,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = serde_json::to_string_pretty(&self.client).map_err(|_| fmt::Error)?;
        writeln!(f, "{entry}\n")?;
        writeln!(
            f,
            "The entry goes into the list of CLIENTS_FILE. The secret goes to the program;"
        )?;
        write!(f, "it is shown this once:\n\n{}", self.secret)
    }
}
