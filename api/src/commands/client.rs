//! `api client new`: makes an entry for `CLIENTS_FILE` and its secret. It changes nothing.

use std::fmt;

use clap::{Args, Subcommand};
use common::config::SettingError;
use common::domain::person_name::PersonName;
use common::runtime::command::{self, CommandError, Output};
use serde::Serialize;

use crate::service::registered_clients::{ClientId, ClientSecret, RegisteredClients};

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
    /// Users sign in to it by OpenID Connect, and are led there; may be said again
    #[arg(long)]
    redirect_uri: Vec<String>,
    /// Users who sign out are led there; may be said again
    #[arg(long, requires = "redirect_uri")]
    post_logout_redirect_uri: Vec<String>,
    /// It can keep no secret, as pages and apps on phones cannot
    #[arg(long, requires = "redirect_uri")]
    public: bool,
    /// It may sign users in without PKCE, which it does not know
    #[arg(long, requires = "redirect_uri", conflicts_with = "public")]
    pkce_optional: bool,
    /// It is told e-mail addresses of this domain, which take no mail, like `users.invalid`
    #[arg(long, requires = "redirect_uri")]
    synthetic_email: Option<String>,
    /// It is told there of sessions that end
    #[arg(long, requires = "redirect_uri")]
    backchannel_logout_uri: Option<String>,
    /// It may ask about tokens, although users sign in to it
    #[arg(long, conflicts_with = "public")]
    introspect: bool,
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
    let secret = (!new.public).then(ClientSecret::random);
    let entry = Entry {
        id,
        name: name.as_str().to_owned(),
        secret_hashes: secret.iter().map(|secret| secret.hash().text()).collect(),
        introspect: new.introspect || new.redirect_uri.is_empty(),
        phone_number: new.phone_number,
        redirect_uris: new.redirect_uri.clone(),
        post_logout_redirect_uris: new.post_logout_redirect_uri.clone(),
        pkce: new.pkce_optional.then_some("optional"),
        synthetic_email: new.synthetic_email.clone(),
        backchannel_logout_uri: new.backchannel_logout_uri.clone(),
    };
    // As the API will read it.
    let list = serde_json::to_string(&[&entry]).unwrap_or_default();
    if let Err(faults) = RegisteredClients::parse(&list) {
        let reasons = faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        return Err(wrong("the entry", &reasons));
    }
    let made = Made { client: entry, secret: secret.map(|secret| secret.expose().to_owned()) };
    command::answer(&made, new.output.json)
}

/// As `CLIENTS_FILE` has it.
#[derive(Serialize)]
struct Entry {
    id: ClientId,
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secret_hashes: Vec<String>,
    introspect: bool,
    phone_number: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    redirect_uris: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    post_logout_redirect_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pkce: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    synthetic_email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_logout_uri: Option<String>,
}

#[derive(Serialize)]
struct Made {
    client: Entry,
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = serde_json::to_string_pretty(&self.client).map_err(|_| fmt::Error)?;
        writeln!(f, "{entry}\n")?;
        let Some(secret) = &self.secret else {
            return write!(f, "The entry goes into the list of CLIENTS_FILE. There is no secret.");
        };
        writeln!(
            f,
            "The entry goes into the list of CLIENTS_FILE. The secret goes to the program;"
        )?;
        write!(f, "it is shown this once:\n\n{secret}")
    }
}
