//! `api number`: what a number's ledger says, and what keeps it out.

use std::fmt;
use std::time::Duration;

use clap::{Args, Subcommand};
use common::admin;
use common::admin::numbers::{Block, Erased, NumberRecord, Numbers, Unlocked};
use common::runtime::clock::Clock;
use common::runtime::command::{self, CommandError, Output};
use serde::Serialize;

use super::parse_number;
use crate::config::Config;

/// What can be done with a number.
#[derive(Clone, Debug, Subcommand)]
pub enum NumberCommand {
    /// Print what the ledger knows of it
    Show(OneNumber),
    /// Forget its cooldown, its sends, the wrong guesses at it, and a code that they burned
    Unlock(OneNumber),
    /// Refuse to send to it and to sign it in, until it is unblocked
    Block {
        /// Which number, and how to answer.
        #[command(flatten)]
        number: OneNumber,
        /// Only for so many minutes (1 to 525600)
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=525_600))]
        minutes: Option<u64>,
    },
    /// End a block
    Unblock(OneNumber),
    /// Forget its OTPs, their SMS and its known addresses, as its owner may ask; not what guards
    /// against abuse: a block, and for a day when it was sent to and guessed at
    Erase(OneNumber),
}

/// Which number, and how to answer.
#[derive(Args, Clone, Debug)]
pub struct OneNumber {
    /// In any usual spelling; without a country code it belongs to DEFAULT_COUNTRY
    number: String,
    #[command(flatten)]
    output: Output,
}

pub(super) async fn run(command: &NumberCommand, config: &Config) -> Result<(), CommandError> {
    let (NumberCommand::Show(which)
    | NumberCommand::Unlock(which)
    | NumberCommand::Unblock(which)
    | NumberCommand::Erase(which)
    | NumberCommand::Block { number: which, .. }) = command;
    let number = parse_number(&which.number, config)?;
    let numbers =
        Numbers::new(admin::connect(&config.redis)?, config.ledger_settings(), Clock::default());
    let masked = number.to_string();
    let json = which.output.json;
    match command {
        NumberCommand::Show(_) => command::answer(&Shown(numbers.record(&number).await?), json),
        NumberCommand::Unlock(_) => {
            let had = numbers.unlock(number.e164()).await?;
            command::answer(&WasUnlocked { number: masked, had }, json)
        }
        NumberCommand::Block { minutes, .. } => {
            let time = minutes.map(|minutes| Duration::from_secs(minutes * 60));
            let blocked = Some(numbers.block(number.e164(), time).await?);
            command::answer(&Changed { number: masked, blocked, changed: true }, json)
        }
        NumberCommand::Erase(_) => {
            let had = numbers.erase(number.e164()).await?;
            command::answer(&WasErased { number: masked, had }, json)
        }
        NumberCommand::Unblock(_) => {
            let changed = numbers.unblock(number.e164()).await?;
            command::answer(&Changed { number: masked, blocked: None, changed }, json)
        }
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Shown(NumberRecord);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = &self.0;
        writeln!(f, "{}", record.number)?;
        let blocked =
            record.blocked.map_or_else(|| "no".to_owned(), |block| InWords(block).to_string());
        writeln!(f, "  blocked          {blocked}")?;
        writeln!(f, "  cooldown         {} s left", record.cooldown_seconds)?;
        writeln!(
            f,
            "  sends            {} in the last hour, {} in the last day",
            record.sends.hour, record.sends.day
        )?;
        let wrong = record.wrong_guesses;
        writeln!(
            f,
            "  wrong guesses    {} in the last hour, {} in the last day",
            wrong.hour, wrong.day
        )?;
        writeln!(f, "  known addresses  {}", record.known_addresses)?;
        for bucket in &record.buckets {
            writeln!(f, "  bucket           {bucket}")?;
        }
        for code in &record.challenges {
            write!(
                f,
                "  code             {}, {}, expires {}; ",
                code.purpose, code.state, code.expires_at
            )?;
            let known = code.wrong_guesses_from_known_addresses;
            writeln!(f, "wrong guesses: {}, from known addresses: {known}", code.wrong_guesses)?;
        }
        for sms in &record.deliveries {
            write!(
                f,
                "  SMS              {} {} {}",
                sms.requested_at, sms.delivery_id, sms.status
            )?;
            if let Some(reason) = &sms.reason {
                write!(f, " ({reason})")?;
            }
            if let Some(provider) = &sms.provider {
                write!(f, ", {provider}, tries: {}", sms.tries)?;
            }
            writeln!(f)?;
        }
        for happening in &record.history {
            writeln!(f, "  happened         {happening}")?;
        }
        Ok(())
    }
}

struct InWords(Block);

impl fmt::Display for InWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.until {
            Some(until) => write!(f, "until {until}"),
            None => f.write_str("until it is unblocked"),
        }
    }
}

#[derive(Serialize)]
struct WasUnlocked {
    number: String,
    #[serde(rename = "forgotten")]
    had: Unlocked,
}

impl fmt::Display for WasUnlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Unlocked { cooldown, sends, wrong_guesses, burned_codes } = self.had;
        let cooldown = if cooldown { "its cooldown" } else { "no cooldown" };
        write!(f, "{} is unlocked. Forgotten: {cooldown}, sends: {sends}, ", self.number)?;
        write!(f, "wrong guesses: {wrong_guesses}, burned codes: {burned_codes}.")
    }
}

#[derive(Serialize)]
struct WasErased {
    number: String,
    #[serde(rename = "forgotten")]
    had: Erased,
}

impl fmt::Display for WasErased {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Erased { codes, known_addresses } = self.had;
        write!(f, "{} is erased. Forgotten: OTPs: {codes}, ", self.number)?;
        write!(f, "known addresses: {known_addresses}.")
    }
}

#[derive(Serialize)]
struct Changed {
    number: String,
    blocked: Option<Block>,
    changed: bool,
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.blocked, self.changed) {
            (Some(block), _) => write!(f, "{} is blocked {}.", self.number, InWords(block)),
            (None, true) => write!(f, "{} is unblocked.", self.number),
            (None, false) => write!(f, "{} was not blocked.", self.number),
        }
    }
}
