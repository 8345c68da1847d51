//! The pages are true: every setting with its programs and its default, every key and script of
//! Redis, every warning, every file and every symbol that they name. They are also short, and their
//! links lead somewhere.

mod events;
mod limits;
mod pages;
mod recipes;
mod redis_keys;
mod settings;

use std::path::{Path, PathBuf};

pub(crate) use settings::{is_variable, settings_of_all_programs};

pub(crate) fn project() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every page, by its path within the project, with its text.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> =
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"]
            .map(PathBuf::from)
            .to_vec();
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(project().join(&folder)).unwrap() {
            let entry = entry.unwrap();
            let path = folder.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                paths.push(path);
            }
        }
    }
    assert!(paths.len() > 15, "{paths:?}");
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(project().join(&path)).unwrap();
        (path, text)
    };
    paths.into_iter().map(read).collect()
}
