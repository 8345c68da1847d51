//! Every warning and every error that the programs write is told in docs/operations.md.

use std::collections::BTreeSet;
use std::path::Path;

use super::project;
use crate::support::markdown::code_spans;

const OPERATIONS: &str = include_str!("../../docs/operations.md");

#[test]
fn operators_are_told_what_each_warning_and_error_means() {
    let mut events = BTreeSet::new();
    for program in ["api", "common", "worker"] {
        read_events(&project().join(program).join("src"), &mut events);
    }
    assert!(events.len() > 50, "{events:?}");
    let told: BTreeSet<_> = code_spans(OPERATIONS).into_iter().collect();
    let untold: Vec<_> = events.difference(&told).collect();
    assert!(untold.is_empty(), "docs/operations.md does not tell of {untold:?}");
}

/// Adds the names of what is logged as `warn!` or `error!` in the Rust files under `folder`.
fn read_events(folder: &Path, events: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_events(&path, events);
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap_or_default();
        for (level, _) in source.match_indices("warn!(").chain(source.match_indices("error!(")) {
            let call = source[level..].split_once('(').unwrap().1.trim_start();
            let event = call.strip_prefix("event = \"").and_then(|call| call.split_once('"'));
            events.extend(event.map(|(event, _)| event.to_owned()));
        }
    }
}
