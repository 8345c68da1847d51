//! What the ledger keeps of a number.

use common::ledger::records::{Challenge, Number, read};
use redis::Commands;

use crate::support::redis_server::Redis;

/// The challenge of its sign-in.
pub(crate) fn challenge(redis: &Redis, number: &str) -> Challenge {
    let key = format!("{{cheershare}}:number:{number}");
    let kept: Vec<u8> = redis.connection().get(key).unwrap();
    let record: Number = read(&kept).unwrap();
    record.challenges.unwrap().remove("sign_in").unwrap()
}
