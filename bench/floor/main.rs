//! The floor: the least that the same libraries can do for the same answers. No limits, no sealing,
//! no logs, no metrics.
//!
//! `floor serve` answers three requests on `PORT`, with `REDIS_URL` and a PostgreSQL `DATABASE_URL`:
//!
//! - `POST /send`: parse the JSON, one script that writes a code and a job;
//! - `POST /verify`: one script that compares and deletes the code, then the user on conflict, then the token;
//! - `GET /protected`: hash the token, one join.
//!
//! `floor drain <url> <calls> <at once>` posts forms as fast as reqwest can, and prints the seconds that it took.

mod drain;
mod entity;
mod serve;

use anyhow::bail;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["serve"] => serve::serve().await,
        ["drain", url, calls, at_once] => drain::drain(url, calls.parse()?, at_once.parse()?).await,
        _ => bail!("floor serve, or floor drain <url> <calls> <at once>"),
    }
}
