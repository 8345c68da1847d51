//! Two API processes whose clocks differ.

use super::MINUTE;
use crate::support::in_process::Setup;
use crate::support::numbers::{address, spread};

/// A bucket of 30 drains one in two minutes: that the clocks differ by as much is worth one send,
/// once.
#[async_test]
async fn the_clock_behind_does_not_make_a_bucket_drain_again_and_again() {
    let setup = || Setup::limits_off().set("SENDS_PER_HOUR", 30);
    let behind = setup().start().await;
    let ahead = setup().start_beside(&behind).await;
    ahead.advance(2 * MINUTE);
    let mut sent = 0;
    for n in 0..50 {
        for app in [&behind, &ahead] {
            sent += usize::from(app.at(&address(0)).ask(&spread(n)).await.status == 200);
        }
    }
    assert!((30..=31).contains(&sent), "{sent}");
}
