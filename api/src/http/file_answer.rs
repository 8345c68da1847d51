//! A file as an answer: what of it is wanted (RFC 9110, 13 and 14), under which name (RFC 6266 and
//! 8187), and headers that let no browser take it for anything that runs.

use std::ops::Range;
use std::time::SystemTime;

use data_encoding::HEXLOWER;
use headers::{
    ETag, HeaderMapExt, IfMatch, IfModifiedSince, IfNoneMatch, IfRange, IfUnmodifiedSince,
    LastModified,
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use poem::http::{HeaderMap, HeaderValue, StatusCode, header};
use poem::{Body, Response};
use time::OffsetDateTime;

/// Lets a browser that shows the answer as a page of its own load and run nothing: neither scripts
/// nor plugins nor forms, and as nobody's origin.
const SANDBOX: &str =
    "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox";

/// What is not encoded in an extended value: `attr-char` (RFC 8187, 3.2.1).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// What browsers may show in place: media that have no scripts, and that no browser takes for
/// anything else.
const SHOWN_IN_PLACE: [&str; 13] = [
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/avif",
    "video/mp4",
    "video/webm",
    "video/quicktime",
    "audio/mpeg",
    "audio/m4a",
    "audio/ogg",
    "audio/x-flac",
    "audio/x-wav",
];

/// A file that is served, as it is known before its bytes are read.
#[derive(Clone, Debug)]
pub(crate) struct ServedFile {
    pub(crate) name: String,
    /// As its first bytes tell.
    pub(crate) media_type: String,
    /// In bytes.
    pub(crate) size: u64,
    /// SHA-256 of all bytes.
    pub(crate) hash: Vec<u8>,
    pub(crate) modified: OffsetDateTime,
    /// Whether the client wants to show it in place.
    pub(crate) in_place: bool,
    /// Whether a part of it may be asked for.
    pub(crate) in_parts: bool,
    pub(crate) cache: &'static str,
}

/// What is answered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Wanted {
    Whole,
    /// These bytes, one at least.
    Part(Range<u64>),
    /// The client has it already: 304.
    Nothing,
    /// It is another one than the client takes for granted: 412.
    Another,
    /// There are no such bytes: 416.
    OutOfRange,
}

impl ServedFile {
    /// The SHA-256 in hexadecimal, in quotes.
    fn etag(&self) -> String {
        format!("\"{}\"", HEXLOWER.encode(&self.hash))
    }

    /// What a request wants of it. Conditions come first, in the order of RFC 9110, 13.2.2. Several
    /// ranges at once, and what is none, get the whole.
    pub(crate) fn wanted(&self, request: &HeaderMap) -> Wanted {
        let Ok(etag) = self.etag().parse::<ETag>() else { return Wanted::Whole };
        let modified = SystemTime::from(self.modified);
        let is_another = match request.typed_get::<IfMatch>() {
            Some(known) => !known.precondition_passes(&etag),
            None => request
                .typed_get::<IfUnmodifiedSince>()
                .is_some_and(|since| !since.precondition_passes(modified)),
        };
        if is_another {
            return Wanted::Another;
        }
        let is_known = match request.typed_get::<IfNoneMatch>() {
            Some(known) => !known.precondition_passes(&etag),
            None => request
                .typed_get::<IfModifiedSince>()
                .is_some_and(|since| !since.is_modified(modified)),
        };
        if is_known {
            return Wanted::Nothing;
        }
        let is_other_part = request.typed_get::<IfRange>().is_some_and(|known| {
            known.is_modified(Some(&etag), Some(&LastModified::from(modified)))
        }) || request.contains_key(header::IF_RANGE)
            && request.typed_get::<IfRange>().is_none();
        let range = request.get(header::RANGE).and_then(|range| range.to_str().ok());
        match range {
            Some(range) if self.in_parts && !is_other_part => self.part(range),
            _ => Wanted::Whole,
        }
    }

    /// RFC 9110, 14.1.2.
    fn part(&self, range: &str) -> Wanted {
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            // More digits than fit are beyond any file.
            is_number.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
        };
        let bytes = range.split_once('=').filter(|(unit, _)| unit.eq_ignore_ascii_case("bytes"));
        let Some((first, last)) = bytes.and_then(|(_, range)| range.trim().split_once('-')) else {
            return Wanted::Whole;
        };
        let (begin, end) = match (number(first), number(last)) {
            (Some(first), Some(last)) if first <= last => (first, last.saturating_add(1)),
            (Some(first), None) if last.is_empty() => (first, u64::MAX),
            (None, Some(length)) if first.is_empty() => {
                (self.size.saturating_sub(length), if length == 0 { 0 } else { u64::MAX })
            }
            _ => return Wanted::Whole,
        };
        let end = end.min(self.size);
        if begin < end { Wanted::Part(begin..end) } else { Wanted::OutOfRange }
    }

    /// What browsers get to hear of its type: what they could run is bytes to them.
    pub(crate) fn told_type(&self) -> &str {
        let media_type = self.media_type.as_str();
        let is_active = media_type.starts_with("text/")
            || ["xml", "script", "html"].iter().any(|part| media_type.contains(part));
        if is_active { "application/octet-stream" } else { media_type }
    }

    /// Under which name it is kept, or that it is shown in place.
    pub(crate) fn disposition(&self) -> String {
        let is_shown = self.in_place && SHOWN_IN_PLACE.contains(&self.media_type.as_str());
        let kind = if is_shown { "inline" } else { "attachment" };
        let is_plain = |char: char| {
            char.is_ascii() && !char.is_ascii_control() && !matches!(char, '"' | '\\' | '%')
        };
        // For clients that do not know the extended form.
        let plain: String =
            self.name.chars().map(|char| if is_plain(char) { char } else { '_' }).collect();
        let disposition = format!("{kind}; filename=\"{plain}\"");
        if plain == self.name {
            return disposition;
        }
        format!("{disposition}; filename*=UTF-8''{}", utf8_percent_encode(&self.name, ENCODED))
    }

    /// The answer, with the bytes that are wanted; a `HEAD` has none. What is refused gets a body
    /// from whoever calls.
    pub(crate) fn answer(&self, wanted: &Wanted, bytes: Option<Body>) -> Response {
        let (status, length) = match wanted {
            Wanted::Whole => (StatusCode::OK, self.size),
            Wanted::Part(range) => (StatusCode::PARTIAL_CONTENT, range.end - range.start),
            Wanted::Nothing => (StatusCode::NOT_MODIFIED, 0),
            Wanted::Another => (StatusCode::PRECONDITION_FAILED, 0),
            Wanted::OutOfRange => (StatusCode::RANGE_NOT_SATISFIABLE, 0),
        };
        let mut response = Response::builder().status(status).finish();
        let headers = response.headers_mut();
        self.describe(headers);
        match wanted {
            Wanted::Whole => {}
            Wanted::Part(Range { start, end }) => {
                let last = end.saturating_sub(1);
                insert(
                    headers,
                    header::CONTENT_RANGE,
                    format!("bytes {start}-{last}/{}", self.size),
                );
            }
            Wanted::Nothing | Wanted::Another => return response,
            Wanted::OutOfRange => {
                insert(headers, header::CONTENT_RANGE, format!("bytes */{}", self.size));
                return response;
            }
        }
        insert(headers, header::CONTENT_TYPE, self.told_type().to_owned());
        insert(headers, header::CONTENT_DISPOSITION, self.disposition());
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if let Some(bytes) = bytes {
            response.set_body(bytes);
        }
        response
    }

    fn describe(&self, headers: &mut HeaderMap) {
        insert(headers, header::ETAG, self.etag());
        headers.typed_insert(LastModified::from(SystemTime::from(self.modified)));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SANDBOX));
        let ranges = if self.in_parts { "bytes" } else { "none" };
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static(ranges));
    }
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: String) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn served(size: u64) -> ServedFile {
        ServedFile {
            name: "holiday.jpg".to_owned(),
            media_type: "image/jpeg".to_owned(),
            size,
            hash: vec![0xAB; 32],
            modified: datetime!(2026-11-30 12:00:00 UTC),
            in_place: false,
            in_parts: true,
            cache: "private, no-cache",
        }
    }

    fn wanted(file: &ServedFile, headers: &[(header::HeaderName, &str)]) -> Wanted {
        let mut request = HeaderMap::new();
        for (name, value) in headers {
            request.append(name, value.parse().unwrap());
        }
        file.wanted(&request)
    }

    #[test]
    fn one_range_is_served_and_what_is_none_gets_the_whole() {
        use Wanted::{OutOfRange, Part, Whole};
        for (range, answer) in [
            ("bytes=0-0", Part(0..1)),
            ("bytes=0-", Part(0..100)),
            ("BYTES=10-19", Part(10..20)),
            ("bytes=90-1000", Part(90..100)),
            ("bytes=99-99999999999999999999999", Part(99..100)),
            ("bytes=-1", Part(99..100)),
            ("bytes=-100", Part(0..100)),
            ("bytes=-1000", Part(0..100)),
            ("bytes=-99999999999999999999999", Part(0..100)),
            ("bytes= 5-6", Part(5..7)),
            ("bytes=100-", OutOfRange),
            ("bytes=99999999999999999999999-", OutOfRange),
            ("bytes=-0", OutOfRange),
            ("bytes=2-1", Whole),
            ("bytes=0-1,3-4", Whole),
            ("bytes=", Whole),
            ("bytes=-", Whole),
            ("bytes=a-b", Whole),
            ("bytes=+1-2", Whole),
            ("bytes=1-2-3", Whole),
            ("lines=1-2", Whole),
            ("1-2", Whole),
        ] {
            assert_eq!(wanted(&served(100), &[(header::RANGE, range)]), answer, "{range}");
        }
        for range in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
            assert_eq!(wanted(&served(0), &[(header::RANGE, range)]), OutOfRange, "{range}");
        }
        let whole = ServedFile { in_parts: false, ..served(100) };
        assert_eq!(wanted(&whole, &[(header::RANGE, "bytes=1-2")]), Whole);
    }

    #[test]
    fn conditions_come_before_the_range() {
        use Wanted::{Another, Nothing, Part, Whole};
        let etag = &*format!("\"{}\"", "ab".repeat(32));
        let weak = &*format!("W/{etag}");
        let (old, now, later) = (
            "Sun, 29 Nov 2026 12:00:00 GMT",
            "Mon, 30 Nov 2026 12:00:00 GMT",
            "Tue, 01 Dec 2026 12:00:00 GMT",
        );
        let range = (header::RANGE, "bytes=1-2");
        for (headers, answer) in [
            (vec![(header::IF_NONE_MATCH, etag), range.clone()], Nothing),
            (vec![(header::IF_NONE_MATCH, weak)], Nothing),
            (vec![(header::IF_NONE_MATCH, "\"x\", *")], Whole),
            (vec![(header::IF_NONE_MATCH, "*")], Nothing),
            (vec![(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, now)], Whole),
            (vec![(header::IF_MODIFIED_SINCE, now)], Nothing),
            (vec![(header::IF_MODIFIED_SINCE, old)], Whole),
            (vec![(header::IF_MATCH, "\"x\"")], Another),
            (vec![(header::IF_MATCH, weak)], Another),
            (vec![(header::IF_MATCH, etag), range.clone()], Part(1..3)),
            (vec![(header::IF_UNMODIFIED_SINCE, old)], Another),
            (vec![(header::IF_UNMODIFIED_SINCE, later), range.clone()], Part(1..3)),
            (vec![(header::IF_RANGE, etag), range.clone()], Part(1..3)),
            (vec![(header::IF_RANGE, weak), range.clone()], Whole),
            (vec![(header::IF_RANGE, "\"x\""), range.clone()], Whole),
            (vec![(header::IF_RANGE, now), range.clone()], Part(1..3)),
            (vec![(header::IF_RANGE, old), range.clone()], Whole),
            (vec![(header::IF_RANGE, "nonsense"), range], Whole),
        ] {
            assert_eq!(wanted(&served(100), &headers), answer, "{headers:?}");
        }
    }

    #[test]
    fn names_arrive_as_they_are_and_break_out_of_nothing() {
        for (name, disposition) in [
            ("a b.txt", "attachment; filename=\"a b.txt\""),
            ("€ rates", "attachment; filename=\"_ rates\"; filename*=UTF-8''%E2%82%AC%20rates"),
            (
                "a\"; x=\"b\\",
                "attachment; filename=\"a_; x=_b_\"; filename*=UTF-8''a%22%3B%20x%3D%22b%5C",
            ),
            ("100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
            ("a\r\nb", "attachment; filename=\"a__b\"; filename*=UTF-8''a%0D%0Ab"),
        ] {
            let file = ServedFile { name: name.to_owned(), ..served(1) };
            assert_eq!(file.disposition(), disposition);
            let answer = file.answer(&Wanted::Whole, None);
            assert_eq!(answer.headers()[header::CONTENT_DISPOSITION], disposition);
        }
    }

    #[test]
    fn what_could_run_is_bytes_and_never_shown() {
        for (media_type, told, shown) in [
            ("image/jpeg", "image/jpeg", true),
            ("video/mp4", "video/mp4", true),
            ("application/pdf", "application/pdf", false),
            ("application/octet-stream", "application/octet-stream", false),
            ("text/html", "application/octet-stream", false),
            ("text/xml", "application/octet-stream", false),
            ("image/svg+xml", "application/octet-stream", false),
            ("application/xhtml+xml", "application/octet-stream", false),
            ("text/x-shellscript", "application/octet-stream", false),
        ] {
            let file =
                ServedFile { media_type: media_type.to_owned(), in_place: true, ..served(1) };
            assert_eq!(file.told_type(), told);
            assert_eq!(file.disposition().starts_with("inline;"), shown, "{media_type}");
            let answer = file.answer(&Wanted::Whole, None);
            let policy = answer.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
            assert!(policy.contains("default-src 'none'") && policy.ends_with("; sandbox"));
        }
    }
}
