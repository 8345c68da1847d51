//! What a code is asked for.

use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::domain::phone::E164;

/// The kinds of [`Purpose`]: what the SMS has to say about its code.
#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq, VariantArray)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum PurposeKind {
    SignIn,
    DeleteAccount,
    /// Moving an account away from a number.
    LeaveNumber,
    /// Moving an account to a number.
    TakeNumber,
}

/// What a code is asked for. A code for one purpose never serves another: not of another kind, nor
/// for another account, nor for a move to another number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose<'a> {
    SignIn,
    /// Deleting an account; sent to its number.
    DeleteAccount {
        user: i64,
    },
    /// Moving an account away from the number that the code is sent to.
    LeaveNumber {
        user: i64,
        /// The number that it moves to.
        new: &'a E164,
    },
    /// Moving an account to the number that the code is sent to.
    TakeNumber {
        user: i64,
    },
}

impl Purpose<'_> {
    /// Without whose account it is about.
    #[must_use]
    pub fn kind(self) -> PurposeKind {
        match self {
            Self::SignIn => PurposeKind::SignIn,
            Self::DeleteAccount { .. } => PurposeKind::DeleteAccount,
            Self::LeaveNumber { .. } => PurposeKind::LeaveNumber,
            Self::TakeNumber { .. } => PurposeKind::TakeNumber,
        }
    }

    /// Whether the code goes to the number that the account has: its owner may leave that number
    /// and delete the account even where the number would be refused today.
    #[must_use]
    pub fn goes_to_own_number(self) -> bool {
        matches!(self, Self::DeleteAccount { .. } | Self::LeaveNumber { .. })
    }

    /// All of it, as keys and seals carry it: the kind, and what follows it after dots, in at most
    /// 49 characters. It may hold a whole number.
    pub(crate) fn text(self) -> String {
        let kind = self.kind().into_str();
        match self {
            Self::SignIn => kind.to_owned(),
            Self::DeleteAccount { user } | Self::TakeNumber { user } => format!("{kind}.{user}"),
            Self::LeaveNumber { user, new } => format!("{kind}.{user}.{}", new.as_str()),
        }
    }
}

impl PurposeKind {
    /// The kind in the text of a purpose.
    pub(crate) fn from_text(text: &str) -> Option<Self> {
        text.split('.').next().and_then(|kind| kind.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_purpose_has_a_text_of_its_own_that_tells_its_kind() {
        let parse = |number: &str| number.parse::<E164>().unwrap();
        let one = parse("+919876543210");
        let other = parse("+919876543211");
        let purposes = [
            Purpose::SignIn,
            Purpose::DeleteAccount { user: 1 },
            Purpose::DeleteAccount { user: 11 },
            Purpose::LeaveNumber { user: 1, new: &one },
            Purpose::LeaveNumber { user: 1, new: &other },
            Purpose::LeaveNumber { user: 11, new: &one },
            Purpose::TakeNumber { user: 1 },
            Purpose::TakeNumber { user: i64::MAX },
        ];
        let mut texts: Vec<_> = purposes.iter().map(|purpose| purpose.text()).collect();
        for (purpose, text) in purposes.iter().zip(&texts) {
            assert_eq!(PurposeKind::from_text(text), Some(purpose.kind()), "{text}");
            assert!(!text.contains([':', '\n']) && text.len() <= 49, "{text}");
        }
        texts.sort();
        texts.dedup();
        assert_eq!(texts.len(), purposes.len());
        assert_eq!(PurposeKind::from_text("number_changed"), None);
    }

    #[test]
    fn debug_shows_no_whole_number() {
        let new = "+919876543210".parse().unwrap();
        assert!(
            !format!("{:?}", Purpose::LeaveNumber { user: 1, new: &new }).contains("9876543210")
        );
    }
}
