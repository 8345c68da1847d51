//! What a user of Redis has to be allowed to do. A script that is refused in its middle would have
//! written half of what it should, so each connection looks first.

use std::sync::LazyLock;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult};
use serde::Serialize;

use crate::ledger::script::{Call, Script, Source, named};
use crate::ledger::scripts;

const KEY: &str = "{cheershare}:rights";
/// Where apalis-redis lists its queues.
const OTHER_KEY: &str = "core:apalis:queues:list";

/// Without these the start cannot warn of settings that lose data, or refuse a cluster of shards.
const DISPENSABLE: [&str; 2] = ["info", "cluster|nodes"];

/// The rules of a user who may do what both programs and the operators' commands do, and no more,
/// as `ACL SETUSER` takes them.
pub const ACL: &str = "\
    resetkeys ~{cheershare}:* ~core:apalis:queues:list \
    resetchannels &{cheershare}:* \
    -@all +cluster|nodes +del +eval +evalsha +exists +expire +get +hdel +hexists +hget +hgetall \
    +hincrby +hkeys +hlen +hmget +hmset +hset +hsetnx +info +lindex +llen +lpush +lrange +lrem \
    +lset +ltrim +mget +pexpire +ping +pttl +publish +rpush +rpushx +sadd +scard +script +select +set \
    +setnx +sismember +smembers +spop +srem +subscribe +time +unsubscribe +zadd +zcard +zcount \
    +zrange +zrangebyscore +zrem +zremrangebyrank +zremrangebyscore +zrevrange +zscore";

static MISSING: LazyLock<Script<RightsCall<'static>>> = LazyLock::new(|| Script::new(&()));

named! {
    #[derive(Serialize)]
    pub(crate) struct RightsCall<'a> {
        /// Stands for all keys and channels. It is not declared as a key: on a cluster of more
        /// shards that would be an error of its own.
        key: &'a str,
        other_key: &'a str,
        commands: Vec<&'a str>,
    }
}

impl Call for RightsCall<'_> {
    type Settings = ();
    type Keys = ();
    type Reply = Option<String>;
    const SOURCE: Source = scripts::RIGHTS;
}

/// # Errors
/// The user of this connection may not run something that the programs will, on our keys and
/// channels; or Redis is older than 7 and cannot tell.
pub(super) async fn check(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let commands = ACL.split(' ').filter_map(|rule| rule.strip_prefix('+'));
    let commands = commands.filter(|command| !DISPENSABLE.contains(command)).collect();
    let call = RightsCall { key: KEY, other_key: OTHER_KEY, commands };
    match MISSING.run(connection, (), &call).await? {
        None => Ok(()),
        Some(command) => Err(RedisError::from((
            ErrorKind::AuthenticationFailed,
            "the user may not do all that is needed",
            format!("{command} on {{cheershare}}:*"),
        ))),
    }
}
