//! The recipes in CONTRIBUTING.md and the walks in ARCHITECTURE.md name files that are there and
//! hold what they say, and no more of them than they promise.

use super::project;
use crate::support::markdown::{code_spans, headings, table};

const CONTRIBUTING: &str = include_str!("../../CONTRIBUTING.md");
const ARCHITECTURE: &str = include_str!("../../ARCHITECTURE.md");

/// What one can add, and the most files of the programs that it may take.
const RECIPES: [(&str, usize); 9] = [
    ("a provider", 3),
    ("a limit", 4),
    ("a setting", 3),
    ("a route", 3),
    ("a metric", 1),
    ("a column", 4),
    ("a command for operators", 3),
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
