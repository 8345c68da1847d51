//! Which error of ours, of common's and of poem's is which [`ErrorKind`].

use common::accounts::AccountsError;
use common::admin::OperatorError;
use common::admin::buckets::WrongBucket;
use common::domain::person_name::InvalidPersonName;
use common::domain::phone::InvalidPhoneNumber;
use common::ledger::error::LedgerError;
use common::ledger::idempotency::IdempotencyError;
use common::ledger::limits::LimitKind;
use poem::error::{MethodNotAllowedError, NotFoundError};
use poem_openapi::error::{AuthorizationError, ParseParamError, ParsePathError};

use super::{ApiError, ErrorKind};
use crate::http::strict_json::PayloadError;
use crate::service::challenge::ChallengeError;
use crate::service::deletion::DeletionError;
use crate::service::jwts::JwtError;
use crate::service::number_change::NumberChangeError;
use crate::service::otp_service::{SendError, VerifyError};

impl From<InvalidPhoneNumber> for ApiError {
    fn from(_: InvalidPhoneNumber) -> Self {
        ErrorKind::InvalidPhoneNumber.into()
    }
}

impl From<InvalidPersonName> for ApiError {
    fn from(_: InvalidPersonName) -> Self {
        ErrorKind::InvalidPersonName.into()
    }
}

impl From<SendError> for ApiError {
    fn from(error: SendError) -> Self {
        match error {
            SendError::DestinationNotAllowed => ErrorKind::DestinationNotAllowed.into(),
            SendError::Refused { kind: kind @ LimitKind::Blocked, .. } => {
                ErrorKind::Refused(kind).into()
            }
            SendError::Refused { kind, retry_after } => {
                Self::retry_after(ErrorKind::Refused(kind), retry_after)
            }
            SendError::ChallengeRequired { challenge, retry_after } => {
                Self::challenge(challenge, retry_after)
            }
            SendError::Challenge(ChallengeError::Provider(name)) => {
                ErrorKind::ChallengeNotChecked(name).into()
            }
            SendError::Store(error) | SendError::Challenge(ChallengeError::Store(error)) => {
                error.into()
            }
        }
    }
}

impl From<VerifyError> for ApiError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Wrong => ErrorKind::InvalidOtp.into(),
            VerifyError::Otp(error) => error.into(),
            VerifyError::Accounts(error) => error.into(),
            VerifyError::Cancelled(_) => ErrorKind::Internal.into(),
        }
    }
}

impl From<DeletionError> for ApiError {
    fn from(error: DeletionError) -> Self {
        match error {
            DeletionError::Verify(error) => error.into(),
            DeletionError::Outdated => ErrorKind::EditConflict.into(),
        }
    }
}

impl From<NumberChangeError> for ApiError {
    fn from(error: NumberChangeError) -> Self {
        match error {
            NumberChangeError::Same => ErrorKind::SamePhoneNumber.into(),
            NumberChangeError::Send(error) => error.into(),
            NumberChangeError::Verify(error) => error.into(),
            NumberChangeError::Taken => ErrorKind::PhoneNumberTaken.into(),
            NumberChangeError::Outdated => ErrorKind::EditConflict.into(),
        }
    }
}

impl From<JwtError> for ApiError {
    fn from(error: JwtError) -> Self {
        match error {
            JwtError::NoKeys => ErrorKind::NoSigningKeys.into(),
            JwtError::Busy => ErrorKind::TooManyJwts.into(),
            JwtError::Signing(error) => {
                tracing::error!(event = "jwt_not_signed", %error);
                ErrorKind::Internal.into()
            }
        }
    }
}

impl From<IdempotencyError> for ApiError {
    fn from(error: IdempotencyError) -> Self {
        match error {
            IdempotencyError::Store(error) => error.into(),
            IdempotencyError::CannotOpen => {
                tracing::error!(event = "kept_answer_unreadable", %error);
                ErrorKind::Internal.into()
            }
        }
    }
}

impl From<PayloadError> for ErrorKind {
    fn from(error: PayloadError) -> Self {
        match error {
            PayloadError::Invalid(_) => Self::InvalidPayload,
            PayloadError::TimedOut => Self::RequestTimeout,
            PayloadError::TooLarge => Self::PayloadTooLarge,
            PayloadError::Overloaded => Self::Overloaded,
            PayloadError::UnsupportedMediaType => Self::UnsupportedMediaType,
        }
    }
}

impl From<LedgerError> for ApiError {
    fn from(error: LedgerError) -> Self {
        tracing::error!(event = "otp_store_unavailable", %error);
        ErrorKind::OtpStoreUnavailable.into()
    }
}

impl From<AccountsError> for ApiError {
    fn from(error: AccountsError) -> Self {
        tracing::error!(event = "user_store_unavailable", %error);
        ErrorKind::UserStoreUnavailable.into()
    }
}

impl From<WrongBucket> for ApiError {
    fn from(error: WrongBucket) -> Self {
        match error {
            WrongBucket::Number(error) => error.into(),
            WrongBucket::Of(_) => ErrorKind::InvalidBucket.into(),
        }
    }
}

/// Operators are told which of the stores it is.
impl From<OperatorError> for ApiError {
    fn from(error: OperatorError) -> Self {
        match error {
            OperatorError::Redis(_) | OperatorError::RedisAway => {
                tracing::error!(event = "otp_store_unavailable", %error);
                ErrorKind::RedisUnavailable.into()
            }
            OperatorError::Accounts(error) => error.into(),
            OperatorError::Setting(error) => {
                tracing::error!(event = "unforeseen_error", %error);
                ErrorKind::Internal.into()
            }
        }
    }
}

/// What poem and its extractors raise.
impl From<poem::Error> for ApiError {
    fn from(error: poem::Error) -> Self {
        if let Some(error) = error.downcast_ref::<Self>() {
            return error.clone();
        }
        let kind = match error.downcast_ref::<PayloadError>() {
            Some(error) => ErrorKind::from(*error),
            None if error.is::<NotFoundError>() => ErrorKind::NotFound,
            None if error.is::<MethodNotAllowedError>() => ErrorKind::MethodNotAllowed,
            None if error.is::<AuthorizationError>() => ErrorKind::Unauthorized,
            None if error.is::<ParseParamError>() || error.is::<ParsePathError>() => {
                ErrorKind::InvalidParameter
            }
            None if error.status().is_client_error() => ErrorKind::InvalidPayload,
            None => {
                tracing::error!(event = "unforeseen_error", %error);
                ErrorKind::Internal
            }
        };
        kind.into()
    }
}
