//! The failures that every operation of the admin API has.

use crate::http::error::ErrorKind;

pub(super) const USUAL: &[ErrorKind] = &[
    ErrorKind::InvalidAuthorizationHeader,
    ErrorKind::Unauthorized,
    ErrorKind::RoleTooLow,
    ErrorKind::HostNotAllowed,
    ErrorKind::ForeignPage,
    ErrorKind::TooManyWrongKeys,
    ErrorKind::Internal,
    ErrorKind::UserStoreUnavailable,
    ErrorKind::Overloaded,
];

/// Names what else some operations can fail with.
macro_rules! failures {
    ($($name:ident { $($kind:ident),* $(,)? })+) => {$(
        #[derive(Debug)]
        pub(super) struct $name;

        impl crate::http::error::Failures for $name {
            const KINDS: &'static [crate::http::error::ErrorKind] =
                &[$(crate::http::error::ErrorKind::$kind),*];
            const USUAL: &'static [crate::http::error::ErrorKind] =
                crate::admin::routes::failures::USUAL;
        }
    )+};
}

pub(super) use failures;
