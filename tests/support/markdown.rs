//! Reads the project's pages as Markdown. What is read comes as it is written there, with its
//! backticks and links.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The rows of all tables in the section under `heading`, without the tables' own headings.
///
/// # Panics
/// The page has no such heading, or there is no row under it.
#[track_caller]
pub(crate) fn table<'a>(page: &'a str, heading: &str) -> Vec<Vec<&'a str>> {
    let mut rows: Vec<Vec<&str>> = Vec::new();
    let mut section = None;
    for (event, range) in events(page) {
        match event {
            Event::Start(Tag::Heading { level, .. }) if title(&page[range.clone()]) == heading => {
                section = Some(level)
            }
            Event::Start(Tag::Heading { level, .. }) => {
                section = section.filter(|above| level > *above)
            }
            _ if section.is_none() => {}
            Event::Start(Tag::TableHead | Tag::TableRow) => rows.push(Vec::new()),
            Event::End(TagEnd::TableHead) => {
                rows.pop();
            }
            Event::Start(Tag::TableCell) => rows.last_mut().unwrap().push(page[range].trim()),
            _ => {}
        }
    }
    assert!(!rows.is_empty(), "no table under the heading {heading:?}");
    rows
}

/// The texts of all headings, in their order.
pub(crate) fn headings(page: &str) -> Vec<&str> {
    let headings =
        events(page).filter(|(event, _)| matches!(event, Event::Start(Tag::Heading { .. })));
    headings.map(|(_, range)| title(&page[range])).collect()
}

/// The texts of all code spans, without their backticks.
pub(crate) fn code_spans(text: &str) -> Vec<String> {
    let spans = events(text)
        .filter_map(|(event, _)| if let Event::Code(span) = event { Some(span) } else { None });
    spans.map(String::from).collect()
}

/// All links, each with its text as it is written and what it leads to.
pub(crate) fn links(text: &str) -> Vec<(&str, String)> {
    let mut links = Vec::new();
    for (event, range) in events(text) {
        if let Event::Start(Tag::Link { dest_url, .. }) = event {
            let label = text[range].trim_start_matches('[').split("](").next().unwrap_or_default();
            links.push((label, dest_url.into_string()));
        }
    }
    links
}

fn events(text: &str) -> impl Iterator<Item = (Event<'_>, Range<usize>)> {
    Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter()
}

fn title(heading: &str) -> &str {
    heading.trim_start_matches('#').trim()
}
