//! Answers that stay the same while the process runs. All who ask share one copy of the bytes, and
//! one of each compressed form, which is made when it is first asked for.

use std::io::{self, Write};
use std::sync::Arc;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{Body, Endpoint, Request, Response};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

/// The better levels take up to ten times as long for a few per cent.
const GZIP_LEVEL: u32 = 6;
const BROTLI_LEVEL: u32 = 9;
/// The window's size as a power of two: 4 MiB, more than any content has.
const BROTLI_WINDOW: u32 = 22;
const BROTLI_BUFFER: usize = 4096;

/// One content. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct StaticContent(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    content_type: &'static str,
    policy: Option<HeaderValue>,
    plain: Bytes,
    gzip: OnceCell<Bytes>,
    brotli: OnceCell<Bytes>,
    hash: String,
}

/// The codings of RFC 9110, 8.4.1, that contents are served in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Coding {
    Identity,
    Gzip,
    Brotli,
}

impl StaticContent {
    /// A text, and the Content-Security-Policy that it is to have in place of the usual one.
    pub(crate) fn new(content_type: &'static str, text: String, policy: Option<&str>) -> Self {
        let hash = HEXLOWER.encode(Sha256::digest(&text).get(..16).unwrap_or_default());
        Self(Arc::new(Inner {
            content_type,
            policy: policy.and_then(|policy| HeaderValue::from_str(policy).ok()),
            plain: text.into(),
            gzip: OnceCell::new(),
            brotli: OnceCell::new(),
            hash,
        }))
    }

    /// The answer to a request with these headers.
    pub(crate) async fn respond(&self, request: &HeaderMap) -> Response {
        let inner = &self.0;
        let (coding, bytes) = self.representation(Coding::accepted(request)).await;
        let etag = match coding {
            Coding::Identity => format!("\"{}\"", inner.hash),
            Coding::Gzip => format!("\"{}-gzip\"", inner.hash),
            Coding::Brotli => format!("\"{}-br\"", inner.hash),
        };
        let is_known = is_known(request, &etag);
        let response =
            Response::builder().header(header::ETAG, etag).header(header::VARY, "Accept-Encoding");
        let response = match &inner.policy {
            Some(policy) => response.header(header::CONTENT_SECURITY_POLICY, policy),
            None => response,
        };
        if is_known {
            return response.status(StatusCode::NOT_MODIFIED).finish();
        }
        let response = match coding {
            Coding::Identity => response,
            Coding::Gzip => response.header(header::CONTENT_ENCODING, "gzip"),
            Coding::Brotli => response.header(header::CONTENT_ENCODING, "br"),
        };
        response.content_type(inner.content_type).body(Body::from_bytes(bytes))
    }

    /// The bytes in that coding, or as they are where they cannot be compressed.
    async fn representation(&self, coding: Coding) -> (Coding, Bytes) {
        let plain = self.0.plain.clone();
        let compressed = match coding {
            Coding::Identity => return (coding, plain),
            Coding::Gzip => self.0.gzip.get_or_try_init(|| compressed(plain.clone(), gzip)).await,
            Coding::Brotli => {
                self.0.brotli.get_or_try_init(|| compressed(plain.clone(), brotli)).await
            }
        };
        match compressed {
            Ok(bytes) => (coding, bytes.clone()),
            Err(error) => {
                tracing::error!(event = "compression_failed", %error);
                (Coding::Identity, plain)
            }
        }
    }
}

impl Endpoint for StaticContent {
    type Output = Response;

    async fn call(&self, request: Request) -> poem::Result<Response> {
        Ok(self.respond(request.headers()).await)
    }
}

impl Coding {
    /// The one that a client likes best (RFC 9110, 12.5.3); of several that it likes as much the
    /// shortest.
    fn accepted(request: &HeaderMap) -> Self {
        let (brotli, gzip) = (weight(request, "br"), weight(request, "gzip"));
        if brotli > 0.0 && brotli >= gzip {
            Self::Brotli
        } else if gzip > 0.0 {
            Self::Gzip
        } else {
            Self::Identity
        }
    }
}

/// From 0, which refuses it, to 1.
fn weight(request: &HeaderMap, coding: &str) -> f32 {
    let find = |wanted: &str| {
        items(request, header::ACCEPT_ENCODING).find_map(|item| {
            let (name, parameter) = item.split_once(';').unwrap_or((item, "q=1"));
            let value =
                parameter.trim().strip_prefix(['q', 'Q'])?.trim_start().strip_prefix('=')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().parse().unwrap_or(0.0))
        })
    };
    find(coding).or_else(|| find("*")).unwrap_or(0.0)
}

/// Whether the client has it already (RFC 9110, 13.1.2).
fn is_known(request: &HeaderMap, etag: &str) -> bool {
    items(request, header::IF_NONE_MATCH)
        .any(|item| item == "*" || item.strip_prefix("W/").unwrap_or(item) == etag)
}

fn items(request: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let lists = request.get_all(name).into_iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(str::trim)
}

/// Apart from requests: it takes a tenth of a second.
async fn compressed(plain: Bytes, compress: fn(&[u8]) -> io::Result<Vec<u8>>) -> io::Result<Bytes> {
    let compressed =
        tokio::task::spawn_blocking(move || compress(&plain)).await.map_err(io::Error::other)??;
    Ok(compressed.into())
}

fn gzip(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder =
        flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(GZIP_LEVEL));
    encoder.write_all(plain)?;
    encoder.finish()
}

fn brotli(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut compressed = Vec::new();
    let mut encoder =
        brotli::CompressorWriter::new(&mut compressed, BROTLI_BUFFER, BROTLI_LEVEL, BROTLI_WINDOW);
    encoder.write_all(plain)?;
    encoder.flush()?;
    drop(encoder);
    Ok(compressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_says_which_coding_it_takes() {
        for (accepted, coding) in [
            (None, Coding::Identity),
            (Some(""), Coding::Identity),
            (Some("identity"), Coding::Identity),
            (Some("gzip, deflate, br, zstd"), Coding::Brotli),
            (Some("GZIP"), Coding::Gzip),
            (Some("br;q=0.5, gzip"), Coding::Gzip),
            (Some("br; Q = 0 , gzip;q=0.001"), Coding::Gzip),
            (Some("*"), Coding::Brotli),
            (Some("*, br;q=0"), Coding::Gzip),
            (Some("*;q=0"), Coding::Identity),
            (Some("br;q=x"), Coding::Identity),
        ] {
            let mut headers = HeaderMap::new();
            headers.extend(
                accepted.map(|text| (header::ACCEPT_ENCODING, HeaderValue::from_static(text))),
            );
            assert_eq!(Coding::accepted(&headers), coding, "{accepted:?}");
        }
    }
}
