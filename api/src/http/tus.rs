//! What the protocol tus 1.0 says in headers (<https://tus.io/protocols/resumable-upload>).

use common::domain::file_name::FileName;
use data_encoding::BASE64;
use http::HeaderName;
use poem::Request;
use poem::http::{HeaderMap, HeaderValue, Method, StatusCode};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::error::ErrorKind;

pub(crate) const VERSION: &str = "1.0.0";
pub(crate) const EXTENSIONS: &str = "creation,creation-with-upload,termination,checksum,expiration";
pub(crate) const CHECKSUM_ALGORITHMS: &str = "sha1,sha256";
/// The type of a body that is a piece of a file.
pub(crate) const PIECE: &str = "application/offset+octet-stream";
/// Where files are.
pub(crate) const PATH: &str = "/files";

const TUS_RESUMABLE: HeaderName = HeaderName::from_static("tus-resumable");
const METHOD_OVERRIDE: &str = "x-http-method-override";

/// Whether a path is one of files.
pub(crate) fn is_of_files(path: &str) -> bool {
    path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Clients whose network lets no `PATCH` through send a `POST` that says so.
pub(crate) fn override_method(request: &mut Request) {
    let is_file = is_of_files(request.uri().path()) && request.uri().path() != PATH;
    if !is_file || request.method() != Method::POST {
        return;
    }
    let method = request.header(METHOD_OVERRIDE).and_then(|name| match name {
        "PATCH" => Some(Method::PATCH),
        "DELETE" => Some(Method::DELETE),
        "HEAD" => Some(Method::HEAD),
        _ => None,
    });
    if let Some(method) = method {
        request.set_method(method);
    }
}

/// Whether a request speaks the protocol.
pub(crate) fn is_spoken(headers: &HeaderMap) -> bool {
    headers.contains_key(TUS_RESUMABLE)
}

/// # Errors
/// Another version, or none.
pub(crate) fn check_version(headers: &HeaderMap) -> Result<(), ErrorKind> {
    match headers.get(TUS_RESUMABLE) {
        Some(version) if version == VERSION => Ok(()),
        _ => Err(ErrorKind::UnsupportedTusVersion),
    }
}

/// Whether the answers to a request say which version it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TusAnswer(bool);

impl TusAnswer {
    pub(crate) fn for_request(request: &Request) -> Self {
        Self(is_of_files(request.uri().path()) && is_spoken(request.headers()))
    }

    pub(crate) fn add_to(self, status: StatusCode, headers: &mut HeaderMap) {
        if self.0 {
            headers.insert(TUS_RESUMABLE, HeaderValue::from_static(VERSION));
        }
        if self.0 && status == StatusCode::PRECONDITION_FAILED {
            headers.insert("tus-version", HeaderValue::from_static(VERSION));
        }
    }
}

/// What a client tells of a file, in `Upload-Metadata`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Metadata {
    pub(crate) name: Option<FileName>,
    /// A media type, which is not trusted.
    pub(crate) media_type: Option<String>,
}

impl Metadata {
    /// Reads pairs of a key and a value in base64 between commas. Keys that are not known say
    /// nothing.
    ///
    /// # Errors
    /// Something else, or a name that is none.
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorKind> {
        let mut metadata = Self::default();
        let mut keys = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            if keys.contains(&key) {
                return Err(ErrorKind::InvalidUpload);
            }
            keys.push(key);
            let value = BASE64.decode(value.as_bytes()).map_err(|_| ErrorKind::InvalidUpload)?;
            match key {
                "filename" => {
                    let text = String::from_utf8(value).map_err(|_| ErrorKind::InvalidFileName)?;
                    metadata.name = Some(file_name(&text)?);
                }
                "filetype" => metadata.media_type = String::from_utf8(value).ok(),
                _ => {}
            }
        }
        metadata.media_type = metadata.media_type.as_deref().and_then(media_type);
        Ok(metadata)
    }

    /// The pairs, as they are told again.
    pub(crate) fn text(name: &str, media_type: Option<&str>) -> String {
        let name = format!("filename {}", BASE64.encode(name.as_bytes()));
        match media_type {
            Some(media_type) => {
                format!("{name},filetype {}", BASE64.encode(media_type.as_bytes()))
            }
            None => name,
        }
    }
}

/// # Errors
/// It is none.
pub(crate) fn file_name(text: &str) -> Result<FileName, ErrorKind> {
    FileName::parse(text).map_err(|_| ErrorKind::InvalidFileName)
}

/// A media type without its parameters; none where it is not one.
pub(crate) fn media_type(text: &str) -> Option<String> {
    let essence = text.split(';').next().unwrap_or_default().trim();
    let is_token = |text: &str| {
        let other = |byte: u8| b"!#$&-^_.+".contains(&byte);
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || other(byte))
    };
    let (of, one) = essence.split_once('/')?;
    let is_one = essence.len() <= 127 && is_token(of) && is_token(one);
    is_one.then(|| essence.to_ascii_lowercase())
}

/// What the bytes of one request have to come to.
#[derive(Clone, Debug)]
pub(crate) struct Checksum {
    hash: Hash,
    expected: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Hash {
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Checksum {
    /// Reads an algorithm and a hash in base64.
    ///
    /// # Errors
    /// Something else.
    pub(crate) fn parse(text: &str) -> Result<Self, ErrorKind> {
        let (algorithm, expected) = text.split_once(' ').ok_or(ErrorKind::InvalidUpload)?;
        let hash = match algorithm {
            "sha1" => Hash::Sha1(Sha1::new()),
            "sha256" => Hash::Sha256(Sha256::new()),
            _ => return Err(ErrorKind::InvalidUpload),
        };
        let expected = BASE64.decode(expected.as_bytes()).map_err(|_| ErrorKind::InvalidUpload)?;
        Ok(Self { hash, expected })
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match &mut self.hash {
            Hash::Sha1(hash) => hash.update(bytes),
            Hash::Sha256(hash) => hash.update(bytes),
        }
    }

    /// Whether all bytes came to what was expected.
    pub(crate) fn fits(self) -> bool {
        let found = match self.hash {
            Hash::Sha1(hash) => hash.finalize().to_vec(),
            Hash::Sha256(hash) => hash.finalize().to_vec(),
        };
        found == self.expected
    }
}

/// The name in a `Content-Disposition` (RFC 6266); none where there is none. The form that says its
/// encoding wins (RFC 8187).
///
/// # Errors
/// A name that is none.
pub(crate) fn disposition_name(text: &str) -> Result<Option<FileName>, ErrorKind> {
    let (mut plain, mut extended) = (None, None);
    let mut rest = text.split_once(';').map_or("", |(_, rest)| rest);
    while let Some((name, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (value, next) = match after.strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let (value, next) = after.split_once(';').unwrap_or((after, ""));
                (value.trim().to_owned(), next)
            }
        };
        match name.trim_matches([';', ' ', '\t']).to_ascii_lowercase().as_str() {
            "filename" => plain = Some(value),
            "filename*" => extended = extended_value(&value),
            _ => {}
        }
        rest = next;
    }
    extended.or(plain).map(|name| file_name(&name)).transpose()
}

/// A quoted string without its quotes, and what follows it.
fn unquoted(quoted: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((index, char)) = chars.next() {
        match char {
            '"' => return (value, quoted.get(index + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, char)| char)),
            char => value.push(char),
        }
    }
    (value, "")
}

fn extended_value(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, encoded) = rest.split_once('\'')?;
    if !charset.eq_ignore_ascii_case("utf-8") {
        return None;
    }
    percent_encoding::percent_decode_str(encoded).decode_utf8().ok().map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<FileName> {
        Some(FileName::parse(text).unwrap())
    }

    #[test]
    fn metadata_has_pairs_between_commas() {
        let read = |text: &str| Metadata::parse(text);
        let both = "filename d29ybGQucGRm,filetype aW1hZ2UvUE5HOyB4PTE=,is_confidential";
        let expected = Metadata { name: name("world.pdf"), media_type: Some("image/png".into()) };
        assert_eq!(read(both), Ok(expected.clone()));
        assert_eq!(read(&Metadata::text("world.pdf", Some("image/png"))), Ok(expected));
        assert_eq!(read(""), Ok(Metadata::default()));
        assert_eq!(read("filetype bm9uZQ=="), Ok(Metadata::default()), "no media type");
        for bad in ["filename d29ybGQucGRm,filename d29ybGQucGRm", "filename ?", "filename d2"] {
            assert_eq!(read(bad), Err(ErrorKind::InvalidUpload), "{bad}");
        }
        // `../..`, NUL, and bytes that are no UTF-8.
        for bad in ["filename Li4vLi4=", "filename YQBi", "filename /w=="] {
            assert_eq!(read(bad), Err(ErrorKind::InvalidFileName), "{bad}");
        }
    }

    #[test]
    fn a_disposition_may_have_a_name() {
        for (text, expected) in [
            ("attachment", None),
            ("attachment; filename=a.txt", name("a.txt")),
            ("attachment; filename=\"a b; c.txt\"", name("a b; c.txt")),
            (r#"form-data; name="file"; FILENAME = "a\"b.txt""#, name("a\"b.txt")),
            ("attachment; filename=\"_.txt\"; filename*=UTF-8''%e2%82%ac.txt", name("€.txt")),
            ("attachment; filename*=utf-8'en'a%20b; filename=c", name("a b")),
            ("attachment; filename*=latin1''%e9; filename=c", name("c")),
            ("attachment; filename=\"/etc/passwd\"", name("passwd")),
        ] {
            assert_eq!(disposition_name(text), Ok(expected), "{text}");
        }
        for text in ["a; filename=\"..\"", "a; filename*=UTF-8''a%00b", "a; filename=\"\""] {
            assert_eq!(disposition_name(text), Err(ErrorKind::InvalidFileName), "{text}");
        }
    }

    #[test]
    fn a_checksum_is_of_all_bytes() {
        let text = "sha1 Kq5sNclPz7QV2+lfQIuc6R7oRu0=";
        let mut checksum = Checksum::parse(text).unwrap();
        checksum.update(b"hello ");
        assert!(!checksum.clone().fits());
        checksum.update(b"world");
        assert!(checksum.fits());
        for bad in ["sha1", "md5 XrY7u+Ae7tCTyyK7j1rNww==", "sha1 ?", "", "SHA1 Kq5sNclPz7Q="] {
            assert!(Checksum::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_files_of_the_protocol_have_their_method_overridden() {
        for (path, method, told, becomes) in [
            ("/files/a", Method::POST, "PATCH", Method::PATCH),
            ("/files/a", Method::POST, "DELETE", Method::DELETE),
            ("/files/a", Method::POST, "GET", Method::POST),
            ("/files/a", Method::GET, "DELETE", Method::GET),
            ("/files", Method::POST, "DELETE", Method::POST),
            ("/filesystem/a", Method::POST, "PATCH", Method::POST),
            ("/me", Method::POST, "PATCH", Method::POST),
        ] {
            let mut request = Request::builder()
                .method(method)
                .uri_str(path)
                .header(METHOD_OVERRIDE, told)
                .finish();
            override_method(&mut request);
            assert_eq!(*request.method(), becomes, "{path} {told}");
        }
    }
}
