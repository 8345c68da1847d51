//! What a user of Redis has to be allowed to do. A script that is refused in its middle would have
//! written half of what it should, so each connection looks first.

use std::sync::LazyLock;

use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult, Script};

const PREFIX: &str = "{cheershare}:";
/// Where apalis-redis lists its queues.
const OTHER_KEY: &str = "core:apalis:queues:list";

/// Without it the start cannot warn of settings that lose data.
const DISPENSABLE: &str = "info";

/// The rules of a user who may do what both programs and the operators' commands do, and no more,
/// as `ACL SETUSER` takes them.
pub const ACL: &str = "\
    resetkeys ~{cheershare}:* ~core:apalis:queues:list \
    resetchannels &{cheershare}:* \
    -@all +del +eval +evalsha +exists +expire +get +hdel +hexists +hget +hgetall +hincrby \
    +hkeys +hlen +hmget +hmset +hset +hsetnx +info +lindex +llen +lpush +lrange +lrem +ltrim \
    +mget +pexpire +ping +pttl +publish +rpush +sadd +scard +script +select +set \
    +setnx +sismember +smembers +spop +srem +subscribe +time +unsubscribe +zadd +zcard +zcount \
    +zrange +zrangebyscore +zrem +zremrangebyrank +zremrangebyscore +zrevrange +zscore";

/// Names what is missing first.
static CHECK: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local key, channel, other_key = ARGV[1], ARGV[1], ARGV[2]
        local arguments = { -- of those that take no key at first
            eval = { '', '0' }, evalsha = { '', '0' }, ping = {},
            script = { 'load', '' }, select = { '0' }, time = {},
            publish = { channel, '' }, subscribe = { channel },
        }
        for index = 3, #ARGV do
            local command = ARGV[index]
            if not redis.acl_check_cmd(command, unpack(arguments[command] or { key, key, key })) then
                return command
            end
        end
        if not redis.acl_check_cmd('zadd', other_key, '0', '') then
            return 'zadd'
        end
        return false",
    )
});

/// # Errors
/// The user of this connection may not run something that the programs will, on our keys and
/// channels; or Redis is older than 7 and cannot tell.
pub(super) async fn check(connection: &mut MultiplexedConnection) -> RedisResult<()> {
    let mut call = CHECK.prepare_invoke();
    // No key is declared: a cluster of more shards is to be told of, and not to send it elsewhere.
    call.arg(format!("{PREFIX}rights")).arg(OTHER_KEY);
    for command in ACL.split(' ').filter_map(|rule| rule.strip_prefix('+')) {
        if command != DISPENSABLE {
            call.arg(command);
        }
    }
    match call.invoke_async::<Option<String>>(connection).await? {
        None => Ok(()),
        Some(command) => Err(RedisError::from((
            ErrorKind::AuthenticationFailed,
            "the user may not do all that is needed",
            format!("{command} on {PREFIX}*"),
        ))),
    }
}
