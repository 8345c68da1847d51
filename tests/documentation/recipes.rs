//! The recipes in CONTRIBUTING.md and the walks in ARCHITECTURE.md name files that are there and
//! hold what they say, and no more of them than they promise. The table of RFC 9700 in
//! docs/openid.md names tests that are there.

use std::path::Path;

use super::project;
use crate::support::markdown::{code_spans, headings, table};

const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");
const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");
const OPENID: &str = include_str!("../../docs/openid.md");

/// What one can add, and the most files of the programs that it may take.
const RECIPES: [(&str, usize); 10] = [
    ("a provider", 3),
    ("a limit", 4),
    ("a setting", 3),
    ("a route", 3),
    ("a metric", 1),
    ("a column", 4),
    ("a command for operators", 3),
    ("an operation of the admin API", 4),
    ("a kind of event", 3),
    ("a webhook event", 2),
];

/// What goes through the code, and the most files that it may pass.
const WALKS: [(&str, usize); 2] = [
    ("A number, from the request to the provider", 15),
    ("An OTP, from the request to a token", 9),
];

const PROGRAMS: [&str; 4] = ["api/", "common/", "migration/", "worker/"];

#[test]
fn every_recipe_is_true_and_short() {
    for (what, most) in RECIPES {
        let count = files_of_the_programs(CONTRIBUTING, &format!("How to add {what}"));
        assert!(count <= most, "adding {what} takes {count} files, more than {most}");
    }
    let told = headings(CONTRIBUTING)
        .into_iter()
        .filter(|heading| heading.starts_with("How to add "))
        .count();
    assert_eq!(told, RECIPES.len(), "a recipe is not looked at");
}

#[test]
fn every_walk_is_true_and_short() {
    for (walk, most) in WALKS {
        let count = files_of_the_programs(ARCHITECTURE, walk);
        assert!(count <= most, "{walk:?} passes {count} files, more than {most}");
    }
}

#[test]
fn every_point_of_rfc_9700_is_held_by_a_test() {
    let mut sources = String::new();
    read_sources(&project().join("tests"), &mut sources);
    for row in table(OPENID, "RFC 9700, point by point") {
        assert_eq!(row.len(), 3, "point, what is done, tests: {row:?}");
        let tests = code_spans(row[2]);
        assert!(!tests.is_empty(), "nothing holds {row:?}");
        for test in tests {
            let is_test = sources.split(&format!("fn {test}()")).next().is_some_and(|above| {
                let attribute = above.trim_end().trim_end_matches("async").trim_end();
                above.len() < sources.len() && attribute.ends_with(']')
            });
            assert!(is_test, "there is no test {test}");
        }
    }
}

/// Adds the text of every Rust file under `folder`.
fn read_sources(folder: &Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Of the table under a heading, whose every row names a file, symbols in it, and what is done
/// there.
fn files_of_the_programs(page: &str, heading: &str) -> usize {
    let mut count = 0;
    for row in table(page, heading) {
        assert_eq!(row.len(), 3, "file, symbol, what is done: {row:?}");
        let (files, symbols) = (code_spans(row[0]), code_spans(row[1]));
        assert!(!files.is_empty() && !symbols.is_empty(), "{heading}: {row:?}");
        for file in files {
            let read = std::fs::read_to_string(project().join(&file));
            let text = read.unwrap_or_else(|error| panic!("{heading}: {file}: {error}"));
            for symbol in &symbols {
                assert!(text.contains(symbol), "{heading}: {file} has no {symbol}");
            }
            count += usize::from(PROGRAMS.iter().any(|room| file.starts_with(room)));
        }
    }
    count
}
