//! What is written down of an account: its audit trail.

use serde_json::{Map, Value};

use crate::domain::words::words;

words! {
    /// What happened.
    EventKind, {
        /// The number signed in for the first time.
        SignedUp = "signed_up",
        /// The number signed in again.
        SignedIn = "signed_in",
        /// A session got a new token.
        Renewed = "renewed",
        /// A session was ended.
        SignedOut = "signed_out",
        /// The account has another number.
        NumberChanged = "number_changed",
    }
}

words! {
    /// Why a session was ended.
    SessionEnd, {
        /// By itself.
        SignedOut = "signed_out",
        /// By another session of the same user.
        EndedElsewhere = "ended_elsewhere",
        /// With all, or all others, at once.
        SignedOutEverywhere = "signed_out_everywhere",
        /// By the operator.
        EndedByOperator = "ended_by_operator",
        /// A newer sign-in took its place.
        SessionLimit = "session_limit",
        /// The account moved to another number.
        NumberChanged = "number_changed",
    }
}

/// What else there is to say, by kind. Never a code, a token or a whole number.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct EventDetails {
    /// What signed in, where it said so.
    pub device: Option<String>,
    /// Why a session was ended.
    pub reason: Option<SessionEnd>,
    /// The number that the account had, masked.
    pub old_number: Option<String>,
    /// The number that it has since, masked.
    pub new_number: Option<String>,
}

impl EventDetails {
    /// As the database keeps them: an object in JSON.
    pub(crate) fn to_json(&self) -> String {
        let reason = self.reason.map(|reason| reason.as_str().to_owned());
        let known = [
            ("device", self.device.clone()),
            ("reason", reason),
            ("old_number", self.old_number.clone()),
            ("new_number", self.new_number.clone()),
        ];
        let said = known.into_iter().filter_map(|(name, text)| Some((name.to_owned(), Value::String(text?))));
        Value::Object(said.collect::<Map<_, _>>()).to_string()
    }

    /// What cannot be read, because a later version wrote it, says nothing.
    pub(crate) fn from_json(text: &str) -> Self {
        let object: Map<String, Value> = serde_json::from_str(text).unwrap_or_default();
        let said = |name| object.get(name).and_then(Value::as_str);
        let text = |name| said(name).map(str::to_owned);
        Self {
            device: text("device"),
            reason: said("reason").and_then(SessionEnd::from_ledger),
            old_number: text("old_number"),
            new_number: text("new_number"),
        }
    }
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
        for (text, device) in [(r#"{"device":"a","reason":"later","x":[1]}"#, Some("a")), ("{}", None), ("", None)] {
            let details = EventDetails { device: device.map(str::to_owned), ..EventDetails::default() };
            assert_eq!(EventDetails::from_json(text), details, "{text}");
        }
    }
}
