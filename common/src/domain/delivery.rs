//! The life of an SMS: where it is, and why it ended.

use crate::domain::words::words;

words! {
    /// Where a delivery is. It only moves forward.
    DeliveryStatus, {
        /// Waits for a worker, or for another try.
        Queued = "queued",
        /// A worker is calling the provider.
        Sending = "sending",
        /// The provider accepted it.
        Sent = "sent",
        /// The phone has it.
        Delivered = "delivered",
        /// The provider could not bring it to the phone.
        Undelivered = "undelivered",
        /// It was not accepted, or nobody knows.
        Failed = "failed",
        /// Nobody wanted it any more.
        Dropped = "dropped",
    }
}

words! {
    /// Why a delivery ended without reaching the phone.
    Reason, {
        /// The provider does not know such a number.
        InvalidNumber = "invalid_number",
        /// The provider does not send to the country.
        CountryNotEnabled = "country_not_enabled",
        /// The recipient wants no messages from this sender.
        OptedOut = "opted_out",
        /// The number takes no SMS.
        NotAMobileNumber = "not_a_mobile_number",
        /// The provider refused it for another reason.
        Rejected = "rejected",
        /// Our settings or account at the provider are wrong.
        Misconfigured = "misconfigured",
        /// Too many messages for the provider.
        Throttled = "throttled",
        /// The provider was not reached, or failed.
        ProviderUnavailable = "provider_unavailable",
        /// The request was written and no answer came: the SMS may arrive or not.
        NoAnswer = "no_answer",
        /// The code was sealed with a secret that is not in use any more.
        CodeUnreadable = "code_unreadable",
        /// The code expired before it could be sent.
        Expired = "expired",
        /// A newer SMS was asked for.
        Replaced = "replaced",
        /// The number has signed in with the code.
        Verified = "verified",
        /// Too many wrong guesses at the code.
        Burned = "burned",
        /// The phone is off or out of reach.
        Unreachable = "unreachable",
        /// The phone or its network blocks the sender.
        Blocked = "blocked",
        /// The number is not in use.
        UnknownNumber = "unknown_number",
        /// A carrier's filter took it for spam.
        CarrierFiltered = "carrier_filtered",
        /// The provider does not say why it did not arrive.
        NotDelivered = "not_delivered",
    }
}

impl Reason {
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
