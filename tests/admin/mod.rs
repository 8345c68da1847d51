//! The admin API: who may use it, what it shows, and what it changes.

mod connections;
mod console;
mod deliveries;
mod export;
mod hosts;
mod import;
mod keys;
mod look_ups;
mod numbers;
mod overview;
mod queue;
mod roles;
mod user_changes;
mod users;

use http::{HeaderMap, Method};
use serde_json::Value;

use crate::operators::json;
use crate::support::app::{App, SOON};
use crate::support::client::{Answer, Client};
use crate::support::process::Process;

/// A client of the admin API of that process.
pub(crate) async fn client(api: &mut Process) -> Client {
    let listening = api.wait_for_event("admin_listening", SOON).await;
    Client::new(listening["address"].as_str().unwrap())
}

/// Somebody with a key.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    pub(crate) client: Client,
    pub(crate) key: String,
}

impl Operator {
    /// With a key of that role, which is its name too.
    pub(crate) async fn of(app: &mut App, role: &str) -> Self {
        let client = client(&mut app.apis[0]).await;
        let added = json(app, &format!("api admin-key add --name {role} --role {role}")).await;
        Self { client, key: added["key"].as_str().unwrap().to_owned() }
    }

    /// The same one with another key.
    pub(crate) fn with(&self, key: &str) -> Self {
        Self { key: key.to_owned(), ..self.clone() }
    }

    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {}", self.key).parse().unwrap());
        if body.is_some() {
            headers.insert("content-type", "application/json".parse().unwrap());
        }
        let body = body.map_or_else(String::new, Value::to_string);
        self.client.send(method, path, headers, body).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// What a list shows, page after page.
    pub(crate) async fn all(&self, path: &str, limit: usize) -> Vec<Value> {
        let mut rows = Vec::new();
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut next = String::new();
        loop {
            let page = self.get(&format!("{path}{separator}limit={limit}{next}")).await.expect(200);
            let some = page.body["data"].as_array().unwrap();
            assert!(some.len() <= limit, "{page:?}");
            rows.extend(some.iter().cloned());
            let Some(cursor) = page.body["next_cursor"].as_str() else { return rows };
            next = format!("&cursor={cursor}");
        }
    }
}
