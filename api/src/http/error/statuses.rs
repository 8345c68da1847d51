//! The one place where a failure becomes a status, a code and a message.

use std::time::Duration;

use common::ledger::limits::LimitKind;
use poem::http::StatusCode;
use serde_json::{Value, json};

/// What can go wrong, as a client sees it. Internals never reach one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ErrorKind {
    #[error("Phone number is required")]
    PhoneNumberRequired,
    /// The body has neither a name nor an OTP.
    #[error("Name is required for OTP generation")]
    NameRequired,
    /// The body is not one JSON object of the documented shape.
    #[error("Invalid request payload")]
    InvalidPayload,
    /// The body has one of two OTPs.
    #[error(
        "Both OTPs are required: the one sent to the current number and the one sent to the new number"
    )]
    BothOtpsRequired,
    #[error(
        "Invalid audience: it has to have 1 to 255 characters, none of them a control character, and not to be the id of an OpenID client"
    )]
    InvalidAudience,
    /// A parameter of the query or the path is not as documented.
    #[error("Invalid query parameter")]
    InvalidParameter,
    #[error("Invalid phone number")]
    InvalidPhoneNumber,
    #[error("This is the account's phone number already")]
    SamePhoneNumber,
    #[error("The phone number belongs to another account")]
    PhoneNumberTaken,
    /// The name is too long or has control characters.
    #[error("Invalid name: it has to have 1 to 100 characters, none of them a control character")]
    InvalidPersonName,
    /// Wrong, used, burned or expired, malformed, or never asked for: one answer for all.
    #[error("Invalid or expired OTP")]
    InvalidOtp,
    /// The header is not `Bearer` and a live token.
    #[error("Invalid authorization header")]
    InvalidAuthorizationHeader,
    /// A protected route without the header.
    #[error("Unauthorized")]
    Unauthorized,
    /// SMS are not sent to that country or kind of number.
    #[error("SMS are not sent to this number's country or type")]
    DestinationNotAllowed,
    /// A report that its sender did not sign.
    #[error("Bad signature")]
    BadSignature,
    #[error("Not found")]
    NotFound,
    #[error("This service signs no JWTs: SIGNING_KEY_FILES is not set")]
    NoSigningKeys,
    /// Signatures that others asked for take all places.
    #[error("Too many JWTs are being signed. Try again soon.")]
    TooManyJwts,
    #[error("Method not allowed")]
    MethodNotAllowed,
    /// The user has changed since the version that the client knows.
    #[error("Somebody else changed this meanwhile; read it again")]
    EditConflict,
    #[error("Too many new names within an hour; try again later")]
    TooManyNames,
    #[error("This service keeps no files: FILES_URL is not set")]
    FilesOff,
    #[error(
        "Invalid file name: it has to have 1 to 255 bytes, none of them a control character, and not to be . or .."
    )]
    InvalidFileName,
    /// A header of tus, or a form, is missing or malformed.
    #[error("Invalid upload: its headers are not as tus 1.0 has them, or its form has no file")]
    InvalidUpload,
    #[error("This speaks tus 1.0.0")]
    UnsupportedTusVersion,
    #[error("An upload without tus needs a Content-Length")]
    LengthRequired,
    #[error("The file is too large")]
    FileTooLarge,
    /// Of tus: more bytes than were announced.
    #[error("The upload has more bytes than were announced")]
    TooManyBytes,
    #[error("You have as many files as you may have")]
    TooManyFiles,
    #[error("Your files have as many bytes as they may have")]
    NoFileRoom,
    #[error("Too many of your uploads run at once; try again soon")]
    TooManyUploads,
    #[error("Files of this type are not taken")]
    FileTypeNotAllowed,
    #[error("The upload is at another offset")]
    WrongUploadOffset,
    #[error("The upload has expired")]
    UploadExpired,
    #[error("Another request writes to this upload")]
    UploadLocked,
    #[error("The bytes do not fit the checksum")]
    ChecksumMismatch,
    #[error("The service stops; go on with the upload in a moment")]
    Stopping,
    #[error("The file store is full")]
    FileStoreFull,
    #[error(
        "Invalid link: it has to live for 60 seconds to as long as the service allows, and to be used 1 to 1,000,000 times"
    )]
    InvalidLink,
    #[error("The picture has too many bytes")]
    PictureTooLarge,
    #[error("A picture has to be a JPEG, a PNG or a WebP")]
    NotAPicture,
    #[error("Too many pictures within an hour; try again later")]
    TooManyPictures,
    #[error("The file has as many links as it may have")]
    TooManyLinks,
    #[error("Too many new links within an hour; try again later")]
    TooManyNewLinks,
    /// `If-Match` or `If-Unmodified-Since` is about another file.
    #[error("The file is another one by now")]
    PreconditionFailed,
    #[error("The file has no bytes there")]
    RangeNotSatisfiable,
    #[error("The request took too long to arrive")]
    RequestTimeout,
    #[error("Invalid request payload")]
    PayloadTooLarge,
    /// The body is not announced as JSON.
    #[error("Invalid request payload")]
    UnsupportedMediaType,
    /// The `Idempotency-Key` header cannot be read.
    #[error("Invalid Idempotency-Key: it has to have 1 to 255 visible ASCII characters")]
    InvalidIdempotencyKey,
    /// The first request with the key still runs.
    #[error("A request with this Idempotency-Key is still running")]
    IdempotencyKeyInUse,
    /// The key belongs to a request with another body.
    #[error("This Idempotency-Key was used with another request payload")]
    IdempotencyKeyReused,
    #[error("{}", .0.message())]
    Refused(LimitKind),
    /// The number's cooldown or hour refuses it, but not whoever solves a challenge.
    #[error("An OTP was just sent; solve the challenge, or wait before asking again")]
    ChallengeRequired,
    /// That provider did not say whether a challenge was solved.
    #[error("{0} did not check the challenge; try again soon")]
    ChallengeNotChecked(&'static str),
    #[error("Failed to recover")]
    FailedToRecover,
    #[error("Internal error")]
    Internal,
    #[error("The OTP store is unavailable")]
    OtpStoreUnavailable,
    #[error("The user store is unavailable")]
    UserStoreUnavailable,
    #[error("The file store is unavailable")]
    FileStoreUnavailable,
    #[error("Redis is unavailable")]
    RedisUnavailable,
    /// The head of the request is no HTTP/1.1.
    #[error("This is no HTTP/1.1 request")]
    BadRequest,
    /// The head of the request has no `Host`, several, or one that is none.
    #[error("The request needs exactly one Host header, with the name of a host")]
    InvalidHost,
    /// The development inbox was asked for under a name that others may lead here.
    #[error("This answers only under this machine's own names, such as localhost")]
    NotThisMachine,
    /// The admin API was asked for under a name that others may lead there.
    #[error("This answers only under its own names: this machine's, its address, and ADMIN_HOSTS")]
    HostNotAllowed,
    /// An admin key that may not do this.
    #[error("This key's role may not do this")]
    RoleTooLow,
    #[error("Too many wrong keys; try again soon")]
    TooManyWrongKeys,
    /// By the holder of a key who sees numbers masked.
    #[error("Too many numbers were looked up with this key within an hour; try again later")]
    TooManyLookUps,
    /// Live overviews that the holder of a key has open.
    #[error("This key has as many live overviews open as it may have")]
    TooManyStreams,
    #[error("Another key has this name")]
    KeyNameTaken,
    #[error("The last day has to be like 2027-01-31, and not to be over")]
    InvalidLastDay,
    #[error("Invalid reason: it has to have 1 to 500 characters, none of them a control character")]
    InvalidReason,
    /// What is said of whose bucket it is.
    #[error("There is no such bucket")]
    InvalidBucket,
    #[error("The user has no such live session")]
    SessionNotFound,
    #[error("No event of this sequence was given up")]
    EventNotFound,
    #[error("There is no such delivery")]
    DeliveryNotFound,
    #[error("There is no such user")]
    UserNotFound,
    #[error("There is no such key")]
    KeyNotFound,
    /// A page of another origin made a browser ask.
    #[error("Only the service's own pages may ask this")]
    ForeignPage,
    /// The head of the request is too long.
    #[error("The request's head is longer than 16 KiB")]
    RequestHeadTooLarge,
    /// The server has no room for another connection, or another long body.
    #[error("The service has too many connections. Try again soon.")]
    Overloaded,
}

impl ErrorKind {
    /// The status and the code, which is stable.
    #[must_use]
    pub fn status_and_code(self) -> (StatusCode, &'static str) {
        match self {
            Self::PhoneNumberRequired => (StatusCode::BAD_REQUEST, "phone_number_required"),
            Self::NameRequired => (StatusCode::BAD_REQUEST, "name_required"),
            Self::InvalidPayload => (StatusCode::BAD_REQUEST, "invalid_payload"),
            Self::BothOtpsRequired => (StatusCode::BAD_REQUEST, "both_otps_required"),
            Self::SamePhoneNumber => (StatusCode::BAD_REQUEST, "same_phone_number"),
            Self::PhoneNumberTaken => (StatusCode::CONFLICT, "phone_number_taken"),
            Self::InvalidAudience => (StatusCode::BAD_REQUEST, "invalid_audience"),
            Self::InvalidParameter => (StatusCode::BAD_REQUEST, "invalid_parameter"),
            Self::InvalidPhoneNumber => (StatusCode::BAD_REQUEST, "invalid_phone_number"),
            Self::InvalidPersonName => (StatusCode::BAD_REQUEST, "invalid_name"),
            Self::InvalidOtp => (StatusCode::UNAUTHORIZED, "invalid_otp"),
            Self::InvalidAuthorizationHeader => {
                (StatusCode::UNAUTHORIZED, "invalid_authorization_header")
            }
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, "unauthorized"),
            Self::DestinationNotAllowed => (StatusCode::FORBIDDEN, "destination_not_allowed"),
            Self::BadSignature => (StatusCode::FORBIDDEN, "bad_signature"),
            Self::NotFound => (StatusCode::NOT_FOUND, "not_found"),
            Self::NoSigningKeys => (StatusCode::NOT_FOUND, "no_signing_keys"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::EditConflict => (StatusCode::CONFLICT, "edit_conflict"),
            Self::TooManyNames => (StatusCode::TOO_MANY_REQUESTS, "name_limit"),
            Self::FilesOff => (StatusCode::NOT_FOUND, "files_off"),
            Self::InvalidFileName => (StatusCode::BAD_REQUEST, "invalid_file_name"),
            Self::InvalidUpload => (StatusCode::BAD_REQUEST, "invalid_upload"),
            Self::UnsupportedTusVersion => {
                (StatusCode::PRECONDITION_FAILED, "unsupported_tus_version")
            }
            Self::LengthRequired => (StatusCode::LENGTH_REQUIRED, "length_required"),
            Self::FileTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "file_too_large"),
            Self::TooManyBytes => (StatusCode::PAYLOAD_TOO_LARGE, "too_many_bytes"),
            Self::TooManyFiles => (StatusCode::FORBIDDEN, "too_many_files"),
            Self::NoFileRoom => (StatusCode::FORBIDDEN, "no_file_room"),
            Self::TooManyUploads => (StatusCode::TOO_MANY_REQUESTS, "too_many_uploads"),
            Self::FileTypeNotAllowed => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "file_type_not_allowed")
            }
            Self::WrongUploadOffset => (StatusCode::CONFLICT, "wrong_upload_offset"),
            Self::UploadExpired => (StatusCode::GONE, "upload_expired"),
            Self::UploadLocked => (StatusCode::LOCKED, "upload_locked"),
            Self::ChecksumMismatch => (checksum_mismatch(), "checksum_mismatch"),
            Self::FileStoreFull => (StatusCode::INSUFFICIENT_STORAGE, "file_store_full"),
            Self::InvalidLink => (StatusCode::BAD_REQUEST, "invalid_link"),
            Self::PictureTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "picture_too_large"),
            Self::NotAPicture => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_picture"),
            Self::TooManyPictures => (StatusCode::TOO_MANY_REQUESTS, "picture_limit"),
            Self::TooManyLinks => (StatusCode::CONFLICT, "too_many_links"),
            Self::TooManyNewLinks => (StatusCode::TOO_MANY_REQUESTS, "link_limit"),
            Self::PreconditionFailed => (StatusCode::PRECONDITION_FAILED, "precondition_failed"),
            Self::RangeNotSatisfiable => {
                (StatusCode::RANGE_NOT_SATISFIABLE, "range_not_satisfiable")
            }
            Self::RequestTimeout => (StatusCode::REQUEST_TIMEOUT, "request_timeout"),
            Self::PayloadTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
            }
            Self::InvalidIdempotencyKey => (StatusCode::BAD_REQUEST, "invalid_idempotency_key"),
            Self::IdempotencyKeyInUse => (StatusCode::CONFLICT, "idempotency_key_in_use"),
            Self::IdempotencyKeyReused => {
                (StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused")
            }
            Self::Refused(kind @ LimitKind::Blocked) => (StatusCode::FORBIDDEN, kind.code()),
            Self::Refused(kind) => (StatusCode::TOO_MANY_REQUESTS, kind.code()),
            Self::ChallengeRequired => (StatusCode::FORBIDDEN, "challenge_required"),
            Self::FailedToRecover | Self::Internal => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal_error")
            }
            Self::OtpStoreUnavailable
            | Self::UserStoreUnavailable
            | Self::FileStoreUnavailable
            | Self::Stopping
            | Self::RedisUnavailable
            | Self::ChallengeNotChecked(_) => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
            Self::BadRequest | Self::InvalidHost => (StatusCode::BAD_REQUEST, "bad_request"),
            Self::HostNotAllowed => (StatusCode::FORBIDDEN, "host_not_allowed"),
            Self::RoleTooLow => (StatusCode::FORBIDDEN, "role_too_low"),
            Self::TooManyWrongKeys => (StatusCode::TOO_MANY_REQUESTS, "too_many_wrong_keys"),
            Self::TooManyLookUps => (StatusCode::TOO_MANY_REQUESTS, "look_up_limit"),
            Self::TooManyStreams => (StatusCode::TOO_MANY_REQUESTS, "too_many_streams"),
            Self::KeyNameTaken => (StatusCode::CONFLICT, "key_name_taken"),
            Self::InvalidLastDay => (StatusCode::BAD_REQUEST, "invalid_last_day"),
            Self::InvalidReason => (StatusCode::BAD_REQUEST, "invalid_reason"),
            Self::InvalidBucket => (StatusCode::BAD_REQUEST, "invalid_bucket"),
            Self::SessionNotFound => (StatusCode::NOT_FOUND, "session_not_found"),
            Self::EventNotFound => (StatusCode::NOT_FOUND, "event_not_found"),
            Self::DeliveryNotFound => (StatusCode::NOT_FOUND, "delivery_not_found"),
            Self::UserNotFound => (StatusCode::NOT_FOUND, "user_not_found"),
            Self::KeyNotFound => (StatusCode::NOT_FOUND, "key_not_found"),
            Self::ForeignPage => (StatusCode::FORBIDDEN, "foreign_page"),
            Self::NotThisMachine => (StatusCode::FORBIDDEN, "not_this_machine"),
            Self::RequestHeadTooLarge => {
                (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "request_head_too_large")
            }
            Self::Overloaded | Self::TooManyJwts => (StatusCode::SERVICE_UNAVAILABLE, "overloaded"),
        }
    }

    /// The body of its answer.
    pub(crate) fn body(self) -> Value {
        json!({ "error": self.to_string(), "code": self.status_and_code().1 })
    }

    /// How soon another try may help, where the failure itself does not say.
    pub(crate) fn usual_retry_after(self) -> Option<Duration> {
        let (status, _) = self.status_and_code();
        let ends_soon = matches!(
            self,
            Self::IdempotencyKeyInUse
                | Self::UploadLocked
                | Self::TooManyUploads
                | Self::TooManyStreams
        );
        let passes = ends_soon || status == StatusCode::SERVICE_UNAVAILABLE;
        passes.then_some(Duration::from_secs(1))
    }

    /// Whether its answer says when to try again. Only an operator knows when a block ends.
    pub(super) fn says_when(self) -> bool {
        match self {
            Self::Refused(kind) => kind != LimitKind::Blocked,
            Self::ChallengeRequired
            | Self::TooManyNames
            | Self::TooManyNewLinks
            | Self::TooManyPictures
            | Self::TooManyLookUps
            | Self::TooManyWrongKeys => true,
            _ => self.usual_retry_after().is_some(),
        }
    }
}

/// A status of tus' own: 460 (Checksum Mismatch).
fn checksum_mismatch() -> StatusCode {
    StatusCode::from_u16(460).unwrap_or(StatusCode::BAD_REQUEST)
}
