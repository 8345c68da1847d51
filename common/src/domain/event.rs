//! What is written down of an account: its audit trail.

use serde::{Deserialize, Deserializer, Serialize};
use strum::{EnumString, IntoStaticStr};

#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum EventKind {
    /// The number signed in for the first time.
    SignedUp,
    /// The number signed in again.
    SignedIn,
    /// A session got a new token.
    Renewed,
    SignedOut,
    /// The account has another number.
    NumberChanged,
    /// The user has another name.
    NameChanged,
    /// The user has another picture, or none any more.
    PictureChanged,
    /// There is a link by which others get a file.
    FileLinkMade,
}

/// Why a session was ended.
#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum SessionEnd {
    SignedOut,
    /// By another session of the same user.
    EndedElsewhere,
    /// With all, or all others, at once.
    SignedOutEverywhere,
    EndedByOperator,
    /// A newer sign-in took its place.
    SessionLimit,
    /// The account moved to another number.
    NumberChanged,
}

/// What else there is to say, by kind. Never a code, a token or a whole number.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct EventDetails {
    /// What signed in, where it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Why a session was ended.
    #[serde(deserialize_with = "known", skip_serializing_if = "Option::is_none")]
    pub reason: Option<SessionEnd>,
    /// The number that the account had, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_number: Option<String>,
    /// The number that it has since, masked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new_number: Option<String>,
}

impl EventDetails {
    /// As the database keeps them.
    pub(crate) fn to_json(&self) -> String {
        serde_json::json!(self).to_string()
    }

    /// What cannot be read, because a later version wrote it, says nothing.
    pub(crate) fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }
}

/// A reason that only a later version knows is none.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SessionEnd>, D::Error> {
    let word = Option::<String>::deserialize(deserializer)?;
    Ok(word.and_then(|word| word.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_read_back_and_what_is_unknown_is_passed_over() {
        let all = EventDetails {
            device: Some("a \"phone\"".to_owned()),
            reason: Some(SessionEnd::SessionLimit),
            old_number: Some("+91********10".to_owned()),
            new_number: Some("+91********11".to_owned()),
        };
        let json = r#"{"device":"a \"phone\"","new_number":"+91********11","old_number":"+91********10","reason":"session_limit"}"#;
        assert_eq!(all.to_json(), json);
        assert_eq!(EventDetails::from_json(&all.to_json()), all);
        assert_eq!(EventDetails::default().to_json(), "{}");
        for (text, device) in
            [(r#"{"device":"a","reason":"later","x":[1]}"#, Some("a")), ("{}", None), ("", None)]
        {
            let details =
                EventDetails { device: device.map(str::to_owned), ..EventDetails::default() };
            assert_eq!(EventDetails::from_json(text), details, "{text}");
        }
    }
}
