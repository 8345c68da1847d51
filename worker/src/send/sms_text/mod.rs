//! The text of each SMS.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use common::config::{AppConfig, OtpConfig, SettingError};
use common::domain::message::{Message, NoticeKind};
use common::domain::otp::Otp;
use common::domain::purpose::PurposeKind;
use reqwest::Url;
use strum::VariantArray;

use crate::send::sms_size::SmsSize;

const DEFAULT: &str = "Thank you for choosing {app}! Your one-time password is {code}.";
/// The longest text that providers take, in characters.
const LONGEST: usize = 1_600;
/// RFC 1035, without the dot at the end.
const LONGEST_HOST: usize = 253;

#[derive(Args, Clone, Debug)]
pub struct SmsTextConfig {
    /// Text of the SMS with a sign-in's OTP, with `{code}` and, where wanted, `{app}` and
    /// `{minutes}` (until the OTP expires). One that takes more than one segment is logged at
    /// start, because each is paid for. The SMS of deletions and changes of number have fixed texts
    /// with APP_NAME in them
    #[arg(long, env, default_value = DEFAULT)]
    sms_template: Template,
    /// Host of the website whose form phones and browsers may fill the OTP into (WebOTP, Apple),
    /// like
    /// `example.com`: the SMS gets a last line `@example.com #123456`
    #[arg(long, env)]
    otp_origin: Option<OtpOrigin>,
}

impl SmsTextConfig {
    /// Logs each text that can take more than one segment, because each segment is paid for.
    ///
    /// # Errors
    /// A text that can be longer than 1,600 characters.
    pub fn text(&self, app: &AppConfig, otp: &OtpConfig) -> Result<SmsText, SettingError> {
        let text = SmsText {
            template: self.sms_template.clone(),
            app: app.app_name.clone(),
            origin: self.otp_origin.clone(),
        };
        // A text is longest with the whole life of an OTP left; which digits the OTP has makes no
        // difference.
        let code = Otp::random(otp.otp_length);
        let codes = PurposeKind::VARIANTS
            .iter()
            .map(|kind| Message::Otp { kind: *kind, code: code.clone() });
        for message in codes.chain(NoticeKind::VARIANTS.iter().map(|kind| Message::Notice(*kind))) {
            check_size(&message, &text.render(&message, otp.ttl()))?;
        }
        Ok(text)
    }
}

fn check_size(message: &Message, longest: &str) -> Result<(), SettingError> {
    // The app's name is the one part of the other texts that an operator chooses.
    let setting = match message {
        Message::Otp { kind: PurposeKind::SignIn, .. } => "SMS_TEMPLATE",
        Message::Otp { .. } | Message::Notice(_) => "APP_NAME",
    };
    if longest.chars().count() > LONGEST {
        return Err(SettingError::new(
            setting,
            format!("makes a text of more than {LONGEST} characters"),
        ));
    }
    let SmsSize { encoding, characters, segments } = SmsSize::of(longest);
    if segments > 1 {
        tracing::warn!(event = "sms_of_many_segments", setting, encoding, characters, segments);
    }
    Ok(())
}

#[derive(Clone, Debug)]
pub struct SmsText {
    template: Template,
    app: String,
    origin: Option<OtpOrigin>,
}

impl SmsText {
    /// The text of a message that expires after `left`. Where there is an origin, an OTP gets the
    /// last line of an origin-bound one-time code (<https://wicg.github.io/sms-one-time-codes/>).
    #[must_use]
    pub fn render(&self, message: &Message, left: Duration) -> String {
        let mut text = match message {
            Message::Otp { kind, code } => self.otp_text(*kind, code, left),
            Message::Notice(kind) => self.notice_text(*kind),
        };
        if let (Some(OtpOrigin(host)), Some(code)) = (&self.origin, message.code()) {
            text.truncate(text.trim_end().len());
            text.push_str(&format!("\n\n@{host} #{}", code.digits()));
        }
        text
    }

    /// An OTP that can cost its owner the account says what it is for, so that nobody passes it on
    /// to somebody who "only wants to sign you in".
    fn otp_text(&self, kind: PurposeKind, code: &Otp, left: Duration) -> String {
        let digits = code.digits();
        let app = &self.app;
        match kind {
            PurposeKind::SignIn => self.template.fill(code, app, left),
            PurposeKind::DeleteAccount => {
                format!("{digits} is your code to delete your {app} account. Never share it.")
            }
            PurposeKind::LeaveNumber => {
                format!(
                    "{digits} is your code to move your {app} account away from this number. Never share it."
                )
            }
            PurposeKind::TakeNumber => {
                format!(
                    "{digits} is your code to use this number for your {app} account. Never share it."
                )
            }
        }
    }

    fn notice_text(&self, kind: NoticeKind) -> String {
        let app = &self.app;
        match kind {
            NoticeKind::NumberChanged => format!(
                "The phone number of your {app} account was changed: this one no longer opens it. \
                 Was that not you? Contact support."
            ),
        }
    }
}

#[derive(Clone, Debug)]
struct Template(Vec<Part>);

impl Template {
    fn fill(&self, code: &Otp, app: &str, left: Duration) -> String {
        let minutes = left.as_millis().div_ceil(60_000).max(1).to_string();
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Otp => code.digits(),
            Part::App => app,
            Part::Minutes => &minutes,
        });
        parts.collect()
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Otp,
    App,
    Minutes,
}

impl FromStr for Template {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, brace)) = rest.find(['{', '}']).map(|at| rest.split_at(at)) {
            let placeholder = brace.strip_prefix('{').and_then(|inside| inside.split_once('}'));
            let (name, after) =
                placeholder.ok_or("has a brace that is no part of a placeholder like {code}")?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(match name {
                "code" => Part::Otp,
                "app" => Part::App,
                "minutes" => Part::Minutes,
                _ => return Err("has a placeholder that is none of {code}, {app} and {minutes}"),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        if parts.contains(&Part::Otp) { Ok(Self(parts)) } else { Err("has to have {code} in it") }
    }
}

/// The host of an https origin.
#[derive(Clone, Debug)]
struct OtpOrigin(String);

impl FromStr for OtpOrigin {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let host = text.to_ascii_lowercase();
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_name = host.len() <= LONGEST_HOST && host.split('.').all(is_label);
        // Neither an IP address as browsers read it (0x7f.1 is one) nor broken Punycode is a host
        // name.
        match Url::parse(&format!("https://{host}")) {
            Ok(url) if is_name && url.domain() == Some(&host) => Ok(Self(host)),
            _ => Err("has to be a host name like example.com, without https://, port or path"),
        }
    }
}

#[cfg(test)]
mod tests;
