//! What an SMS has to say.

use crate::code::{Code, PurposeKind};
use crate::words::words;

words! {
    /// News that an SMS brings. It carries no code.
    NoticeKind, {
        /// An account has moved away from this number.
        NumberChanged = "number_changed",
    }
}

/// What an SMS has to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    /// A code.
    Code {
        /// What it is for.
        kind: PurposeKind,
        /// The digits.
        code: Code,
    },
    /// News.
    Notice(NoticeKind),
}

impl Message {
    /// The code, if it carries one.
    #[must_use]
    pub fn code(&self) -> Option<&Code> {
        match self {
            Self::Code { code, .. } => Some(code),
            Self::Notice(_) => None,
        }
    }
}
