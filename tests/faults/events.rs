//! People sign in, take other names, sign out and go, while APIs and workers are killed, Redis is
//! restarted and the webhook fails, all at random instants. The webhook is told of each change that
//! was committed, once or more under one id, and of nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use http::{HeaderMap, Method};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::random::seed;
use crate::support::app::{App, Plan, SOON};
use crate::support::client::{Answer, Client};
use crate::support::eventually;
use crate::support::fake_receiver::{FakeReceiver, Received};
use crate::support::fake_webhook;
use crate::support::load_balancer::LoadBalancer;
use crate::support::process::Process;

const PEOPLE: usize = 10;
const OTP: &str = "471147";
const TIME: Duration = Duration::from_secs(30);
const APIS: usize = 2;
const WORKERS: usize = 2;
/// What the webhook answers for a while; 0 is nothing.
const ANSWERS: [u16; 6] = [204, 204, 204, 500, 503, 0];

struct Person {
    number: String,
    client: Client,
    random: StdRng,
}

impl Person {
    async fn come_until(mut self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            // Whoever loses their connection, or meets a store that is away, begins anew.
            if self.visit().await.is_none() {
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn visit(&mut self) -> Option<()> {
        let number = self.number.clone();
        let asks = json!({"name": "Asha", "phone_number": number});
        self.post("", "/signup", &asks).await?;
        let proves = json!({"phone_number": number, "otp": OTP});
        let signed_in = self.post("", "/signup", &proves).await?;
        let token = signed_in.token().to_owned();
        let mut version = signed_in.body["data"]["version"].clone();
        for _ in 0..self.random.random_range(0..3) {
            let name = format!("Asha {}", self.random.random_range(0..1_000));
            let change = json!({"name": name, "version": version});
            let changed = self.send(Method::PATCH, &token, "/me", change.to_string()).await?;
            version = changed.body["data"]["version"].clone();
        }
        match self.random.random_range(0..10) {
            0..6 => {
                self.send(Method::DELETE, &token, "/tokens/current", String::new()).await?;
            }
            6 => {
                self.send(Method::DELETE, &token, "/tokens", String::new()).await?;
            }
            7 => {
                self.post(&token, "/me/deletion", &json!({})).await?;
                self.post(&token, "/me/deletion", &json!({"otp": OTP})).await?;
            }
            _ => {}
        }
        Some(())
    }

    async fn post(&self, token: &str, path: &str, body: &Value) -> Option<Answer> {
        self.send(Method::POST, token, path, body.to_string()).await
    }

    /// None where there was no answer, or no success.
    async fn send(&self, method: Method, token: &str, path: &str, body: String) -> Option<Answer> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        if !token.is_empty() {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        let answer = self.client.try_send(method, path, headers, body).await.ok()?;
        assert_ne!(answer.status, 500, "{answer:?}");
        (answer.status < 300).then_some(answer)
    }
}

/// The processes that live, among all that there were, and what stands before them.
struct Fleet {
    app: App,
    balancer: LoadBalancer,
    receiver: FakeReceiver,
    apis: Vec<usize>,
    workers: Vec<usize>,
    kills: [usize; 2],
}

impl Fleet {
    async fn start() -> Self {
        let receiver = FakeReceiver::start().await;
        let numbers = (0..PEOPLE).map(|n| format!("{}={OTP}@2099-12-31", number(n)));
        let plan = Plan::new().apis(APIS).workers(WORKERS).append_only();
        let app = plan
            .set("TEST_NUMBERS", &numbers.collect::<Vec<_>>().join(","))
            .set("EVENTS_WEBHOOK_URL", &receiver.url())
            .set("EVENTS_WEBHOOK_SECRET", &fake_webhook::secret())
            .set("SESSIONS_PER_USER", "3")
            .start()
            .await;
        let balancer = LoadBalancer::start().await;
        for api in 0..APIS {
            balancer.add(app.client_of(api).address()).await;
        }
        let (apis, workers) = ((0..APIS).collect(), (0..WORKERS).collect());
        Self { app, balancer, receiver, apis, workers, kills: [0; 2] }
    }

    /// The first two faults are a worker and an API that are killed.
    async fn break_something(&mut self, random: &mut StdRng) {
        let any = random.random_range(0..12);
        match if self.kills[0] == 0 {
            0
        } else if self.kills[1] == 0 {
            4
        } else {
            any
        } {
            0..4 => {
                let victim = random.random_range(0..WORKERS);
                kill(&mut self.app.workers[self.workers[victim]]).await;
                self.app.start_worker().await;
                self.workers[victim] = self.app.workers.len() - 1;
                self.kills[0] += 1;
            }
            4..7 => {
                let victim = random.random_range(0..APIS);
                let old = self.apis[victim];
                kill(&mut self.app.apis[old]).await;
                self.balancer.remove(self.app.client_of(old).address());
                self.app.start_api().await;
                let new = self.app.apis.len() - 1;
                self.balancer.add(self.app.client_of(new).address()).await;
                self.apis[victim] = new;
                self.kills[1] += 1;
            }
            7 => self.app.redis.restart(),
            _ => self.receiver.answers(*ANSWERS.choose(random).unwrap()),
        }
    }

    /// All events wait no longer, and the webhook takes them.
    async fn catch_up(&mut self) {
        self.receiver.answers(204);
        let within = Duration::from_secs(90);
        eventually(within, "an empty outbox", async || {
            let left: Vec<String> = self.app.database.column("SELECT kind FROM outbox").await;
            if left.is_empty() {
                return Some(());
            }
            // Those that failed or lost their job are due now.
            let arguments = ["events", "resume", "--json"];
            let (settings, folder) = (&self.app.settings, self.app.folder());
            let mut command = Process::spawn("events", "worker", &arguments, settings, folder);
            assert!(command.ended(SOON).await.success(), "{}", command.stderr());
            sleep(Duration::from_secs(2)).await;
            None
        })
        .await;
    }
}

fn number(person: usize) -> String {
    format!("+9198765400{person:02}")
}

async fn kill(process: &mut Process) {
    process.signal("KILL");
    process.ended(SOON).await;
}

/// Sequences grow from each event of a thing to the next, and so long as no session expires from
/// the first of a user to the last.
fn grow(events: &BTreeMap<&str, &Received>) {
    let mut things: BTreeMap<String, Vec<(i64, i64)>> = BTreeMap::new();
    for event in events.values() {
        let (user, subject) = subject(event);
        let (thing, step) = match event.kind() {
            "user.created" => (user.to_string(), 1),
            "user.updated" => (user.to_string(), event.body["data"]["version"].as_i64().unwrap()),
            "user.deleted" => (user.to_string(), i64::MAX),
            "session.started" => (subject, 0),
            _ => (subject, 1),
        };
        things.entry(thing).or_default().push((event.sequence(), step));
    }
    for (thing, mut events) in things {
        events.sort_unstable();
        assert!(events.is_sorted_by_key(|(_, step)| *step), "{thing}: {events:?}");
    }
}

/// Kind and subject of what is told, and how often.
type Told = BTreeMap<(String, String), usize>;

fn count(told: &mut Told, kind: &str, subject: impl ToString) {
    *told.entry((kind.to_owned(), subject.to_string())).or_default() += 1;
}

/// What the database says of users who are still there.
async fn committed(app: &App) -> (BTreeSet<i64>, Told) {
    let ids: Vec<i64> = app.database.column("SELECT id FROM users ORDER BY id").await;
    let versions: Vec<i32> = app.database.column("SELECT version FROM users ORDER BY id").await;
    let mut told = Told::new();
    for (id, version) in ids.iter().zip(versions) {
        count(&mut told, "user.created", id);
        for version in 2..=version {
            count(&mut told, "user.updated", format!("{id} {version}"));
        }
    }
    let trail = "SELECT kind || ' ' || session_id FROM events";
    for row in app.database.column::<String>(trail).await {
        match row.split_once(' ').unwrap() {
            ("signed_up" | "signed_in", session) => count(&mut told, "session.started", session),
            ("signed_out", session) => count(&mut told, "session.ended", session),
            _ => {}
        }
    }
    (ids.into_iter().collect(), told)
}

fn subject(event: &Received) -> (i64, String) {
    let data = &event.body["data"];
    let user = data["user_id"].as_i64().unwrap();
    let subject = match event.kind() {
        "user.updated" => format!("{user} {}", data["version"]),
        "session.started" | "session.ended" => data["session_id"].as_str().unwrap().to_owned(),
        _ => user.to_string(),
    };
    (user, subject)
}

#[async_test]
async fn the_webhook_is_told_of_all_that_was_committed() {
    let mut fleet = Fleet::start().await;
    let (mut people, stop, start) = (JoinSet::new(), CancellationToken::new(), Instant::now());
    for n in 0..PEOPLE {
        let client = Client::keep_alive(&fleet.balancer.address());
        let random = StdRng::seed_from_u64(seed().wrapping_add(n as u64));
        let person = Person { number: number(n), client, random };
        people.spawn(person.come_until(stop.clone()));
    }
    let mut random = StdRng::seed_from_u64(seed());
    while start.elapsed() < TIME {
        sleep(Duration::from_millis(random.random_range(200..1_200))).await;
        fleet.break_something(&mut random).await;
    }
    stop.cancel();
    people.join_all().await;
    fleet.catch_up().await;

    let received = fleet.receiver.received();
    let mut by_id: BTreeMap<&str, &Received> = BTreeMap::new();
    for event in &received {
        let first = by_id.entry(&event.id).or_insert(event);
        assert_eq!(event.text, first.text, "the same under the same id");
    }
    let accepted: BTreeSet<_> = fleet.receiver.accepted().into_iter().map(|it| it.id).collect();
    assert_eq!(accepted.len(), by_id.len(), "each was taken in the end");
    let (living, committed) = committed(&fleet.app).await;
    let (mut of_living, mut of_gone) = (Told::new(), Told::new());
    for event in by_id.values() {
        let (user, subject) = subject(event);
        let told = if living.contains(&user) { &mut of_living } else { &mut of_gone };
        count(told, event.kind(), subject);
    }
    println!(
        "{} events of {} users in {} requests; {} workers and {} APIs were killed",
        by_id.len(),
        living.len(),
        received.len(),
        fleet.kills[0],
        fleet.kills[1]
    );
    assert!(by_id.len() > 100, "too few to tell");
    assert_eq!(of_living, committed);
    grow(&by_id);
    assert!(of_gone.values().all(|times| *times == 1), "{of_gone:?}");
    for (kind, other) in [("user.created", "user.deleted"), ("session.started", "session.ended")] {
        let of = |kind: &str| -> BTreeSet<&String> {
            of_gone.keys().filter(|(is, _)| is == kind).map(|(_, subject)| subject).collect()
        };
        assert_eq!(of(kind), of(other), "of those who have gone");
    }
}
