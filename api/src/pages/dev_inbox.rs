//! `GET /dev/inbox`: what the console provider printed, as a phone would show it. The last messages
//! are kept in memory only, and come to the page in an event stream.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use common::ledger::connection::Redis;
use common::ledger::dev_inbox::{InboxMessage, listen};
use futures_util::{Stream, StreamExt, stream};
use poem::{Body, IntoResponse, Response};
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use super::Parts;
use crate::config::Config;
use crate::http::static_content::StaticContent;

pub const PATH: &str = "/dev/inbox";
pub const EVENTS_PATH: &str = "/dev/inbox/events";

/// How many messages are remembered.
const CAPACITY: usize = 50;

/// A comment is sent this often, well within the server's 60 s for silent connections.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// How long to wait before connecting to Redis again.
const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// What browsers are told: come back soon when the stream ends.
const GREETING: &str = "retry: 1000\n\n";

/// The messages, and who watches them come. Clones share them.
#[derive(Clone, Debug)]
pub struct DevInbox {
    remembered: Arc<Mutex<VecDeque<InboxMessage>>>,
    news: broadcast::Sender<InboxMessage>,
    closed: CancellationToken,
    keep_alive: Duration,
}

impl Default for DevInbox {
    fn default() -> Self {
        Self {
            remembered: Arc::default(),
            news: broadcast::Sender::new(CAPACITY),
            closed: CancellationToken::new(),
            keep_alive: KEEP_ALIVE,
        }
    }
}

impl DevInbox {
    /// Takes in what the workers publish, without end.
    pub async fn listen(self, redis: Redis) {
        loop {
            let Err(error) = listen(&redis, |message| self.receive(message)).await;
            tracing::debug!(event = "inbox_without_redis", %error);
            tokio::time::sleep(RECONNECT_PAUSE).await;
        }
    }

    /// Remembers a message and shows it to those who watch.
    pub fn receive(&self, message: InboxMessage) {
        let mut remembered = self.remembered();
        if remembered.len() == CAPACITY {
            remembered.pop_front();
        }
        remembered.push_back(message.clone());
        let _nobody_watches = self.news.send(message);
    }

    /// Ends all event streams, so that they do not hold up the end of the server.
    pub fn close(&self) {
        self.closed.cancel();
    }

    /// `text/event-stream`: what is remembered, the oldest first, then what comes.
    #[must_use]
    pub fn events(&self) -> Response {
        let events = self.stream().map(Ok::<_, std::io::Error>);
        Response::builder()
            .content_type("text/event-stream; charset=utf-8")
            .body(Body::from_bytes_stream(events))
            .into_response()
    }

    fn stream(&self) -> impl Stream<Item = String> + Send + use<> {
        // Under one lock: nothing is missed and nothing comes twice.
        let remembered = self.remembered();
        let known = remembered.clone();
        let news = self.news.subscribe();
        drop(remembered);
        let keep_alive = self.keep_alive;
        let live =
            stream::unfold((news, self.closed.clone()), move |(mut news, closed)| async move {
                let text = tokio::select! {
                    biased;
                    () = closed.cancelled() => return None,
                    message = news.recv() => match message {
                        Ok(message) => event(&message),
                        Err(RecvError::Lagged(_)) => comment(),
                        Err(RecvError::Closed) => return None,
                    },
                    () = tokio::time::sleep(keep_alive) => comment(),
                };
                Some((text, (news, closed)))
            });
        let known: Vec<_> = known.iter().map(event).collect();
        stream::iter(std::iter::once(GREETING.to_owned()).chain(known)).chain(live)
    }

    fn remembered(&self) -> MutexGuard<'_, VecDeque<InboxMessage>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The page. It finds OTPs in messages by their length.
pub(super) fn page(config: &Config) -> StaticContent {
    Parts {
        html: include_str!("dev_inbox.html"),
        style: include_str!("dev_inbox.css"),
        script: include_str!("dev_inbox.js").to_owned(),
        settings: json!({
            "otpLength": config.otp.otp_length.digits(),
            "events": EVENTS_PATH,
            "signInPage": config.has_sign_in_page(),
        }),
        texts: vec![("app", config.app.app_name.clone())],
    }
    .page()
}

fn comment() -> String {
    ":\n\n".to_owned()
}

/// JSON has no line breaks, so it is one line of data.
fn event(message: &InboxMessage) -> String {
    format!("data: {}\n\n", json!(message))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use poem::endpoint::make_sync;
    use poem::{Route, get};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;
    use crate::server::{self, ConnectionLimits, Drain};

    fn message(number: usize) -> InboxMessage {
        InboxMessage {
            id: format!("console-{number}"),
            sent_at: 0,
            to: "+919876543210".parse().unwrap(),
            body: format!("One\nand {number}"),
        }
    }

    #[tokio::test]
    async fn it_remembers_the_last_fifty_and_shows_what_comes() {
        let inbox = DevInbox::default();
        (0..CAPACITY + 5).for_each(|number| inbox.receive(message(number)));
        let mut events = Box::pin(inbox.stream());
        assert_eq!(events.next().await.unwrap(), GREETING);
        for number in 5..CAPACITY + 5 {
            assert_eq!(events.next().await.unwrap(), event(&message(number)));
        }
        assert!(events.next().now_or_never().is_none());
        inbox.receive(message(99));
        let text = events.next().await.unwrap();
        assert_eq!(text.lines().count(), 2, "one line of data and an empty one: {text:?}");
    }

    #[tokio::test]
    async fn it_outlives_the_server_s_deadlines_and_ends_when_it_is_closed() {
        const SHORT: Duration = Duration::from_millis(400);
        assert!(KEEP_ALIVE * 2 < ConnectionLimits::default().idle);
        let inbox = DevInbox { keep_alive: SHORT / 4, ..DevInbox::default() };
        let app = Route::new().at(
            "/",
            get(make_sync({
                let inbox = inbox.clone();
                move |_| inbox.events()
            })),
        );
        let limits =
            ConnectionLimits { idle: SHORT, request: SHORT, answer: SHORT, max_connections: 10 };
        let listener = server::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let shutdown = async move { drop(stopped.await) };
        let drain = Drain { delay: Duration::ZERO, grace: Duration::from_secs(30) };
        let serving = tokio::spawn(server::serve(listener, app, limits, shutdown, drain));

        client.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        let mut seen = String::new();
        while seen.matches(&comment()).count() < 12 {
            let mut chunk = [0; 1024];
            let count = client.read(&mut chunk).await.unwrap();
            assert!(count > 0, "cut: {seen}");
            seen.push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
        inbox.close();
        stop.send(()).unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        serving.await.unwrap().unwrap();
        assert_eq!(inbox.stream().count().await, 1, "the greeting alone");
    }
}
