//! Users by the million: one a line, in constant memory.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use common::accounts::{AccountsError, MOST_AT_ONCE};
use common::domain::person_name::PersonName;
use common::domain::phone::{E164, PhoneNumber};
use futures_util::{Stream, TryStreamExt};
use serde::Deserialize;

use crate::state::AppState;

/// In bytes, its end included.
const LONGEST_LINE: usize = 4 * 1024;

/// What a line says.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    phone_number: String,
}

/// Why a line makes no user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LineError {
    TooLong,
    /// It is not one JSON object with a name and a number.
    Unreadable,
    Name,
    Number,
    /// A user has the number, or a line before.
    Taken,
}

/// A line that makes no user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// 1 for the first.
    pub line: u64,
    pub error: LineError,
}

/// Why an import ends before its last line.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error("the lines do not arrive: {0}")]
    Body(#[from] io::Error),
    #[error(transparent)]
    Accounts(#[from] AccountsError),
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ImportCounts {
    /// Lines that were read; empty ones count here alone.
    pub lines: u64,
    pub imported: u64,
    pub refused: u64,
}

/// An import that runs.
pub struct UserImport<S> {
    state: Arc<AppState>,
    lines: Lines<S>,
    counts: ImportCounts,
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> UserImport<S> {
    pub fn new(state: Arc<AppState>, body: S) -> Self {
        let lines = Lines { body, buffer: BytesMut::new(), is_skipping: false, has_ended: false };
        Self { state, lines, counts: ImportCounts::default() }
    }

    /// As far as it has come.
    #[must_use]
    pub fn counts(&self) -> ImportCounts {
        self.counts
    }

    /// Makes the users of the next lines; returns those lines that make none, and nothing after the
    /// last one.
    ///
    /// # Errors
    /// [`ImportError`]; users of the last lines may have been made.
    pub async fn next_batch(&mut self) -> Result<Option<Vec<Refusal>>, ImportError> {
        let mut batch = Batch::default();
        while batch.users.len() < MOST_AT_ONCE && batch.refusals.len() < MOST_AT_ONCE {
            let Some(text) = self.lines.next().await? else { break };
            self.counts.lines += 1;
            batch.take(self.counts.lines, text, &self.state);
        }
        if batch.is_empty() {
            return Ok(None);
        }
        let now = self.state.clock.now();
        let made = self.state.accounts.import_users(&batch.users, now).await?;
        let refusals = batch.refusals_beside(&made);
        self.counts.imported += made.len() as u64;
        self.counts.refused += refusals.len() as u64;
        Ok(Some(refusals))
    }
}

/// Some lines.
#[derive(Default)]
struct Batch {
    users: Vec<(E164, PersonName)>,
    /// Their lines.
    places: Vec<u64>,
    numbers: HashSet<String>,
    refusals: Vec<Refusal>,
}

impl Batch {
    fn is_empty(&self) -> bool {
        self.users.is_empty() && self.refusals.is_empty()
    }

    fn take(&mut self, line: u64, text: Option<Bytes>, state: &AppState) {
        if text.as_ref().is_some_and(|text| text.trim_ascii().is_empty()) {
            return;
        }
        let read = text.ok_or(LineError::TooLong).and_then(|text| read(&text, state));
        match read {
            Ok((number, _)) if !self.numbers.insert(number.as_str().to_owned()) => {
                self.refusals.push(Refusal { line, error: LineError::Taken });
            }
            Ok(user) => {
                self.users.push(user);
                self.places.push(line);
            }
            Err(error) => self.refusals.push(Refusal { line, error }),
        }
    }

    /// With those whose numbers are not among those of new users, in the order of their lines.
    fn refusals_beside(self, made: &HashSet<String>) -> Vec<Refusal> {
        let Self { users, places, mut refusals, .. } = self;
        let taken =
            users.iter().zip(places).filter(|((number, _), _)| !made.contains(number.as_str()));
        refusals.extend(taken.map(|(_, line)| Refusal { line, error: LineError::Taken }));
        refusals.sort_by_key(|refusal| refusal.line);
        refusals
    }
}

fn read(text: &[u8], state: &AppState) -> Result<(E164, PersonName), LineError> {
    // serde takes an array for a struct.
    if !text.trim_ascii_start().starts_with(b"{") {
        return Err(LineError::Unreadable);
    }
    let entry: Entry = serde_json::from_slice(text).map_err(|_| LineError::Unreadable)?;
    let name = PersonName::parse(&entry.name).ok().flatten().ok_or(LineError::Name)?;
    let number = PhoneNumber::parse(&entry.phone_number, state.default_country);
    Ok((number.map_err(|_| LineError::Number)?.e164().clone(), name))
}

/// The lines of a body.
struct Lines<S> {
    body: S,
    buffer: BytesMut,
    /// In the middle of a line that is too long.
    is_skipping: bool,
    has_ended: bool,
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Lines<S> {
    /// The next line, or none in its place where it is too long.
    async fn next(&mut self) -> io::Result<Option<Option<Bytes>>> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1).freeze();
                let is_too_long =
                    std::mem::take(&mut self.is_skipping) || line.len() > LONGEST_LINE;
                return Ok(Some((!is_too_long).then_some(line)));
            }
            if self.buffer.len() > LONGEST_LINE {
                self.buffer.clear();
                self.is_skipping = true;
            }
            let chunk = if self.has_ended { None } else { self.body.try_next().await? };
            let Some(chunk) = chunk else {
                self.has_ended = true;
                let is_too_long = std::mem::take(&mut self.is_skipping);
                let rest = self.buffer.split().freeze();
                let is_line = is_too_long || !rest.is_empty();
                return Ok(is_line.then(|| (!is_too_long).then_some(rest)));
            };
            self.buffer.extend_from_slice(&chunk);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn lines_of(chunks: &[&'static [u8]]) -> Vec<Option<Vec<u8>>> {
        let chunks: Vec<_> = chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))).collect();
        let body = futures_util::stream::iter(chunks);
        let mut lines =
            Lines { body, buffer: BytesMut::new(), is_skipping: false, has_ended: false };
        let mut all = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            all.push(line.map(|line| line.trim_ascii().to_vec()));
        }
        all
    }

    #[tokio::test]
    async fn lines_end_wherever_the_chunks_do() {
        let some = |text: &str| Some(text.as_bytes().to_vec());
        for chunks in [
            &[&b"a\nbc\r\n\nd"[..]][..],
            &[b"a", b"\n", b"b", b"c\r", b"\n\nd"],
            &[b"a\nbc\r\n\nd\n"],
            &[b"", b"a\nbc\n\n", b"d", b"\n", b""],
        ] {
            assert_eq!(lines_of(chunks).await, [some("a"), some("bc"), some(""), some("d")]);
        }
        assert!(lines_of(&[]).await.is_empty());
    }

    #[tokio::test]
    async fn a_line_that_is_too_long_is_passed_over_and_not_kept() {
        const LONG: &[u8] = &[b'a'; LONGEST_LINE];
        let some = |text: &str| Some(text.as_bytes().to_vec());
        let lines = lines_of(&[b"x\n", LONG, LONG, LONG, b"\ny\n", LONG, b"a"]).await;
        assert_eq!(lines, [some("x"), None, some("y"), None]);
    }
}
