//! Pictures of users.

use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// Why no picture can be made of a file.
#[derive(Clone, Copy, Debug, Display, EnumString, Eq, IntoStaticStr, PartialEq, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum PictureFault {
    /// It is no JPEG, PNG or WebP.
    NotAPicture,
    /// It has more pixels than are decoded.
    TooManyPixels,
    /// It breaks off, or its bytes say what cannot be.
    Damaged,
    /// Decoding it takes more time or memory than a picture may.
    TooCostly,
}
