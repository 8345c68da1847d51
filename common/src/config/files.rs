use std::time::Duration;

use clap::Args;
use reqwest::Url;

use super::{AppConfig, SettingError};
use crate::files::FileStorage;

/// Where files of users are kept. API and worker share it.
#[derive(Args, Clone, Debug)]
pub struct FilesConfig {
    /// Where files are kept: `file:///srv/files`, `s3://bucket/folder`, `gs://bucket/folder` or
    /// `az://container/folder` (docs/files.md); API and worker need the same [default: the folder
    /// `files` in DATA_DIR; none in production, and then there are no files]
    #[arg(long, env, value_parser = files_url)]
    pub files_url: Option<Url>,
    /// Hours after which an upload is given up that has not moved (1 to 720)
    #[arg(long, env, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=720))]
    pub upload_expiry_hours: u64,
}

impl FilesConfig {
    /// The bytes of files; none where there are no files.
    ///
    /// # Errors
    /// A folder that cannot be made, or a URL that cannot be used.
    pub fn storage(&self, app: &AppConfig) -> Result<Option<FileStorage>, SettingError> {
        let opened = match &self.files_url {
            Some(url) => match url.to_file_path() {
                Ok(folder) if url.scheme() == "file" => FileStorage::folder(folder),
                _ => FileStorage::cloud(url),
            },
            None if app.is_production() => return Ok(None),
            None => {
                let folder = app.data_dir.join("files");
                FileStorage::folder(std::path::absolute(&folder).unwrap_or(folder))
            }
        };
        let name = if self.files_url.is_some() { "FILES_URL" } else { "DATA_DIR" };
        opened
            .map(Some)
            .map_err(|error| SettingError::new(name, format!("cannot be used: {error}")))
    }

    /// Whether users may keep files.
    #[must_use]
    pub fn is_on(&self, app: &AppConfig) -> bool {
        self.files_url.is_some() || !app.is_production()
    }

    #[must_use]
    pub fn upload_expiry(&self) -> Duration {
        Duration::from_secs(self.upload_expiry_hours * 60 * 60)
    }
}

fn files_url(text: &str) -> Result<Url, &'static str> {
    const KNOWN: [&str; 4] = ["file", "s3", "gs", "az"];
    Url::parse(text).ok().filter(|url| KNOWN.contains(&url.scheme())).ok_or(
        "has to be like file:///srv/files, s3://bucket/folder, gs://bucket/folder or az://container/folder",
    )
}
