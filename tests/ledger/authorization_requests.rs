//! What OpenID clients ask for, before anybody has signed in.

use std::net::{IpAddr, Ipv6Addr};

use common::domain::ids::AuthorizationRequestId;
use common::ledger::authorization_requests::{
    AuthorizationRequests, KEEP, LONGEST, MOST, MOST_OF_A_NETWORK,
};
use common::ledger::connection;
use common::runtime::clock::Clock;
use futures_util::stream::{self, StreamExt};

use crate::support::app::SOON;
use crate::support::in_process::BEGIN;
use crate::support::redis_server::Redis;

/// An address of a network, out of many.
fn address(network: u32, of_network: u16) -> IpAddr {
    let [high, low] = [(network >> 16) as u16, network as u16];
    Ipv6Addr::new(0x2001, high, low, of_network, 0, 0, 0, 1).into()
}

fn used_memory(redis: &Redis) -> u64 {
    let told: String = redis::cmd("INFO").arg("memory").query(&mut redis.connection()).unwrap();
    let line = told.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap();
    line.trim().parse().unwrap()
}

/// Keeps requests of the greatest length, from one address each; returns their ids.
async fn keep(
    requests: &AuthorizationRequests,
    addresses: impl Iterator<Item = IpAddr>,
) -> Vec<AuthorizationRequestId> {
    let content = "a".repeat(LONGEST);
    let kept = stream::iter(addresses).map(async |address| {
        let id = AuthorizationRequestId::random();
        requests.keep(&id, &content, address.into()).await.unwrap();
        id
    });
    kept.buffered(64).collect().await
}

#[async_test]
async fn strangers_take_so_much_of_redis_and_no_more() {
    let redis = Redis::start();
    let clock = Clock::manual(BEGIN);
    let connection = connection::Redis::new(&redis.url()).unwrap().connection(SOON);
    let requests = AuthorizationRequests::new(connection, clock.clone());
    let before = used_memory(&redis);
    let first = keep(&requests, (0..1_000).map(|network| address(network, 0))).await;
    clock.advance(std::time::Duration::from_secs(1));
    let last = keep(&requests, (1_000..MOST + 500).map(|network| address(network, 0))).await;
    let taken = used_memory(&redis) - before;
    assert!(taken < 150_000_000, "{taken} bytes");
    let lives = redis.lives();
    let most = MOST as usize;
    assert_eq!(lives.len(), 3 * most + 1, "with the lists of each address, each network and all");
    let longest = KEEP.as_millis() as u64;
    assert!(lives.values().all(|life| life.is_some_and(|life| life <= longest)));
    let is_kept = async |id: &AuthorizationRequestId| requests.find(id).await.unwrap().is_some();
    assert!(is_kept(last.last().unwrap()).await && is_kept(&last[0]).await);
    let mut left = 0;
    for id in &first {
        left += usize::from(is_kept(id).await);
    }
    assert_eq!(left, 500, "the oldest have gone");
}

#[async_test]
async fn one_network_does_not_take_the_places_of_others() {
    let redis = Redis::start();
    let connection = connection::Redis::new(&redis.url()).unwrap().connection(SOON);
    let requests = AuthorizationRequests::new(connection, Clock::manual(BEGIN));
    let others = keep(&requests, [address(1, 1)].into_iter()).await;
    let most = MOST_OF_A_NETWORK as u16;
    keep(&requests, (0..most + 100).map(|of_network| address(7, of_network))).await;
    assert!(requests.find(&others[0]).await.unwrap().is_some());
    let kept = redis.lives().into_keys().filter(|key| key.contains(":authorization:"));
    // Each has the list of its address; the two lists of the networks, and the one of all.
    assert_eq!(kept.count(), 2 * (usize::from(most) + 1) + 3);
}
