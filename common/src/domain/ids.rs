//! Ids that cannot be guessed.

use std::fmt;

use data_encoding::BASE32_NOPAD;
use rand::RngExt;
use serde::Serialize;

/// 16 random bytes in base32 without padding: 26 characters.
pub(crate) fn random_base32() -> String {
    BASE32_NOPAD.encode(&rand::rng().random::<[u8; 16]>())
}

macro_rules! random_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Eq, Hash, PartialEq, Serialize)]
        pub struct $name(String);

        impl $name {
            /// A new one, of 128 random bits.
            #[must_use]
            pub fn random() -> Self {
                Self(random_base32().to_ascii_lowercase())
            }

            /// 26 lower-case characters of base32.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Reads one; none where the text is not 26 characters of lower-case base32.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let base32 = |byte: u8| byte.is_ascii_lowercase() || (b'2'..=b'7').contains(&byte);
                (text.len() == 26 && text.bytes().all(base32)).then(|| Self(text.to_owned()))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

random_id! {
    /// One code for one number and purpose, from its first send to its use or end.
    ChallengeId
}
random_id! {
    /// One SMS that was asked for. A resend is a delivery of its own.
    DeliveryId
}
random_id! {
    /// One session, from its sign-in to its end. Its token may change.
    SessionId
}

random_id! {
    /// One JWT.
    JwtId
}
random_id! {
    /// One link to a file. It is not what the link shows.
    FileLinkId
}
random_id! {
    /// A picture of a user. Whoever knows it sees the picture.
    PictureId
}
random_id! {
    /// A file of a user.
    FileId
}
random_id! {
    /// One request that writes to an upload, and that nobody else does meanwhile.
    LeaseId
}
random_id! {
    /// What an OpenID client asks for, while its user signs in.
    RequestId
}
random_id! {
    /// The browser in which that began.
    BrowserId
}

impl SessionId {
    /// An id that was made before it was stored.
    pub(crate) fn from_store(text: String) -> Self {
        Self(text)
    }
}
