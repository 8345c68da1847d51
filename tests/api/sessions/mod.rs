//! What a signed-in user does with their account and their sessions.

mod cap;
mod ending;
mod events;
mod listing;
mod me;
mod over_days;
mod remembered;

use std::time::Duration;

use http::{HeaderMap, Method};
use serde_json::Value;

use crate::support::app::{App, Plan};
use crate::support::client::{Answer, Client};
use crate::support::eventually;
pub(crate) use crate::support::numbers::{NUMBER, OTHER_NUMBER};

/// Signs both numbers in; no SMS is sent to them.
const OTP: &str = "471147";

/// APIs whose test numbers are the two above.
pub(crate) fn plan(apis: usize) -> Plan {
    let numbers = format!("{NUMBER}={OTP}@2099-12-31,{OTHER_NUMBER}={OTP}@2099-12-31");
    Plan::new().apis(apis).workers(0).set("TEST_NUMBERS", &numbers)
}

async fn start() -> App {
    plan(1).start().await
}

#[derive(Clone, Debug)]
pub(crate) struct SignedIn {
    client: Client,
    token: String,
    /// The user, as the sign-in told.
    user: Value,
}

impl SignedIn {
    /// Signs in with a number and what the client calls itself.
    pub(crate) async fn with(client: &Client, number: &str, user_agent: &str) -> Self {
        client.ask("Asha", number).await.expect(200);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("user-agent", user_agent.parse().unwrap());
        let body = serde_json::json!({"phone_number": number, "otp": OTP}).to_string();
        let answer = client.send(Method::POST, "/signup", headers, body).await.expect(200);
        Self {
            client: client.clone(),
            token: answer.token().to_owned(),
            user: answer.body["data"].clone(),
        }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The same user's token at another API.
    pub(crate) fn at(&self, client: &Client) -> Self {
        Self { client: client.clone(), ..self.clone() }
    }

    /// The same session with another token.
    pub(crate) fn holding(&self, token: &str) -> Self {
        Self { token: token.to_owned(), ..self.clone() }
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {}", self.token).parse().unwrap());
        if body.is_some() {
            headers.insert("content-type", "application/json".parse().unwrap());
        }
        self.client.send(method, path, headers, body.map_or(String::new(), Value::to_string)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }

    pub(crate) async fn renew(&self) -> Answer {
        self.call(Method::POST, "/tokens/current/renewal", None).await
    }

    /// Asserts that the token works.
    pub(crate) async fn is_in(&self) {
        self.get("/protected").await.expect(200);
    }

    /// Asserts that the token does not work, on a public route either.
    pub(crate) async fn is_out(&self) {
        for path in ["/protected", "/me", "/tokens", "/me/events", "/healthz"] {
            self.get(path).await.expect_error(
                401,
                "Invalid authorization header",
                "invalid_authorization_header",
            );
        }
    }

    /// Asserts that the token stops working once another process has told of it.
    pub(crate) async fn is_soon_out(&self) {
        eventually(Duration::from_secs(1), "an end that was heard of", async || {
            (self.get("/protected").await.status == 401).then_some(())
        })
        .await;
        self.is_out().await;
    }

    /// The `data` of a list, all in one page.
    pub(crate) async fn list(&self, path: &str) -> Vec<Value> {
        let answer = self.get(&format!("{path}?limit=100")).await.expect(200);
        assert_eq!(answer.body["next_cursor"], Value::Null, "{answer:?}");
        answer.body["data"].as_array().unwrap().clone()
    }

    pub(crate) async fn sessions(&self) -> Vec<Value> {
        self.list("/tokens").await
    }

    /// The id of the session that asks.
    pub(crate) async fn session_id(&self) -> String {
        let sessions = self.sessions().await;
        let current: Vec<_> =
            sessions.iter().filter(|session| session["current"] == true).collect();
        assert_eq!(current.len(), 1, "{sessions:?}");
        current[0]["id"].as_str().unwrap().to_owned()
    }
}

/// The fields' names, in alphabetical order.
fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// Asserts a time in RFC 3339, in UTC and whole seconds, and returns it in Unix seconds.
fn seconds(time: &Value) -> i64 {
    use time::format_description::well_known::Rfc3339;
    let text = time.as_str().unwrap();
    assert!(text.len() == 20 && text.ends_with('Z'), "{text}");
    time::OffsetDateTime::parse(text, &Rfc3339).unwrap().unix_timestamp()
}

/// Asserts that every parameter that is wrong is refused, and every other one is not.
async fn checks_its_parameters(user: &SignedIn, path: &str) {
    for right in ["limit=1", "limit=100", "", "other=1"] {
        user.get(&format!("{path}?{right}")).await.expect(200);
    }
    let wrong = [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=",
        "limit=1.5",
        "limit=99999999999999999999",
    ];
    let cursors = [
        "cursor=",
        "cursor=1",
        "cursor=aaaaaaaaaaaaa",
        "cursor=77777777777777",
        "cursor=%00",
        "cursor=%ff",
    ];
    for wrong in wrong.iter().chain(&cursors) {
        println!("{wrong}");
        let answer = user.get(&format!("{path}?{wrong}")).await;
        answer.expect_error(400, "Invalid query parameter", "invalid_parameter");
    }
}
