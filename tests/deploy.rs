//! What `deploy/` names is there: settings in the programs, files in the project. `bin/test deploy`
//! checks its formats.

use std::collections::BTreeSet;
use std::path::PathBuf;

use crate::documentation::{is_variable, project, settings_of_all_programs};

/// What the files of `deploy/` set besides our settings: variables of Compose's own file of
/// secrets, and of other images.
const NOT_OURS: [&str; 8] = [
    "GF_ANALYTICS_CHECK_FOR_UPDATES",
    "GF_ANALYTICS_REPORTING_ENABLED",
    "GF_SECURITY_ADMIN_PASSWORD",
    "GRAFANA_PASSWORD",
    "POSTGRES_PASSWORD",
    "POSTGRES_USER",
    "REDISCLI_AUTH",
    "REDIS_PASSWORD",
];

/// Every file of `deploy/`, with its text.
fn deploy_files() -> Vec<(PathBuf, String)> {
    let mut folders = vec![project().join("deploy")];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    assert!(files.len() >= 20, "{files:?}");
    files
}

/// `NAME=…`, `NAME: …` and `name: NAME` outside of comments.
fn settings_set_in(text: &str) -> Vec<&str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut found = Vec::new();
    for line in lines {
        let words = line.split([' ', ',', '{', '}', '"', '\'']).filter(|word| !word.is_empty());
        let words: Vec<&str> = words.collect();
        for (word, before) in words.iter().zip(std::iter::once(&"").chain(&words)) {
            let mut parts: Vec<&str> = word.split('=').collect();
            let last = parts.pop().unwrap();
            found.extend(parts);
            found.extend(last.strip_suffix(':'));
            found.extend((*before == "name:").then_some(last));
        }
    }
    found.retain(|word| is_variable(word) && word.len() > 1);
    found
}

#[async_test]
async fn every_setting_in_deploy_is_one_of_a_program() {
    let settings = settings_of_all_programs().await;
    let mut met = BTreeSet::new();
    for (path, text) in deploy_files() {
        for name in settings_set_in(&text) {
            let known = settings.contains_key(name) || NOT_OURS.contains(&name);
            assert!(known, "{} sets {name}, which no program takes", path.display());
            met.insert(name.to_owned());
        }
    }
    for name in [
        "APP_ENV",
        "DATABASE_URL",
        "HOST",
        "METRICS_ADDR",
        "OTP_SECRET",
        "SHUTDOWN_GRACE",
        "TRUSTED_PROXIES",
    ] {
        assert!(met.contains(name), "{name} is not among {met:?}");
    }
    for name in NOT_OURS {
        assert!(met.contains(name), "nothing sets {name}");
    }
}

#[test]
fn settings_are_found_however_they_are_written() {
    let text = "# A=1\nENV B=2 C_D=3\n  E: 4\n- F=5\nEnvironment=G=6 H=${I:?no}\n{ name: JK, value: LM }\nNo=N";
    assert_eq!(settings_set_in(text), ["C_D", "JK"]);
    let text = "ENV BB=2 CC_D=3\n  EE: 4\n  - FF=5\nEnvironment=GG=6 HH=${II:?no}\n{ name: JJ, value: KK }";
    assert_eq!(settings_set_in(text), ["BB", "CC_D", "EE", "FF", "GG", "HH", "JJ"]);
}

#[test]
fn every_file_that_deploy_names_is_there() {
    let mut count = 0;
    for (path, text) in deploy_files() {
        let folder = path.parent().unwrap();
        let is_kustomization = path.ends_with("kustomization.yaml");
        let mut named: Vec<PathBuf> = Vec::new();
        for line in text.lines() {
            let resource = line
                .trim()
                .strip_prefix("- ")
                .filter(|word| is_kustomization && word.ends_with(".yaml"));
            named.extend(resource.map(|word| folder.join(word)));
            for word in line.split([' ', '`', '"', ',', '(', ')', '}']) {
                let word = word.split([':', '#']).next().unwrap().trim_end_matches('.');
                let from_here = ["./", "../"].iter().any(|start| word.starts_with(start));
                let from_the_root =
                    ["deploy/", "docs/", "bin/"].iter().any(|start| word.starts_with(start));
                named.extend(from_here.then(|| folder.join(word)));
                named.extend(from_the_root.then(|| project().join(word)));
            }
        }
        // Made by whoever runs it, from the example beside it.
        named.retain(|named| !named.ends_with("deploy/.env"));
        for named in named {
            assert!(
                named.exists(),
                "{} names {}, which is not there",
                path.display(),
                named.display()
            );
            count += 1;
        }
    }
    assert!(count >= 20, "only {count} names were found");
}

/// Podman knows no registry by itself.
#[test]
fn images_of_others_are_named_with_their_registry() {
    let mut count = 0;
    for (path, text) in deploy_files() {
        for line in text.lines() {
            let line = line.trim();
            let image = line.strip_prefix("FROM ").or_else(|| line.strip_prefix("image: "));
            let Some(image) = image.filter(|image| image.contains(':')) else { continue };
            assert!(image.starts_with("docker.io/"), "{}: {line}", path.display());
            count += 1;
        }
    }
    assert!(count >= 6, "only {count} images were looked at");
}

#[test]
fn nothing_in_deploy_is_a_secret() {
    let mut count = 0;
    for (path, text) in deploy_files() {
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            let Some((name, value)) = line.split_once(['=', ':']) else { continue };
            let name = name.trim().trim_start_matches("- ");
            let value = value.trim().trim_matches('"');
            let secret =
                ["SECRET", "PASSWORD", "API_KEY", "AUTH"].iter().any(|word| name.contains(word));
            let password =
                password_in(value).unwrap_or(if is_variable(name) && secret { value } else { "" });
            assert!(
                password.is_empty() || password.starts_with("${"),
                "{}: {line}",
                path.display()
            );
            count += usize::from(is_variable(name) && secret);
        }
    }
    assert!(count >= 10, "only {count} secrets were looked at");
}

fn password_in(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("://")?;
    let (user, _) = rest.rsplit_once('@')?;
    user.split_once(':').map(|(_, password)| password)
}

#[test]
fn passwords_are_found_in_urls() {
    for (url, password) in [
        ("postgres://user:hunter2@host/db", Some("hunter2")),
        ("redis://:${A:?b}@redis", Some("${A:?b}")),
        ("postgres://user@host/db", None),
        ("redis://127.0.0.1:6379", None),
        ("text", None),
    ] {
        assert_eq!(password_in(url), password);
    }
}
