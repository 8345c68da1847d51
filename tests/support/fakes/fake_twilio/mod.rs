//! A fake of Twilio's Messages API, served over real HTTP: it refuses what Twilio refuses, keeps
//! every request, and answers each number as the test has scripted it.

mod messages;
mod reply;

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use common::runtime::clock::Clock;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) use reply::Reply;

use crate::support::fakes::http_server::{Closed, serve};
use crate::support::{eventually, free_port};
use messages::{Refusal, check, created, redirected, refused, unreadable};

/// What `TWILIO_SID` takes.
pub(crate) const ACCOUNT_SID: &str = "AC0123456789abcdef0123456789abcdef";
/// What `TWILIO_API_KEY` takes.
pub(crate) const API_KEY: &str = "the-auth-token-of-the-fake-account";
/// What `TWILIO_API_KEY_SID` takes, where an API key is used; [`API_KEY`] is then its secret.
pub(crate) const API_KEY_SID: &str = "SK0123456789abcdef0123456789abcdef";
/// What `TWILIO_MESSAGING_SERVICE_SID` takes.
pub(crate) const MESSAGING_SERVICE_SID: &str = "MG0123456789abcdef0123456789abcdef";
/// What `TWILIO_PHONE_NUMBER` takes.
pub(crate) const SENDER: &str = "+15005550006";

/// What the `index`th request of a number gets, where nothing is scripted.
type Rule = Arc<dyn Fn(&str, usize) -> Reply + Send + Sync>;

/// A request that Twilio would have understood.
#[derive(Clone, Debug)]
pub(crate) struct Try {
    /// When it had been read.
    pub(crate) at: Instant,
    /// The fields of the form.
    pub(crate) fields: HashMap<String, String>,
    /// The SMS was accepted, whether or not the answer was heard.
    pub(crate) accepted: bool,
}

impl Try {
    /// The text of the SMS.
    pub(crate) fn body(&self) -> &str {
        &self.fields["Body"]
    }

    /// The OTP in the text of the SMS.
    pub(crate) fn code(&self) -> String {
        code_in(self.body())
    }

    /// `ValidityPeriod`, in seconds.
    pub(crate) fn validity(&self) -> u64 {
        self.fields["ValidityPeriod"].parse().unwrap()
    }
}

/// The OTP in the text of an SMS: behind a sign-in's usual words, or at the beginning of all
/// others.
pub(crate) fn code_in(body: &str) -> String {
    let rest = body.split_once("Your one-time password is ").map_or(body, |(_, rest)| rest);
    let code: String = rest.chars().take_while(char::is_ascii_digit).collect();
    assert!(!code.is_empty(), "no OTP in the SMS {body:?}");
    code
}

/// The fake. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct FakeTwilio {
    address: SocketAddr,
    state: Arc<State>,
    server: Option<JoinHandle<()>>,
}

struct State {
    /// What the next requests of a number get.
    scripts: Mutex<HashMap<String, VecDeque<Reply>>>,
    otherwise: Mutex<Rule>,
    tries: Mutex<HashMap<String, Vec<Try>>>,
    accepted: AtomicUsize,
    refusals: Mutex<Vec<Refusal>>,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("refusals", &self.refusals).finish_non_exhaustive()
    }
}

impl FakeTwilio {
    /// Starts a fake that accepts everything that is right.
    pub(crate) async fn start() -> Self {
        let state = State {
            scripts: Mutex::default(),
            otherwise: Mutex::new(Arc::new(|_, _| Reply::Accept)),
            tries: Mutex::default(),
            accepted: AtomicUsize::new(0),
            refusals: Mutex::default(),
        };
        let mut fake = Self {
            address: SocketAddr::from(([127, 0, 0, 1], free_port())),
            state: Arc::new(state),
            server: None,
        };
        fake.open().await;
        fake
    }

    /// The same fake for another task to look at. It ends with the first one.
    pub(crate) fn viewed_elsewhere(&self) -> Self {
        Self { address: self.address, state: Arc::clone(&self.state), server: None }
    }

    /// What `TWILIO_BASE_URL` takes.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Cuts all connections; new ones are refused.
    pub(crate) async fn close(&mut self) {
        if let Some(server) = self.server.take() {
            server.abort();
            let _ = server.await;
        }
    }

    pub(crate) async fn open(&mut self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let state = Arc::clone(&self.state);
        self.server =
            Some(tokio::spawn(serve(listener, move |request| answer(request, Arc::clone(&state)))));
    }

    /// Says what the next requests of a number get, in that order.
    pub(crate) fn script(&self, number: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut scripts = self.state.scripts.lock().unwrap();
        let script = scripts.entry(number.to_owned()).or_default();
        script.extend(replies);
    }

    /// Says what all requests get for which nothing is scripted.
    pub(crate) fn otherwise(&self, reply: Reply) {
        self.otherwise_by(move |_, _| reply.clone());
    }

    /// The same by a rule, which is told the number and how many requests it made before.
    pub(crate) fn otherwise_by(&self, rule: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) {
        *self.state.otherwise.lock().unwrap() = Arc::new(rule);
    }

    /// Every request so far for a number, in the order of arrival.
    pub(crate) fn tries(&self, number: &str) -> Vec<Try> {
        let tries = self.state.tries.lock().unwrap();
        tries.get(number).cloned().unwrap_or_default()
    }

    /// When the requests so far were read, for whatever number, in that order.
    pub(crate) fn instants(&self) -> Vec<Instant> {
        let tries = self.state.tries.lock().unwrap();
        let mut instants: Vec<_> = tries.values().flatten().map(|sms| sms.at).collect();
        instants.sort_unstable();
        instants
    }

    /// Every accepted SMS so far to a number.
    pub(crate) fn accepted(&self, number: &str) -> Vec<Try> {
        let mut tries = self.tries(number);
        tries.retain(|sms| sms.accepted);
        tries
    }

    /// How many SMS were accepted so far, to all numbers.
    pub(crate) fn accepted_in_all(&self) -> usize {
        self.state.accepted.load(Ordering::Relaxed)
    }

    /// For each number that was tried: how many tries, and how many of them were accepted.
    pub(crate) fn counts(&self) -> HashMap<String, (usize, usize)> {
        let tries = self.state.tries.lock().unwrap();
        tries
            .iter()
            .map(|(number, tries)| {
                let accepted = tries.iter().filter(|sms| sms.accepted).count();
                (number.clone(), (tries.len(), accepted))
            })
            .collect()
    }

    /// Every request that Twilio would not have understood, and why.
    pub(crate) fn refusals(&self) -> Vec<Refusal> {
        self.state.refusals.lock().unwrap().clone()
    }

    /// Waits until `count` SMS to a number are accepted.
    pub(crate) async fn wait_for_sms(
        &self,
        number: &str,
        count: usize,
        within: Duration,
    ) -> Vec<Try> {
        let what = format!("{count} accepted SMS to {number}");
        eventually(within, &what, async || {
            Some(self.accepted(number)).filter(|sms| sms.len() >= count)
        })
        .await
    }

    /// Waits until `count` requests for a number have been read, answered or not.
    pub(crate) async fn wait_for_tries(
        &self,
        number: &str,
        count: usize,
        within: Duration,
    ) -> Vec<Try> {
        let what = format!("{count} tries to send to {number}");
        eventually(within, &what, async || {
            Some(self.tries(number)).filter(|tries| tries.len() >= count)
        })
        .await
    }
}

impl Drop for FakeTwilio {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    state: Arc<State>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let fields = match check(&head, &body) {
        Ok(fields) => fields,
        Err(refusal) => {
            let answer = refused(&refusal);
            state.refusals.lock().unwrap().push(refusal);
            return Ok(answer);
        }
    };
    let number = fields["To"].clone();
    let index = record(&state, &number, fields.clone());
    let mut reply = next_reply(&state, &number, index);
    while let Reply::Late(delay, then) = reply {
        tokio::time::sleep(delay).await;
        reply = *then;
    }
    match reply {
        Reply::Accept => {
            accept(&state, &number, index);
            Ok(created(&fields, None))
        }
        Reply::Lost => {
            accept(&state, &number, index);
            Err(Closed)
        }
        Reply::Failed(code) => Ok(created(&fields, Some(code))),
        Reply::Unreadable => Ok(unreadable()),
        Reply::Redirect => Ok(redirected()),
        Reply::Error(status, code, seconds) => {
            Ok(error(status, code, &number, seconds.map(|seconds| seconds.to_string())))
        }
        Reply::ErrorUntil(status, code, seconds) => {
            Ok(error(status, code, &number, Some(date_in(seconds))))
        }
        Reply::Never => std::future::pending().await,
        Reply::Close | Reply::Late(..) => Err(Closed),
    }
}

fn error(
    status: u16,
    code: u32,
    number: &str,
    retry_after: Option<String>,
) -> Response<Full<Bytes>> {
    refused(&Refusal {
        status: StatusCode::from_u16(status).unwrap(),
        code,
        reason: format!("scripted for '{number}'"),
        retry_after,
    })
}

/// The date (RFC 9110, 5.6.7) in at least so many seconds.
fn date_in(seconds: u64) -> String {
    let now = u64::try_from(Clock::default().unix_ms()).unwrap().div_ceil(1000);
    httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(now + seconds))
}

fn record(state: &State, number: &str, fields: HashMap<String, String>) -> usize {
    let mut all = state.tries.lock().unwrap();
    let tries = all.entry(number.to_owned()).or_default();
    tries.push(Try { at: Instant::now(), fields, accepted: false });
    tries.len() - 1
}

fn accept(state: &State, number: &str, index: usize) {
    if let Some(tries) = state.tries.lock().unwrap().get_mut(number) {
        tries[index].accepted = true;
        state.accepted.fetch_add(1, Ordering::Relaxed);
    }
}

fn next_reply(state: &State, number: &str, index: usize) -> Reply {
    let mut scripts = state.scripts.lock().unwrap();
    let scripted = scripts.get_mut(number).and_then(VecDeque::pop_front);
    scripted.unwrap_or_else(|| {
        let rule = Arc::clone(&state.otherwise.lock().unwrap());
        rule(number, index)
    })
}
