//! Files of users: what may be uploaded, and how much.

pub mod downloads;
mod kinds;
pub mod pictures;
pub mod uploads;

use std::time::Duration;

use common::accounts::FileRoom;
use common::files::FileStorage;

pub use self::kinds::FileKinds;
use self::pictures::PictureTerms;
pub use self::uploads::UploadEnd;

/// What uploads and downloads work with.
#[derive(Clone, Debug)]
pub struct Files {
    /// The bytes; none where there are no files.
    pub storage: Option<FileStorage>,
    /// Of one file, in bytes; 0 is no limit.
    pub most_bytes: i64,
    /// Of a user.
    pub room: FileRoom,
    /// Uploads of a user; 0 is no limit.
    pub at_once: i64,
    pub kinds: FileKinds,
    /// Bytes a second of an upload.
    pub slowest: u64,
    /// How long an upload may stand still.
    pub expiry: Duration,
    /// When uploads end that run, because the process stops.
    pub end: UploadEnd,
    /// Bytes a second of a download.
    pub slowest_download: u64,
    pub link_terms: LinkTerms,
    pub picture_terms: PictureTerms,
}

/// What links to files may be.
#[derive(Clone, Copy, Debug)]
pub struct LinkTerms {
    /// Live ones that a file may have; 0 is no limit.
    pub most_of_a_file: i64,
    pub longest: Duration,
}
