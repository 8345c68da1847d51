//! Pages for people: the sign-in page and the development inbox. Each is one answer with its style
//! and its script in it, under a policy that lets a browser run and load nothing else.

pub(crate) mod console;
pub mod dev_inbox;
pub mod notice;
pub mod sign_in;

use std::sync::{Arc, LazyLock};

use common::domain::phone::NumberingPlan;
use data_encoding::BASE64;
use poem::endpoint::{Endpoint, make, make_sync};
use poem::{RouteMethod, get};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::document;
use crate::http::host::for_this_machine;
use crate::http::static_content::StaticContent;
use crate::pages::dev_inbox::DevInbox;

/// What all pages look like.
const STYLE: &str = include_str!("base.css");

/// What all pages' scripts begin with.
const SCRIPT: &str = include_str!("base.js");

/// What a page is made of.
struct Parts {
    html: &'static str,
    style: &'static str,
    script: String,
    settings: Value,
    /// What stands in the place of `{{name}}`; it may come from a setting.
    texts: Vec<(&'static str, String)>,
}

impl Parts {
    /// The page, ready to be sent.
    fn page(self) -> StaticContent {
        let parts = self;
        let style = compact(&[STYLE, parts.style]);
        let script = compact(&[SCRIPT, &parts.script]);
        // A `<` in a text would end the element.
        let settings = parts.settings.to_string().replace('<', "\\u003c");
        let policy = format!(
            "default-src 'none'; script-src '{}'; style-src '{}'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'",
            hash(&script),
            hash(&style),
        );
        let html = filled(parts.html, |name| match name {
            "style" => style.clone(),
            "settings" => settings.clone(),
            "script" => script.clone(),
            _ => parts
                .texts
                .iter()
                .find(|text| text.0 == name)
                .map(|text| escaped(&text.1))
                .unwrap_or_default(),
        });
        StaticContent::new("text/html; charset=utf-8", html, Some(&policy))
    }
}

/// Without what is there for readers of the source: indentation, and lines that are comments.
fn compact(files: &[&str]) -> String {
    let lines = files.iter().flat_map(|file| file.lines()).map(str::trim_start);
    let kept: Vec<_> = lines.filter(|line| !line.is_empty() && !line.starts_with("//")).collect();
    kept.join("\n")
}

/// Puts values into a template, in the places of `{{name}}`. What is in a value stays as it is.
fn filled(template: &str, value: impl Fn(&str) -> String) -> String {
    let mut parts = template.split("{{");
    let mut html = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").unwrap_or((part, ""));
        html.push_str(&value(name));
        html.push_str(rest);
    }
    html
}

/// As Content Security Policy Level 3 names an element's text.
fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64.encode(&Sha256::digest(text)))
}

/// For text and for attributes in double quotes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The pages that the settings ask for. Clones share them.
#[derive(Clone, Debug)]
pub struct Pages {
    sign_in: Option<LazyPage>,
    inbox: Option<(LazyPage, DevInbox)>,
    /// A number that SMS are sent to, for examples; E.164.
    pub example_number: String,
}

/// Made when it is first needed: the numbering plans of all countries take a while.
type LazyPage = Arc<LazyLock<StaticContent, Box<dyn FnOnce() -> StaticContent + Send>>>;

impl Pages {
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let destinations = &config.destinations;
        let usual =
            destinations.allowed().usual(destinations.default_country).and_then(NumberingPlan::of);
        let example_number = usual.as_ref().map(document::example_number).unwrap_or_default();
        let lazy = |make: fn(&Config) -> StaticContent| -> LazyPage {
            let config = config.clone();
            Arc::new(LazyLock::new(Box::new(move || make(&config))))
        };
        Self {
            sign_in: config.has_sign_in_page().then(|| lazy(sign_in::page)),
            inbox: config.has_dev_inbox().then(|| (lazy(dev_inbox::page), DevInbox::default())),
            example_number,
        }
    }

    /// Makes what the first request would have to wait for. It computes for up to some seconds.
    pub fn prepare(&self) {
        self.sign_in.iter().for_each(|page| drop(LazyLock::force(page).clone()));
    }

    #[must_use]
    pub(crate) fn has_sign_in(&self) -> bool {
        self.sign_in.is_some()
    }

    /// The development inbox, where there is one.
    #[must_use]
    pub fn dev_inbox(&self) -> Option<&DevInbox> {
        self.inbox.as_ref().map(|(_, inbox)| inbox)
    }

    pub(crate) fn routes(&self) -> Vec<(&'static str, RouteMethod)> {
        let serve = |page: &LazyPage| {
            let page = Arc::clone(page);
            make(move |request| {
                let page = Arc::clone(&page);
                async move { LazyLock::force(&page).call(request).await }
            })
        };
        let sign_in = self.sign_in.iter().map(|page| (sign_in::PATH, get(serve(page))));
        let inbox = self.inbox.iter().flat_map(|(page, inbox)| {
            let inbox = inbox.clone();
            [
                (dev_inbox::PATH, get(for_this_machine(serve(page)))),
                (dev_inbox::EVENTS_PATH, get(for_this_machine(make_sync(move |_| inbox.events())))),
            ]
        });
        sign_in.chain(inbox).collect()
    }
}
