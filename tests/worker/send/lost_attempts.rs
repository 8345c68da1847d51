//! A Redis that fails over forgets that an SMS was sent, and gives its job out again.

use std::time::Duration;

use crate::support::app::{App, Plan, SOON};
use crate::support::eventually;
use crate::support::fake_twilio::Reply;
use crate::support::numbers::NUMBER;
use crate::support::redis_server::Redis;
use crate::support::tcp_proxy::TcpProxy;

/// The new primary knows of the job and of nothing that came after; `provider_delay` says whether
/// the worker has the outcome by then.
async fn is_sent_once(provider_delay: Duration) {
    let mut app = Plan::new().apis(0).workers(0).start().await;
    let proxy = TcpProxy::start(app.redis.port()).await;
    let standby = Redis::start_replica_of(&app.redis);
    app.behind(&proxy, App::start_api).await;
    app.twilio.otherwise(Reply::accept_after(provider_delay));
    let id = app.ask(NUMBER).await;
    app.redis.wait_for_replica();
    standby.promote();
    app.behind(&proxy, App::start_worker).await;
    app.twilio.wait_for_tries(NUMBER, 1, SOON).await;
    if provider_delay.is_zero() {
        app.delivery_is(&id, "sent", SOON).await;
    }

    proxy.lead_new_ones_to(standby.port());
    app.redis.replicate(&standby);
    eventually(SOON, "the attempt that is run again", async || {
        (!app.worker_events("sms_not_repeated").is_empty()).then_some(())
    })
    .await;
    app.delivery_is(&id, "sent", SOON).await;
    let sms = app.twilio.wait_for_sms(NUMBER, 1, SOON).await;
    assert_eq!(sms.len(), 1, "one SMS");
    // The API learns with its first write that the primary moved.
    eventually(SOON, "a sign-in", async || {
        let answer = app.client().verify(NUMBER, &sms[0].code()).await;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[async_test]
async fn an_sms_that_redis_forgot_is_not_sent_again() {
    is_sent_once(Duration::ZERO).await;
}

#[async_test]
async fn an_sms_that_is_being_sent_when_redis_forgets_it_is_not_sent_again() {
    is_sent_once(Duration::from_secs(2)).await;
}
