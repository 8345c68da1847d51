//! What an SMS has to say.

use crate::domain::otp::Otp;
use crate::domain::purpose::PurposeKind;
use crate::domain::words::words;

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
    Otp {
        /// What it is for.
        kind: PurposeKind,
        /// The digits.
        code: Otp,
    },
    /// News.
    Notice(NoticeKind),
}

impl Message {
    /// The code, if it carries one.
    #[must_use]
    pub fn code(&self) -> Option<&Otp> {
        match self {
            Self::Otp { code, .. } => Some(code),
            Self::Notice(_) => None,
        }
    }
}
