//! Files that are there without anybody having uploaded them, and whoever asks for them.

use std::collections::BTreeMap;

use common::accounts::{Accounts, FileRoom, Leased, NewFile};
use common::domain::file_name::FileName;
use common::domain::ids::{FileId, LeaseId};
use common::files::{FileStorage, UploadStart};
use common::runtime::clock::Clock;
use http::{HeaderMap, Method};
use secrecy::SecretString;
use serde_json::Value;

use crate::support::app::{App, Plan};
use crate::support::client::Answer;
use crate::support::durations::{HOUR, MINUTE};
use crate::support::numbers::{NUMBER, OTHER_NUMBER};

/// Signs both numbers in; no SMS is sent to them.
const OTP: &str = "471147";

/// Test numbers are the two.
pub(crate) fn plan() -> Plan {
    let numbers = format!("{NUMBER}={OTP}@2099-12-31,{OTHER_NUMBER}={OTP}@2099-12-31");
    Plan::new().workers(0).set("TEST_NUMBERS", &numbers)
}

/// A signed-in user.
#[derive(Debug)]
pub(crate) struct Owner<'a> {
    pub(crate) app: &'a App,
    pub(crate) token: String,
    pub(crate) id: i64,
}

/// An answer with its bytes.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) bytes: Vec<u8>,
}

impl Got {
    #[track_caller]
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        let text = String::from_utf8_lossy(&self.bytes[..self.bytes.len().min(300)]);
        assert_eq!(self.status, status, "{:?} {text}", self.headers);
        self
    }

    pub(crate) fn code(&self) -> String {
        let body: Value = serde_json::from_slice(&self.bytes).unwrap_or_default();
        body["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Any request, whose answer is bytes.
pub(crate) async fn get(app: &App, method: Method, path: &str, headers: &[(&str, &str)]) -> Got {
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap();
    let url = format!("http://{}{path}", app.client().address());
    let mut request = http.request(method, url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.unwrap();
    let headers = response.headers().iter();
    let headers = headers.map(|(name, value)| {
        (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned())
    });
    Got {
        status: response.status().as_u16(),
        headers: headers.collect(),
        bytes: response.bytes().await.unwrap().to_vec(),
    }
}

impl<'a> Owner<'a> {
    pub(crate) async fn sign_in(app: &'a App, number: &str) -> Self {
        app.client().ask("Asha", number).await.expect(200);
        let answer = app.client().verify(number, OTP).await.expect(200);
        let id = answer.body["data"]["id"].as_i64().unwrap();
        Self { app, token: answer.token().to_owned(), id }
    }

    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// A request with the token, whose answer is bytes.
    pub(crate) async fn get(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Got {
        let authorization = self.authorization();
        let headers = [headers, &[("authorization", authorization.as_str())]].concat();
        get(self.app, method, path, &headers).await
    }

    /// A request with the token and perhaps a body of JSON.
    pub(crate) async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", self.authorization().parse().unwrap());
        if body.is_some() {
            headers.insert("content-type", "application/json".parse().unwrap());
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        self.app.client().send(method, path, headers, body).await
    }

    /// Keeps a file as an upload does, all of it or so many bytes; its id.
    pub(crate) async fn keep_part(&self, name: &str, bytes: &[u8], length: usize) -> String {
        let url = SecretString::from(self.app.database.url());
        let accounts = Accounts::connect(&url, 2).await.unwrap();
        let storage = FileStorage::folder(self.app.folder().join("data/files")).unwrap();
        let (clock, id, lease) = (Clock::default(), FileId::random(), LeaseId::random());
        let (now, expires_at) = (clock.now(), clock.now() + HOUR);
        let size = i64::try_from(bytes.len()).unwrap();
        let new = NewFile {
            id: &id,
            user_id: self.id,
            name: &FileName::parse(name).unwrap(),
            declared_type: Some("text/html"),
            size,
            expires_at,
        };
        accounts.create_file(&new, FileRoom { files: 0, bytes: 0 }, now).await.unwrap();
        let leased = accounts.lease_file(self.id, &id, &lease, MINUTE, 0).await;
        let Leased::To(file) = leased.unwrap() else { panic!("nobody else writes to it") };
        let mut upload = storage.upload(UploadStart::from(&*file)).await.unwrap();
        upload.push(&bytes[..length]).await.unwrap();
        let progress = upload.checkpoint(true).await.unwrap();
        let kept = accounts.keep_progress(file.serial, &lease, &progress, MINUTE, expires_at).await;
        assert!(kept.unwrap());
        accounts.end_lease(file.serial, &lease).await.unwrap();
        if length == bytes.len() {
            let file = accounts.file(self.id, &id).await.unwrap().unwrap();
            common::files::complete(&accounts, &storage, &file, now).await.unwrap();
        }
        id.to_string()
    }

    /// Keeps a whole file as an upload does; its id.
    pub(crate) async fn keep(&self, name: &str, bytes: &[u8]) -> String {
        self.keep_part(name, bytes, bytes.len()).await
    }
}
