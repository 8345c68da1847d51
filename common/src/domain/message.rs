//! What an SMS has to say.

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::domain::otp::Otp;
use crate::domain::purpose::PurposeKind;

/// News that an SMS brings. It carries no code.
#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq, VariantArray)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum NoticeKind {
    /// An account has moved away from this number.
    NumberChanged,
}

/// What an SMS has to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Message {
    Otp { kind: PurposeKind, code: Otp },
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
