//! Codes that were asked for, read where each program keeps them: a benchmark has no phone.

use std::fs;
use std::path::Path;

use anyhow::Context;
use common::ledger::records::{Challenge, Number, read};
use redis::aio::MultiplexedConnection;

use crate::stage::otp_keys;

/// Keys that one call asks for.
const STEP: usize = 5_000;

const NUMBERS: &str = "{cheershare}:number:";

/// A number, and the code that signs it in.
pub(crate) type Guess = (String, String);

/// Of the product: opened with its secret.
pub(crate) async fn of_product(redis: &mut MultiplexedConnection) -> anyhow::Result<Vec<Guess>> {
    let (otp_keys, keys) = (otp_keys()?, keys_like(redis, &format!("{NUMBERS}*")).await?);
    let mut guesses = Vec::with_capacity(keys.len());
    for keys in keys.chunks(STEP) {
        let records: Vec<Vec<u8>> = redis::cmd("MGET").arg(keys).query_async(redis).await?;
        for (key, record) in keys.iter().zip(records) {
            let number = key.strip_prefix(NUMBERS).context("a key of another kind")?;
            let mut challenges = read::<Number>(&record)?.challenges.context("no challenge")?;
            let Challenge { id, key_id, sealed, .. } =
                challenges.remove("sign_in").context("no sign-in")?;
            let (id, key_id) = (id.context("no id")?, key_id.context("no key")?);
            let sealed = sealed.context("no code")?;
            let code = otp_keys.open(&key_id, &sealed, "sign_in", &number.parse()?, &id)?;
            guesses.push((number.to_owned(), code.digits().to_owned()));
        }
    }
    Ok(guesses)
}

/// Of the floor: as they are.
pub(crate) async fn of_floor(redis: &mut MultiplexedConnection) -> anyhow::Result<Vec<Guess>> {
    let keys = keys_like(redis, "+9*").await?;
    let mut guesses = Vec::with_capacity(keys.len());
    for keys in keys.chunks(STEP) {
        let codes: Vec<String> = redis::cmd("MGET").arg(keys).query_async(redis).await?;
        guesses.extend(keys.iter().cloned().zip(codes));
    }
    Ok(guesses)
}

async fn keys_like(
    redis: &mut MultiplexedConnection,
    pattern: &str,
) -> anyhow::Result<Vec<String>> {
    let (mut keys, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let found: Vec<String>;
        (cursor, found) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(pattern)
            .arg("COUNT")
            .arg(STEP)
            .query_async(redis)
            .await?;
        keys.extend(found);
        if cursor == "0" {
            return Ok(keys);
        }
    }
}

/// Writes texts as a table of Lua.
pub(crate) fn write_lua<'a>(
    path: &Path,
    texts: impl Iterator<Item = &'a str>,
) -> anyhow::Result<()> {
    let quoted: Vec<String> = texts.map(|text| format!("\"{text}\"")).collect();
    fs::write(path, format!("return {{{}}}", quoted.join(",\n")))?;
    Ok(())
}
