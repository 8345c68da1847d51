//! The pages are as short as they say, their lines fit a screen, and what they name and link to is
//! there.

use std::path::{Component, Path, PathBuf};

use super::{pages, project};
use crate::support::markdown::{code_spans, headings, links};

const ROOMS: [&str; 11] = [
    "api/",
    "bench/",
    "bin/",
    "common/",
    "deploy/",
    "docs/",
    "migration/",
    "openapi/",
    "tests/",
    "worker/",
    ".ci/",
];

/// Of a page's prose, in characters; tables and code are as wide as they have to be.
const WIDTH: usize = 100;

#[test]
fn every_file_that_a_page_names_is_there() {
    let mut count = 0;
    let mut missing = Vec::new();
    for (page, text) in pages() {
        for span in
            code_spans(&text).into_iter().filter(|span| !span.contains([' ', '<', '*', '…']))
        {
            if ROOMS.iter().any(|room| span.starts_with(room)) {
                count += 1;
                if !project().join(&span).exists() {
                    missing.push((page.clone(), span));
                }
            }
        }
    }
    assert!(missing.is_empty(), "pages that name what is not there: {missing:#?}");
    assert!(count > 50, "only {count} names were found");
}

#[test]
fn every_link_leads_to_a_file_and_its_heading() {
    let pages = pages();
    let mut count = 0;
    let mut dead = Vec::new();
    for (page, text) in &pages {
        for (_, link) in links(text).into_iter().filter(|(_, link)| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                page.clone()
            } else {
                normal(&page.parent().unwrap().join(path))
            };
            let leads = if anchor.is_empty() {
                project().join(&target).exists()
            } else {
                let text = pages.iter().find_map(|(page, text)| (*page == target).then_some(text));
                text.is_some_and(|text| {
                    headings(text).into_iter().any(|heading| anchor_of(heading) == anchor)
                })
            };
            count += 1;
            if !leads {
                dead.push((page, link));
            }
        }
    }
    assert!(dead.is_empty(), "pages with links that lead nowhere: {dead:#?}");
    assert!(count > 50, "only {count} links were found");
}

/// A path without `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(normal.pop(), "{} leaves the project", path.display()),
            part => normal.push(part),
        }
    }
    normal
}

/// As hosts of repositories make them of headings.
fn anchor_of(heading: &str) -> String {
    let kept = heading
        .chars()
        .filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn what_is_read_first_is_short() {
    for (page, most) in [("README.md", 150), ("ARCHITECTURE.md", 200)] {
        let count = std::fs::read_to_string(project().join(page)).unwrap().lines().count();
        assert!(count <= most, "{page} has {count} lines, more than {most}");
    }
}

#[test]
fn lines_of_prose_fit() {
    let mut wide = Vec::new();
    for (page, text) in pages() {
        let mut in_code = false;
        for (index, line) in text.lines().enumerate() {
            let fence = line.trim_start().starts_with("```");
            in_code ^= fence;
            if !fence && !in_code && !line.starts_with('|') && line.chars().count() > WIDTH {
                wide.push(format!("{}:{}", page.display(), index + 1));
            }
        }
    }
    assert!(wide.is_empty(), "lines with more than {WIDTH} characters: {wide:#?}");
}
