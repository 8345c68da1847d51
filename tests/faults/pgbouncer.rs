//! PgBouncer between the programs and PostgreSQL.

use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::pgbouncer::{PgBouncer, has_prepared_statements};
use crate::support::postgres_server::PostgresServer;
use crate::support::process::Process;

const FORGETS: &str = "database_forgets_statements";

async fn start_behind(pool_mode: &str, server: &PostgresServer) -> (App, PgBouncer) {
    let mut app = Plan::new().apis(0).workers(0).in_postgres(&server.url()).start().await;
    let bouncer = PgBouncer::start(server.port(), pool_mode).await;
    app.settings.insert("DATABASE_URL".to_owned(), app.database.url_by(bouncer.port()));
    (app, bouncer)
}

/// Everything that the programs do in the database, many at once.
async fn works(app: &mut App) {
    app.run_migration(&["down", "10"]).await;
    app.run_migration(&["up"]).await;
    app.start_api().await;
    app.start_worker().await;
    let sign_ins = (0..10).map(|last| {
        let app = &*app;
        async move {
            let number = format!("+91987654321{last}");
            let token = app.sign_in("Asha", &number).await.token().to_owned();
            app.client().protected(&token).await.expect(200);
            app.sign_in("Asha", &number).await;
        }
    });
    futures_util::future::join_all(sign_ins).await;
    assert!(app.apis[0].events(FORGETS).is_empty());
}

#[async_test]
async fn session_mode_needs_no_settings() {
    let server = PostgresServer::start(100);
    let (mut app, _bouncer) = start_behind("session", &server).await;
    works(&mut app).await;
}

#[async_test]
async fn transaction_mode_works_where_statements_are_kept_and_else_the_start_says_so() {
    let server = PostgresServer::start(100);
    let (mut app, _bouncer) = start_behind("transaction", &server).await;
    if has_prepared_statements() {
        works(&mut app).await;
        return;
    }
    app.start_worker().await;
    let told = app.workers[0].wait_for_event(FORGETS, SOON).await;
    assert_eq!(told["setting"], "DATABASE_URL");
    // In development it migrates first, which may already fail.
    let api = Process::spawn("api", "api", &[], &app.settings, app.folder());
    eventually(SOON, "an API that says so", async || {
        let log = api.log();
        (log.contains("DATABASE_URL") && log.contains("max_prepared_statements")).then_some(())
    })
    .await;
}
