//! The life of an SMS: where it is, and why it ended.

use strum::{EnumString, IntoStaticStr};

/// Where a delivery is. It only moves forward.
#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum DeliveryStatus {
    /// Waits for a worker, or for another try.
    Queued,
    /// A worker is calling the provider.
    Sending,
    Sent,
    Delivered,
    /// The provider could not bring it to the phone.
    Undelivered,
    /// It was not accepted, or nobody knows.
    Failed,
    /// Nobody wanted it any more.
    Dropped,
}

/// Why a delivery ended without reaching the phone.
#[derive(Clone, Copy, Debug, EnumString, Eq, IntoStaticStr, PartialEq)]
#[strum(const_into_str, serialize_all = "snake_case")]
pub enum Reason {
    /// The provider does not know such a number.
    InvalidNumber,
    /// The provider does not send to the country.
    CountryNotEnabled,
    /// The recipient wants no messages from this sender.
    OptedOut,
    /// The number takes no SMS.
    NotAMobileNumber,
    /// The provider refused it for another reason.
    Rejected,
    /// Our settings or account at the provider are wrong.
    Misconfigured,
    /// Too many messages for the provider.
    Throttled,
    /// The provider was not reached, or failed.
    ProviderUnavailable,
    /// The request was written and no answer came: the SMS may arrive or not.
    NoAnswer,
    /// The code was sealed with a secret that is not in use any more.
    CodeUnreadable,
    /// The code expired before it could be sent.
    Expired,
    /// A newer SMS was asked for.
    Replaced,
    /// The number has signed in with the code.
    Verified,
    /// Too many wrong guesses at the code.
    Burned,
    /// The phone is off or out of reach.
    Unreachable,
    /// The phone or its network blocks the sender.
    Blocked,
    /// The number is not in use.
    UnknownNumber,
    /// A carrier's filter took it for spam.
    CarrierFiltered,
    /// The provider does not say why it did not arrive.
    NotDelivered,
}

impl Reason {
    /// Whether the provider refused the number that it was to send to.
    #[must_use]
    pub fn is_the_number_s(self) -> bool {
        matches!(
            self,
            Self::InvalidNumber
                | Self::CountryNotEnabled
                | Self::OptedOut
                | Self::NotAMobileNumber
                | Self::Rejected
        )
    }

    /// Whether another SMS to the same number may fare better.
    #[must_use]
    pub fn asking_again_helps(self) -> bool {
        match self {
            Self::Throttled
            | Self::ProviderUnavailable
            | Self::NoAnswer
            | Self::CodeUnreadable
            | Self::Expired
            | Self::Burned
            | Self::Unreachable
            | Self::NotDelivered => true,
            Self::InvalidNumber
            | Self::CountryNotEnabled
            | Self::OptedOut
            | Self::NotAMobileNumber
            | Self::Rejected
            | Self::Misconfigured
            | Self::Replaced
            | Self::Verified
            | Self::Blocked
            | Self::UnknownNumber
            | Self::CarrierFiltered => false,
        }
    }
}
