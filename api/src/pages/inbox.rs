//! `GET /dev/inbox`: what the console provider printed, as a phone would show it.

use serde_json::json;

use super::{Page, Parts};
use crate::config::Config;

/// Where the page is.
pub const PATH: &str = "/dev/inbox";
/// Where its messages come from.
pub const EVENTS_PATH: &str = "/dev/inbox/events";

/// The page. It finds codes in messages by their length.
pub(super) fn page(config: &Config) -> Page {
    Page::new(Parts {
        html: include_str!("inbox.html"),
        style: include_str!("inbox.css"),
        script: include_str!("inbox.js"),
        settings: json!({
            "otpLength": config.otp.otp_length.digits(),
            "events": EVENTS_PATH,
            "signInPage": config.has_sign_in_page(),
        }),
        texts: vec![("app", config.app.app_name.clone())],
    })
}
