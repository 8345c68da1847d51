//! An object store, with its multipart uploads.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::signer::{Method, SignedUrlOptions, Signer};
use object_store::{
    ClientConfigKey, GetOptions, GetRange, ObjectStore, ObjectStoreScheme, PutPayload, RetryConfig,
};
use reqwest::Url;

use super::StorageError;
use super::memory::{PartMemory, Terms};
use super::parts::SHORTEST_PART;

/// How long one call may be tried for. A client waits meanwhile.
const RETRY_FOR: Duration = Duration::from_secs(15);
const MOST_RETRIES: usize = 4;
/// A download takes as long as it moves; a store that says nothing for so long is away.
const TIMES: [(ClientConfigKey, &str); 2] =
    [(ClientConfigKey::Timeout, "30 days"), (ClientConfigKey::ReadTimeout, "30 seconds")];
/// 64 parts of the usual length may be in memory, and eight of one user.
const MEMORY: Terms = Terms {
    most: 64 * SHORTEST_PART,
    share: 8 * SHORTEST_PART,
    turn: Duration::from_secs(5),
    patience: Duration::from_secs(20),
};

#[derive(Debug)]
pub(super) struct Cloud {
    store: Arc<dyn ObjectStore>,
    parts: Parts,
    signer: Option<Arc<dyn Signer>>,
    prefix: Path,
    memory: PartMemory,
}

struct Parts(Arc<dyn MultipartStore>);

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts(…)")
    }
}

impl Cloud {
    pub(super) fn open(url: &Url) -> Result<Self, StorageError> {
        let unreadable =
            |error: &dyn std::fmt::Display| StorageError::Unavailable(error.to_string());
        let (scheme, prefix) = ObjectStoreScheme::parse(url).map_err(|error| unreadable(&error))?;
        let retry = RetryConfig {
            max_retries: MOST_RETRIES,
            retry_timeout: RETRY_FOR,
            ..RetryConfig::default()
        };
        let memory = PartMemory::new(MEMORY);
        match scheme {
            ObjectStoreScheme::AmazonS3 => {
                let builder = AmazonS3Builder::from_env().with_url(url.as_str());
                let builder = TIMES.into_iter().fold(builder, |builder, (key, time)| {
                    builder.with_config(AmazonS3ConfigKey::Client(key), time)
                });
                let store = builder.with_retry(retry).build()?;
                let store = Arc::new(store);
                let signer = Some(Arc::clone(&store) as Arc<dyn Signer>);
                Ok(Self { parts: Parts(store.clone()), store, signer, prefix, memory })
            }
            ObjectStoreScheme::GoogleCloudStorage => {
                let builder = GoogleCloudStorageBuilder::from_env().with_url(url.as_str());
                let builder = TIMES.into_iter().fold(builder, |builder, (key, time)| {
                    builder.with_config(GoogleConfigKey::Client(key), time)
                });
                let store = builder.with_retry(retry).build()?;
                let store = Arc::new(store);
                let signer = Some(Arc::clone(&store) as Arc<dyn Signer>);
                Ok(Self { parts: Parts(store.clone()), store, signer, prefix, memory })
            }
            ObjectStoreScheme::MicrosoftAzure => {
                let builder = MicrosoftAzureBuilder::from_env().with_url(url.as_str());
                let builder = TIMES.into_iter().fold(builder, |builder, (key, time)| {
                    builder.with_config(AzureConfigKey::Client(key), time)
                });
                let store = builder.with_retry(retry).build()?;
                let store = Arc::new(store);
                // Its URLs cannot set the answer's headers, so downloads go through us.
                Ok(Self { parts: Parts(store.clone()), store, signer: None, prefix, memory })
            }
            _ => Err(StorageError::Unavailable("no object store of a known kind".to_owned())),
        }
    }

    /// A store that is in memory itself.
    #[cfg(test)]
    pub(super) fn in_memory(memory: PartMemory) -> Self {
        let store = Arc::new(object_store::memory::InMemory::new());
        let parts = Parts(Arc::clone(&store) as Arc<dyn MultipartStore>);
        Self { store, parts, signer: None, prefix: Path::from("folder"), memory }
    }

    pub(super) fn store(&self) -> &dyn ObjectStore {
        &*self.store
    }

    pub(super) fn prefix(&self) -> &Path {
        &self.prefix
    }

    pub(super) fn memory(&self) -> &PartMemory {
        &self.memory
    }

    pub(super) async fn read(
        &self,
        path: &Path,
        range: Range<u64>,
    ) -> Result<BoxStream<'static, io::Result<Bytes>>, StorageError> {
        if range.is_empty() {
            return Ok(futures_util::stream::empty().boxed());
        }
        let options = GetOptions { range: Some(GetRange::Bounded(range)), ..GetOptions::default() };
        let found = self.store.get_opts(path, options).await?;
        Ok(found.into_stream().map_err(io::Error::other).boxed())
    }

    pub(super) async fn begin(&self, path: &Path) -> Result<String, StorageError> {
        Ok(self.parts.0.create_multipart(path).await?)
    }

    pub(super) async fn put_part(
        &self,
        path: &Path,
        multipart_id: &str,
        number: usize,
        bytes: PutPayload,
    ) -> Result<String, StorageError> {
        let part = self.parts.0.put_part(path, &multipart_id.to_owned(), number, bytes).await?;
        Ok(part.content_id)
    }

    pub(super) async fn complete(
        &self,
        path: &Path,
        multipart_id: &str,
        parts: Vec<String>,
    ) -> Result<(), StorageError> {
        let parts = parts.into_iter().map(|content_id| PartId { content_id }).collect();
        self.parts.0.complete_multipart(path, &multipart_id.to_owned(), parts).await?;
        Ok(())
    }

    /// One that the store does not know has ended already.
    pub(super) async fn abort(&self, path: &Path, multipart_id: &str) -> Result<(), StorageError> {
        match self.parts.0.abort_multipart(path, &multipart_id.to_owned()).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn presigned_get(
        &self,
        path: &Path,
        life: Duration,
        content_type: &str,
        content_disposition: &str,
    ) -> Result<Option<Url>, StorageError> {
        let Some(signer) = &self.signer else { return Ok(None) };
        let options = SignedUrlOptions::new().with_query([
            ("response-content-type", content_type),
            ("response-content-disposition", content_disposition),
        ]);
        Ok(Some(signer.signed_url_opts(Method::GET, path, life, &options).await?))
    }
}
