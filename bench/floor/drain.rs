//! A bare loop of calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::ensure;
use tokio::task::JoinSet;

/// Posts `calls` forms to `url`, `at_once` of them at a time.
#[expect(clippy::print_stdout, reason = "the result")]
pub(crate) async fn drain(url: &str, calls: u64, at_once: u64) -> anyhow::Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().pool_max_idle_per_host(usize::MAX).build()?;
    let taken = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut loops = JoinSet::new();
    for _ in 0..at_once {
        let (client, url, taken) = (client.clone(), url.to_owned(), Arc::clone(&taken));
        loops.spawn(async move {
            loop {
                let call = taken.fetch_add(1, Ordering::Relaxed);
                if call >= calls {
                    return anyhow::Ok(());
                }
                let fields = [
                    ("To", format!("+9198{call:08}")),
                    ("From", "+15005550006".to_owned()),
                    ("Body", BODY.to_owned()),
                ];
                let answer =
                    client.post(&url).basic_auth("AC", Some("secret")).form(&fields).send().await?;
                ensure!(answer.status().is_success(), "{}", answer.status());
                answer.bytes().await?;
            }
        });
    }
    while let Some(ended) = loops.join_next().await {
        ended??;
    }
    println!("{}", start.elapsed().as_secs_f64());
    Ok(())
}

const BODY: &str = "Thank you for choosing Cheershare! Your one-time password is 123456.";
