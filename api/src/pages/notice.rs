//! Pages that are made for one answer: a few words, and at most one form.

use poem::Response;
use poem::http::{StatusCode, header};

use super::{STYLE, compact, escaped, filled, hash};

const HTML: &str = include_str!("notice.html");
/// Posts the form by itself, where there is JavaScript.
const SUBMIT: &str = "document.forms[0].submit()";

/// What all of them have.
#[derive(Clone, Debug)]
pub struct Notices {
    app: String,
    style: String,
}

/// A form with one button.
#[derive(Debug)]
pub(crate) struct NoticeForm<'a> {
    pub(crate) action: &'a str,
    /// Names and values that nobody sees.
    pub(crate) fields: &'a [(&'static str, String)],
    pub(crate) button: &'static str,
    /// Whether the page posts it without being asked.
    pub(crate) submits_itself: bool,
}

impl Notices {
    #[must_use]
    pub fn new(app: &str) -> Self {
        Self { app: app.to_owned(), style: compact(&[STYLE, include_str!("notice.css")]) }
    }

    pub(crate) fn page(
        &self,
        status: StatusCode,
        title: &str,
        text: &str,
        form: Option<&NoticeForm<'_>>,
    ) -> Response {
        let submits = form.is_some_and(|form| form.submits_itself);
        let script = if submits { format!("<script>{SUBMIT}</script>") } else { String::new() };
        let html = filled(HTML, |name| match name {
            "app" => escaped(&self.app),
            "style" => self.style.clone(),
            "title" => escaped(title),
            "text" => escaped(text),
            "form" => form.map(html_of).unwrap_or_default(),
            "script" => script.clone(),
            _ => String::new(),
        });
        // No `form-action`: browsers apply it to where an app leads on after its form, too.
        let scripts = if submits { format!("'{}'", hash(SUBMIT)) } else { "'none'".to_owned() };
        let policy = format!(
            "default-src 'none'; script-src {scripts}; style-src '{}'; img-src data:; \
             base-uri 'none'; frame-ancestors 'none'",
            hash(&self.style)
        );
        Response::builder()
            .status(status)
            .content_type("text/html; charset=utf-8")
            .header(header::CONTENT_SECURITY_POLICY, policy)
            .body(html)
    }
}

fn html_of(form: &NoticeForm<'_>) -> String {
    let fields: String = form
        .fields
        .iter()
        .map(|(name, value)| {
            format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escaped(value))
        })
        .collect();
    let (action, button) = (escaped(form.action), form.button);
    format!(
        "<form method=\"post\" action=\"{action}\">\n{fields}<button>{button}</button>\n</form>"
    )
}
