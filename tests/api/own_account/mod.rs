//! Deleting an account and moving it to another number: what its owner can do, and nobody with the
//! token alone.

mod attacks;
mod deletion;
mod errors;
mod limits;
mod number_change;

use serde_json::{Value, json};

use crate::support::app::{App, SOON};
use crate::support::client::{Answer, Client};
use crate::support::in_process::{Caller, InProcess};
pub(super) use crate::support::numbers::{NUMBER, OTHER_NUMBER as NEW, THIRD_NUMBER as OTHER};

pub(super) const DELETION: &str = "/me/deletion";
pub(super) const PHONE_NUMBER: &str = "/me/phone-number";

/// The codes of a change: from the account's number, and from the new one.
pub(super) struct Codes {
    pub(super) current: String,
    pub(super) new: String,
}

pub(super) fn both(number: &str, current: &str, new: &str) -> Value {
    json!({"phone_number": number, "current_otp": current, "new_otp": new})
}

/// Asks for a change, and reads both SMS.
pub(super) async fn codes_of_change(app: &App, token: &str, current: &str, new: &str) -> Codes {
    let (before_current, before_new) =
        (app.twilio.accepted(current).len(), app.twilio.accepted(new).len());
    app.client().post_as(token, PHONE_NUMBER, &json!({"phone_number": new})).await.expect(200);
    let current =
        app.twilio.wait_for_sms(current, before_current + 1, SOON).await[before_current].code();
    let new = app.twilio.wait_for_sms(new, before_new + 1, SOON).await[before_new].code();
    Codes { current, new }
}

/// Asks for a deletion, and reads the SMS.
pub(super) async fn code_of_deletion(app: &App, token: &str, number: &str) -> String {
    let before = app.twilio.accepted(number).len();
    app.client().post_as(token, DELETION, &json!({})).await.expect(200);
    app.twilio.wait_for_sms(number, before + 1, SOON).await[before].code()
}

/// Gives the codes of a change.
pub(super) async fn change(client: &Client, token: &str, new: &str, codes: &Codes) -> Answer {
    client.post_as(token, PHONE_NUMBER, &both(new, &codes.current, &codes.new)).await
}

async fn codes_in_process(app: &InProcess, caller: &Caller<'_>, token: &str, new: &str) -> Codes {
    let asked =
        caller.post_as(token, PHONE_NUMBER, &json!({"phone_number": new})).await.expect(200);
    let id = |field: &str| {
        asked.body[field].as_str().unwrap_or_else(|| panic!("no {field} in {asked:?}")).to_owned()
    };
    let (current, new) = (id("current_delivery_id"), id("new_delivery_id"));
    Codes { current: app.deliver_id(&current).await, new: app.deliver_id(&new).await }
}

async fn deletion_in_process(app: &InProcess, caller: &Caller<'_>, token: &str) -> String {
    let asked = caller.post_as(token, DELETION, &json!({})).await.expect(200);
    app.deliver(&asked).await
}
