//! The parameters of every list.

use common::domain::cursor::{Cursor, PageRequest};

use crate::http::error::ErrorKind;

/// Where `limit` is not given.
pub(crate) fn default_limit() -> u32 {
    20
}

/// Which part of the list is wanted.
///
/// # Errors
/// A cursor that no answer held.
pub(crate) fn request(limit: u32, cursor: Option<&str>) -> Result<PageRequest, ErrorKind> {
    let cursor =
        cursor.map(|text| Cursor::parse(text).ok_or(ErrorKind::InvalidParameter)).transpose()?;
    Ok(PageRequest { cursor, limit: limit.into() })
}
