//! The media type of a body.

use poem::Request;

/// Whether a body is announced as of this media type, with any parameters (RFC 9110, 8.3.1).
pub(crate) fn is(request: &Request, media_type: &str) -> bool {
    let told = request.content_type().and_then(|value| value.split(';').next());
    told.is_some_and(|told| told.trim().eq_ignore_ascii_case(media_type))
}
