//! What users may upload.

use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use common::accounts::FileRoom;
use common::config::{AppConfig, FilesConfig, SettingError};

use crate::service::files::pictures::PictureTerms;
use crate::service::files::{FileKinds, Files, LinkTerms, UploadEnd};

/// How much users may upload, and what. A limit may be raised as far as one likes and is still
/// checked; 0 turns one off.
#[derive(Args, Clone, Debug)]
pub struct FileLimitConfig {
    /// Bytes of one file; `0` is no limit
    #[arg(long, env, default_value_t = 5 * 1024 * 1024 * 1024, value_parser = bytes())]
    file_max_bytes: i64,
    /// Files of one user, unfinished ones included; `0` is no limit
    #[arg(long, env, default_value_t = 1_000)]
    files_per_user: u32,
    /// Bytes of all files of one user, unfinished ones included; `0` is no limit
    #[arg(long, env, default_value_t = 10 * 1024 * 1024 * 1024, value_parser = bytes())]
    file_bytes_per_user: i64,
    /// Uploads of one user at once; `0` is no limit
    #[arg(long, env, default_value_t = 5)]
    uploads_per_user: u32,
    /// Media types of files that may be uploaded, comma-separated, as their first bytes tell them:
    /// `image/*,video/*,application/pdf`; `*` for all, also those that cannot be told
    #[arg(long, env, default_value = "*")]
    file_types: FileKinds,
    /// Bytes a second that an upload brings at least, on average over ten seconds (1 to 1000000);
    /// a slower one is cut, and can be resumed
    #[arg(long, env, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    upload_min_bytes_per_second: u32,
    /// Bytes a second that a download's client takes at least, on average over half a minute (1 to
    /// 1000000); a slower one is cut, and can ask for the rest
    #[arg(long, env, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    download_min_bytes_per_second: u32,
    /// Live links of a file; `0` is no limit
    #[arg(long, env, default_value_t = 20)]
    links_per_file: u32,
    /// Days that a link to a file is good at most (1 to 3650)
    #[arg(long, env, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3650))]
    link_max_days: u64,
    /// Bytes of a picture that a user puts (1024 to 104857600)
    #[arg(long, env, default_value_t = 10 * 1024 * 1024, value_parser = clap::value_parser!(u64).range(1_024..=104_857_600))]
    picture_max_bytes: u64,
    /// Pictures that a user may put within an hour; `0` is no limit
    #[arg(long, env, default_value_t = 20)]
    pictures_per_hour: u32,
}

fn bytes() -> clap::builder::RangedI64ValueParser<i64> {
    clap::value_parser!(i64).range(0..)
}

impl FileLimitConfig {
    /// What keeps files.
    ///
    /// # Errors
    /// A place for files that cannot be used.
    pub fn files(
        &self,
        app: &AppConfig,
        files: &FilesConfig,
        end: UploadEnd,
    ) -> Result<Files, SettingError> {
        Ok(Files {
            storage: files.storage(app)?,
            most_bytes: self.file_max_bytes,
            room: FileRoom { files: self.files_per_user.into(), bytes: self.file_bytes_per_user },
            at_once: self.uploads_per_user.into(),
            kinds: self.file_types.clone(),
            slowest: self.upload_min_bytes_per_second.into(),
            expiry: files.upload_expiry(),
            end,
            slowest_download: self.download_min_bytes_per_second.into(),
            link_terms: LinkTerms {
                most_of_a_file: self.links_per_file.into(),
                longest: Duration::from_secs(self.link_max_days * 24 * 60 * 60),
            },
            picture_terms: PictureTerms {
                most_bytes: self.picture_max_bytes,
                most_in_an_hour: self.pictures_per_hour,
            },
        })
    }
}

impl FromStr for FileKinds {
    type Err = &'static str;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        Self::parse(list).ok_or("has to be a list like image/*,video/*,application/pdf, or *")
    }
}
