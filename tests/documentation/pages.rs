//! The pages are as short as they say, their lines fit a screen, and what they name and link to is there.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::{pages, project};
use crate::support::markdown::{code_spans, headings, links};

const ROOMS: [&str; 11] =
    ["api/", "bench/", "bin/", "common/", "deploy/", "docs/", "migration/", "openapi/", "tests/", "worker/", ".ci/"];

/// Of a page's prose, in characters; tables and code are as wide as they have to be.
const WIDTH: usize = 100;

#[test]
fn every_file_that_a_page_names_is_there() {
    let mut count = 0;
    for (page, text) in pages() {
        for span in code_spans(&text).iter().filter(|span| !span.contains([' ', '<', '*', '…'])) {
            if ROOMS.iter().any(|room| span.starts_with(room)) {
                assert!(project().join(span).exists(), "{} names {span}, which is not there", page.display());
                count += 1;
            }
        }
    }
    assert!(count > 50, "only {count} names were found");
}

#[test]
fn every_link_leads_to_a_file_and_its_heading() {
    let pages = pages();
    let mut count = 0;
    for (page, text) in &pages {
        for (_, link) in links(text).iter().filter(|(_, link)| !link.contains("://")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { page.clone() } else { normal(&page.parent().unwrap().join(path)) };
            assert!(project().join(&target).exists(), "{} links to {link}, which is not there", page.display());
            if !anchor.is_empty() {
                let text = pages.iter().find_map(|(page, text)| (*page == target).then_some(text)).unwrap();
                let anchors: BTreeSet<String> = headings(text).into_iter().map(anchor_of).collect();
                assert!(anchors.contains(anchor), "{} links to {link}; there are {anchors:?}", page.display());
            }
            count += 1;
        }
    }
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
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
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
    for (page, text) in pages() {
        let mut in_code = false;
        for (index, line) in text.lines().enumerate() {
            let fence = line.trim_start().starts_with("```");
            in_code ^= fence;
            let prose = !fence && !in_code && !line.starts_with('|');
            let width = line.chars().count();
            assert!(!prose || width <= WIDTH, "{}:{} has {width} characters", page.display(), index + 1);
        }
    }
}
