//! What the SMS says.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use common::code::Code;
use common::config::{AppConfig, OtpConfig, SettingError};
use reqwest::Url;

use crate::sms_size::SmsSize;

const DEFAULT: &str = "Thank you for choosing {app}! Your one-time password is {code}.";
/// The longest text that providers take, in characters.
const LONGEST: usize = 1_600;
const LONGEST_HOST: usize = 253;

/// What the SMS says.
#[derive(Args, Clone, Debug)]
pub struct SmsTextConfig {
    /// Text of the SMS, with {code} and, where wanted, {app} and {minutes} (until the OTP expires)
    #[arg(long, env, default_value = DEFAULT)]
    sms_template: Template,
    /// Host of the website whose form phones and browsers may fill the OTP into (WebOTP, Apple), like example.com: it gets a last
    /// line `@example.com #123456`
    #[arg(long, env)]
    otp_origin: Option<OtpOrigin>,
}

impl SmsTextConfig {
    /// The text of all SMS. One that can need more than one segment is logged, because each is paid for.
    ///
    /// # Errors
    /// A text that can be longer than 1,600 characters.
    pub fn text(&self, app: &AppConfig, otp: &OtpConfig) -> Result<SmsText, SettingError> {
        let text =
            SmsText { template: self.sms_template.clone(), app: app.app_name.clone(), origin: self.otp_origin.clone() };
        // All codes are as long, and digits are the same in every encoding; a minute more never makes a text shorter.
        let longest = text.render(&Code::random(otp.otp_length), otp.ttl());
        if longest.chars().count() > LONGEST {
            return Err(SettingError::new("SMS_TEMPLATE", format!("makes a text of more than {LONGEST} characters")));
        }
        let SmsSize { encoding, characters, segments } = SmsSize::of(&longest);
        if segments > 1 {
            tracing::warn!(event = "sms_of_many_segments", setting = "SMS_TEMPLATE", encoding, characters, segments);
        }
        Ok(text)
    }
}

/// Makes the text of each SMS.
#[derive(Clone, Debug)]
pub struct SmsText {
    template: Template,
    app: String,
    origin: Option<OtpOrigin>,
}

impl SmsText {
    /// The text for a code that lives for `left`; with an origin, in the format of origin-bound one-time codes
    /// (<https://wicg.github.io/sms-one-time-codes/>).
    #[must_use]
    pub fn render(&self, code: &Code, left: Duration) -> String {
        let minutes = left.as_millis().div_ceil(60_000).max(1).to_string();
        let mut text: String = self
            .template
            .0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::Code => code.digits(),
                Part::App => &self.app,
                Part::Minutes => &minutes,
            })
            .collect();
        if let Some(OtpOrigin(host)) = &self.origin {
            text.truncate(text.trim_end().len());
            text.push_str(&format!("\n\n@{host} #{}", code.digits()));
        }
        text
    }
}

#[derive(Clone, Debug)]
struct Template(Vec<Part>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Part {
    Text(String),
    Code,
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
            let (name, after) = placeholder.ok_or("has a brace that is no part of a placeholder like {code}")?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(match name {
                "code" => Part::Code,
                "app" => Part::App,
                "minutes" => Part::Minutes,
                _ => return Err("has a placeholder that is none of {code}, {app} and {minutes}"),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        if parts.contains(&Part::Code) { Ok(Self(parts)) } else { Err("has to have {code} in it") }
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
        // What browsers take for an address is none, such as 0x7f.1; nor is broken Punycode.
        match Url::parse(&format!("https://{host}")) {
            Ok(url) if is_name && url.domain() == Some(&host) => Ok(Self(host)),
            _ => Err("has to be a host name like example.com, without https://, port or path"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;

    fn text(template: &str, origin: Option<&str>) -> SmsText {
        let origin = origin.map(|host| host.parse().unwrap());
        SmsText { template: template.parse().unwrap(), app: "Tea & Co".to_owned(), origin }
    }

    #[test]
    fn template_and_what_it_says() {
        let code = Code::parse("123456").unwrap();
        let five_minutes = Duration::from_secs(300);
        for (template, origin, expected) in [
            (DEFAULT, None, "Thank you for choosing Tea & Co! Your one-time password is 123456."),
            ("{code}", None, "123456"),
            ("{code}{code} {app}", None, "123456123456 Tea & Co"),
            ("{minutes}: {code}\n", None, "5: 123456\n"),
            ("{code}", Some("example.com"), "123456\n\n@example.com #123456"),
            ("{app}: {code}.\r\n \n", Some("Sign-In.Example.COM"), "Tea & Co: 123456.\n\n@sign-in.example.com #123456"),
        ] {
            assert_eq!(text(template, origin).render(&code, five_minutes), expected, "{template:?} {origin:?}");
        }
    }

    #[test]
    fn minutes_are_rounded_up_and_never_none() {
        let code = Code::parse("123456").unwrap();
        let text = text("{minutes} {code}", None);
        for (left_ms, minutes) in [(0, "1"), (1, "1"), (60_000, "1"), (60_001, "2"), (299_000, "5"), (600_000, "10")] {
            let expected = format!("{minutes} 123456");
            assert_eq!(text.render(&code, Duration::from_millis(left_ms)), expected, "{left_ms}");
        }
    }

    #[test]
    fn a_template_that_cannot_be_meant_is_refused() {
        for wrong in [
            "",
            "no placeholder",
            "{app} {minutes}",
            "{code",
            "code}",
            "{code} {",
            "{code} }",
            "{code} {}",
            "{code} {Code}",
            "{code} { code }",
            "{code} {name}",
            "{{code}}",
            "{a{code}",
        ] {
            assert!(wrong.parse::<Template>().is_err(), "{wrong}");
        }
    }

    /// 50,000 texts of what templates are made of: one is taken if nothing is left of its braces without the placeholders.
    #[test]
    fn random_templates_are_taken_or_refused_as_they_should_be() {
        const PIECES: [&str; 12] =
            ["{code}", "{app}", "{minutes}", "{", "}", "{code", "app}", "minutes", " ", "\n", "é", "😀"];
        let mut rng = rand::rng();
        let code = Code::parse("123456").unwrap();
        let mut taken = 0;
        for _ in 0..50_000 {
            let length = rng.random_range(0..8);
            let text: String = (0..length).map(|_| PIECES[rng.random_range(0..PIECES.len())]).collect();
            let said = text.replace("{app}", "\0").replace("{minutes}", "\u{1}").replace("{code}", "\u{2}");
            let right = said.contains('\u{2}') && !said.contains(['{', '}']);
            let template = text.parse::<Template>();
            assert_eq!(template.is_ok(), right, "{text:?}");
            if let Ok(template) = template {
                let sms = SmsText { template, app: "App".to_owned(), origin: None };
                let expected = said.replace('\0', "App").replace('\u{1}', "2").replace('\u{2}', "123456");
                assert_eq!(sms.render(&code, Duration::from_secs(61)), expected, "{text:?}");
                taken += 1;
            }
        }
        assert!((500..49_500).contains(&taken), "both kinds came up: {taken}");
    }

    #[test]
    fn an_origin_is_the_name_of_a_host() {
        for (right, host) in [
            ("example.com", "example.com"),
            ("Login.Example.com", "login.example.com"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("localhost", "localhost"),
            ("1.example", "1.example"),
        ] {
            assert_eq!(right.parse::<OtpOrigin>().unwrap().0, host);
        }
        for wrong in [
            "https://example.com",
            "example.com/",
            "example.com/login",
            "example.com:443",
            "user@example.com",
            "@example.com",
            "example .com",
            " example.com",
            "example.com #1",
            "example..com",
            "example.com.",
            ".example.com",
            "-a.example",
            "a-.example",
            "a_b.example",
            "b\u{fc}cher.example",
            "xn--\u{fc}.example",
            "192.0.2.7",
            "0x7f.1",
            "[2001:db8::1]",
            "*.example.com",
            &format!("{}.example", "a".repeat(64)),
            &["a"; 128].join("."),
        ] {
            assert!(wrong.parse::<OtpOrigin>().is_err(), "{wrong}");
        }
    }
}
