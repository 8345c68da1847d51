//! People who sign up, sign in and use their tokens through a load balancer, while something
//! happens to the processes.

use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::support::app::{App, SOON};
use crate::support::client::{Answer, Client};
use crate::support::fake_twilio::FakeTwilio;

/// Longest that somebody keeps a code before they use it.
pub(crate) const LONGEST_HOLD: Duration = Duration::from_secs(6);

/// A connection may fail so often for one request.
const TRIES: usize = 3;

#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) requests: usize,
    /// Requests that were sent again because their connection ended without an answer.
    pub(crate) retried: usize,
    pub(crate) sign_ins: usize,
    pub(crate) longest: Duration,
}

/// A crowd that goes on until it is told to stop.
#[derive(Debug)]
pub(crate) struct Crowd {
    people: JoinSet<Tally>,
    stop: CancellationToken,
}

impl Crowd {
    /// Lets so many people come, each with a connection of their own that they keep.
    pub(crate) fn come(count: usize, address: &str, app: &App, seed: u64) -> Self {
        let (mut people, stop) = (JoinSet::new(), CancellationToken::new());
        for index in 0..count {
            let person = Person {
                index,
                client: Client::keep_alive(address),
                phone: app.twilio.viewed_elsewhere(),
                random: StdRng::seed_from_u64(seed.wrapping_add(index as u64)),
                tally: Tally::default(),
            };
            people.spawn(person.sign_in_until(stop.clone()));
        }
        Self { people, stop }
    }

    /// Lets everybody finish. Whoever met an error that they may not meet fails the test here.
    pub(crate) async fn go(self) -> Tally {
        self.stop.cancel();
        self.people.join_all().await.into_iter().fold(Tally::default(), |all, one| Tally {
            requests: all.requests + one.requests,
            retried: all.retried + one.retried,
            sign_ins: all.sign_ins + one.sign_ins,
            longest: all.longest.max(one.longest),
        })
    }
}

struct Person {
    index: usize,
    client: Client,
    phone: FakeTwilio,
    random: StdRng,
    tally: Tally,
}

impl Person {
    async fn sign_in_until(mut self, stop: CancellationToken) -> Tally {
        while !stop.is_cancelled() {
            let number = format!("+9193{:03}{:05}", self.index, self.tally.sign_ins);
            self.sign_in(&number).await;
            self.tally.sign_ins += 1;
        }
        self.tally
    }

    async fn sign_in(&mut self, number: &str) {
        self.post(&json!({"name": "Asha", "phone_number": number})).await;
        let code = self.code_in_sms(number).await;
        // Half of them look at their phone at once.
        if self.random.random_bool(0.5) {
            sleep(LONGEST_HOLD.mul_f64(self.random.random())).await;
        }
        let signed_in = self.post(&json!({"phone_number": number, "otp": code})).await;
        let mut headers = HeaderMap::new();
        headers.insert("authorization", format!("Bearer {}", signed_in.token()).parse().unwrap());
        for _ in 0..5 {
            sleep(Duration::from_millis(self.random.random_range(0..100))).await;
            let answer = self.send(Method::GET, "/protected", headers.clone(), String::new()).await;
            assert_eq!(answer.body, json!({"data": "Protected"}), "{answer:?}");
        }
        assert_eq!(self.phone.tries(number).len(), 1, "one SMS for {number}");
    }

    async fn code_in_sms(&self, number: &str) -> String {
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(sms) = self.phone.accepted(number).first() {
                return sms.code();
            }
            assert!(Instant::now() < deadline, "no SMS to {number}");
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Under a key of its own, so that it may be sent again.
    async fn post(&mut self, body: &Value) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        headers.insert("idempotency-key", ulid::Ulid::generate().to_string().parse().unwrap());
        self.send(Method::POST, "/signup", headers, body.to_string()).await
    }

    /// Sends a request until a connection holds. Every answer has to be 200.
    async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: String,
    ) -> Answer {
        for _ in 0..TRIES {
            let start = Instant::now();
            self.tally.requests += 1;
            match self.client.try_send(method.clone(), path, headers.clone(), body.clone()).await {
                Ok(answer) => {
                    self.tally.longest = self.tally.longest.max(start.elapsed());
                    return answer.expect(200);
                }
                // The connection ended before an answer began.
                Err(error) if error.is_connect() || error.is_request() && !error.is_timeout() => {
                    self.tally.retried += 1
                }
                Err(error) => panic!("{method} {path}: {error:?}"),
            }
        }
        panic!("{method} {path}: {TRIES} connections ended without an answer");
    }
}
