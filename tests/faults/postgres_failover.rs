//! The primary of PostgreSQL is replaced by its standby while people sign in. They do again within
//! five seconds, without a restart, and nothing that was committed is lost.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::support::app::{App, Plan};
use crate::support::eventually;
use crate::support::postgres_server::PostgresServer;
use crate::support::tcp_proxy::TcpProxy;

const WITHIN: Duration = Duration::from_secs(5);
const CONNECTIONS: u16 = 50;
const TOLD: &str = "user_store_unavailable";

struct Failover {
    app: App,
    token: String,
    proxy: TcpProxy,
    primary: PostgresServer,
    standby: PostgresServer,
}

impl Failover {
    async fn prepare() -> Self {
        let mut primary = PostgresServer::start(CONNECTIONS);
        let standby = PostgresServer::start_standby_of(&mut primary);
        let proxy = TcpProxy::start(primary.port()).await;
        let plan = Plan::new().apis(0).workers(0).in_postgres(&primary.url());
        let mut app = plan.start().await;
        app.settings.insert("DATABASE_URL".to_owned(), app.database.url_by(proxy.port()));
        app.start_api().await;
        app.start_worker().await;
        let token = app.sign_in("Ravi", "+919876543219").await.token().to_owned();
        Self { app, token, proxy, primary, standby }
    }

    /// Times from `since` until somebody with a token is let in, and until somebody signs in.
    async fn healed(&mut self, since: Instant) -> (Duration, Duration) {
        let (app, token) = (&mut self.app, &self.token);
        app.database.moves_to(&self.standby.url());
        eventually(WITHIN, "a token that opens", async || {
            let answer = app.client().protected(token).await;
            assert!(answer.status == 200 || answer.status == 503, "{answer:?}");
            (answer.status == 200).then_some(())
        })
        .await;
        let protected = since.elapsed();
        let code = app.code_for("Asha", "+919876543210").await;
        eventually(WITHIN.saturating_sub(since.elapsed()), "a sign-in", async || {
            let answer = app.client().verify("+919876543210", &code).await;
            assert!(answer.status == 200 || answer.status == 503, "{answer:?}");
            (answer.status == 200).then_some(())
        })
        .await;
        let sign_in = since.elapsed();
        assert_eq!(app.database.users_with("+919876543210").await, 1);
        assert_eq!(app.database.users_with("+919876543219").await, 1);
        assert_eq!(app.client().get("/readyz", None).await.body["degraded"], false);
        (protected, sign_in)
    }
}

#[async_test]
async fn postgres_is_killed_and_its_standby_is_promoted() {
    let mut failover = Failover::prepare().await;
    failover.standby.has_all_of(&failover.primary).await;
    failover.primary.stop();
    let answer = failover.app.client().protected(&failover.token).await;
    answer.expect_code(503, "unavailable");
    failover.standby.promote().await;
    failover.proxy.redirect(failover.standby.port());
    let (protected, sign_in) = failover.healed(Instant::now()).await;
    println!(
        "PostgreSQL's standby promoted: a token opens after {protected:.2?}, sign-in after {sign_in:.2?}"
    );
}

#[async_test]
async fn postgres_becomes_read_only_and_keeps_its_connections() {
    let mut failover = Failover::prepare().await;
    failover.standby.has_all_of(&failover.primary).await;
    failover.primary.becomes_read_only().await;
    // Busy connections are never tried before they are used: their first failed write tells.
    let code = failover.app.code_for("Meena", "+919876543211").await;
    eventually(WITHIN, "a refused write", async || {
        failover.app.client().protected(&failover.token).await;
        let answer = failover.app.client().verify("+919876543211", &code).await;
        (answer.status == 503).then_some(())
    })
    .await;
    let ready = failover.app.client().get("/readyz", None).await.expect(200);
    assert_eq!(
        (&ready.body["degraded"], &ready.body["database"]["ok"]),
        (&true.into(), &false.into())
    );
    assert!(!failover.app.apis[0].events(TOLD).is_empty());
    sleep(Duration::from_secs(1)).await;

    failover.standby.promote().await;
    failover.proxy.lead_new_ones_to(failover.standby.port());
    let (protected, sign_in) = failover.healed(Instant::now()).await;
    failover.app.client().verify("+919876543211", &code).await.expect(200);
    let told = failover.app.apis[0].events("database_takes_no_writes").len();
    assert!((1..=200).contains(&told), "{told} lines");
    println!(
        "PostgreSQL read-only: a token opens after {protected:.2?}, sign-in after {sign_in:.2?}; {told} lines"
    );
}
