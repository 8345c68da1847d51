//! Long lists, a page at a time, newest first.

use std::fmt;

use data_encoding::BASE32_NOPAD;

/// Where a page begins: after a row of the list. To clients it is text that says nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cursor(i64);

impl Cursor {
    /// Reads one; none where the text is not one that [`Cursor`]'s `Display` wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return None;
        }
        let bytes = BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?;
        let row = i64::from_be_bytes(bytes.try_into().ok()?);
        (row > 0).then_some(Self(row))
    }

    pub(crate) fn after(row: i64) -> Self {
        Self(row)
    }

    pub(crate) fn row(self) -> i64 {
        self.0
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE32_NOPAD.encode(&self.0.to_be_bytes()).to_ascii_lowercase())
    }
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PageRequest {
    /// Where it begins; the newest row where none is given.
    pub cursor: Option<Cursor>,
    pub limit: u64,
}

impl PageRequest {
    /// The rows of the page have smaller numbers than this.
    pub(crate) fn before(self) -> i64 {
        self.cursor.map_or(i64::MAX, Cursor::row)
    }

    /// One more than the limit, which tells whether there is a next page.
    pub(crate) fn rows_asked(self) -> i64 {
        i64::try_from(self.limit).unwrap_or(i64::MAX).saturating_add(1)
    }
}

/// A part of a list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// Where the next page begins; none after the last one.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// From a query for one row more than the limit, which tells whether there is a next page.
    /// `number` is a row's place in the list.
    pub(crate) fn new(mut rows: Vec<T>, limit: u64, number: impl Fn(&T) -> i64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| Cursor::after(number(row)));
        Self { rows, next }
    }

    /// The same page of something else; what cannot be turned into it is left out.
    pub(crate) fn filter_map<U>(self, change: impl FnMut(T) -> Option<U>) -> Page<U> {
        Page { rows: self.rows.into_iter().filter_map(change).collect(), next: self.next }
    }
}

/// Rows of one millisecond that have a place of their own.
const PLACES_IN_A_MILLISECOND: i64 = 1_000;

/// A page of those rows that fit, of a list in memory whose newest comes first; `at` is a row's time
/// (Unix ms). A row's place is its time and, among those of one millisecond, its place in the list,
/// so that pages go on where they were while new rows come.
pub fn page_by_time<T>(
    rows: impl IntoIterator<Item = T>,
    at: impl Fn(&T) -> i64,
    fits: impl Fn(&T) -> bool,
    page: PageRequest,
) -> Page<T> {
    let asked = usize::try_from(page.rows_asked()).unwrap_or(usize::MAX);
    let fitting = by_time(rows, at, page).filter(|(_, row)| fits(row)).take(asked).collect();
    Page::new(fitting, page.limit, |(place, _)| *place).filter_map(|(_, row)| Some(row))
}

/// The rows of such a list from where the page begins, each behind its place.
pub(crate) fn by_time<T>(
    rows: impl IntoIterator<Item = T>,
    at: impl Fn(&T) -> i64,
    page: PageRequest,
) -> impl Iterator<Item = (i64, T)> {
    let (before, mut place) = (page.before(), i64::MAX);
    let placed = rows.into_iter().map(move |row| {
        place = at(&row).saturating_mul(PLACES_IN_A_MILLISECOND).min(place.saturating_sub(1));
        (place, row)
    });
    placed.filter(move |(place, _)| *place < before)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is() {
        for row in [1, 255, 1 << 40, i64::MAX] {
            let text = Cursor::after(row).to_string();
            assert_eq!(Cursor::parse(&text), Some(Cursor(row)), "{text}");
            assert_eq!(Cursor::parse(&text.to_ascii_uppercase()), None);
        }
        let zero = Cursor(0).to_string();
        let negative = Cursor(-1).to_string();
        for text in ["", "1", "a", "aaaaaaaaaaaab", "aaaaaaaaaaaaa=", "é", &zero, &negative] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }

    #[test]
    fn pages_by_time_have_each_row_once_also_where_new_ones_come() {
        let mut rows = vec![(9, 'a'), (9, 'b'), (7, 'c'), (7, 'd'), (7, 'e'), (1, 'f')];
        let mut seen = String::new();
        let mut cursor = None;
        loop {
            let request = PageRequest { cursor, limit: 2 };
            let page = page_by_time(rows.clone(), |row| row.0, |row| row.1 != 'd', request);
            seen.extend(page.rows.iter().map(|row| row.1));
            rows.insert(0, (10, 'x'));
            let Some(next) = page.next else { break };
            cursor = Some(next);
        }
        assert_eq!(seen, "abcef");
    }

    #[test]
    fn the_last_page_has_no_next() {
        let page = |rows: Vec<i64>| Page::new(rows, 2, |row| *row);
        assert_eq!(page(vec![]), Page { rows: vec![], next: None });
        assert_eq!(page(vec![9, 8]), Page { rows: vec![9, 8], next: None });
        assert_eq!(page(vec![9, 8, 7]), Page { rows: vec![9, 8], next: Some(Cursor(8)) });
    }
}
