//! What decides, told records and no keys.

use std::time::Duration;

use common::ledger::decisions;
use common::ledger::settings::LedgerSettings;

use crate::support::in_process::Setup;
use crate::support::redis_server::Redis;

/// Runs Lua that knows the decisions, at the instant 10^9 and with settings that are the defaults;
/// answers what it returns as text.
fn decide(redis: &Redis, lua: &str) -> String {
    let limits = Setup::defaults().config().limits;
    let settings = LedgerSettings::new(&limits, Duration::from_secs(300), "IN".parse().unwrap());
    let lua = format!(
        "local now = 1000000000
        local request = {{
            purpose = 'sign_in', address = '203.0.113.7', address_tags = {{ 'a' }},
            country_capacity = 50, guesses = {{}}, keys = {{
                address = 'a', network = 'n', range = 'r', country = 'c', service = 's',
            }},
        }}
        local state = {{ number = number.unpack(false), charged_levels = {{}}, find_known = function()
            return false
        end, signed_in_lately = function()
            return false
        end }}
        local function send()
            local refusal, send = decide_send.refusal(request, state, now)
            return refusal and refusal.kind .. ' ' .. refusal.retry_after or 'sent ' .. #send.charged
        end
        local function guess()
            return (decide_verify.outcome(request, state, now))
        end
        {lua}"
    );
    let text = decisions(&settings, &lua);
    let nothing: &[u8] = b"\xc0";
    redis::Script::new(&text).arg(nothing).invoke(&mut redis.connection()).unwrap()
}

#[test]
fn a_send_is_decided_by_records() {
    let redis = Redis::start();
    for (lua, outcome) in [
        ("return send()", "sent 5"),
        ("state.number[N.blocked_until] = 0 return send()", "blocked 0"),
        ("state.number[N.blocked_until] = now return send()", "sent 5"),
        ("state.number[N.streaks].all = { 2, now - 1 } return send()", "cooldown 59999"),
        ("state.number[N.streaks].all = { 2, now - 60000 } return send()", "sent 5"),
        (
            "state.number[N.sends].all = { now - 1, now - 2, now - 3, now - 4, now - 5 }
            return send()",
            "number_hour 3599995",
        ),
        (
            "state.wrong_by_address = {} for i = 1, 60 do state.wrong_by_address[i] = now end
          return send()",
            "wrong_guesses 3600000",
        ),
        // A known address has means of its own, and nobody gets two SMS at once.
        (
            "state.number[N.streaks].all = { 2, now - 30000 }
            state.find_known = function() return 'a' end return send()",
            "sent 5",
        ),
        (
            "state.number[N.streaks].all = { 2, now - 29999 }
            state.find_known = function() return 'a' end return send()",
            "cooldown 1",
        ),
        ("state.service = struct.pack('dd', 2000, now) return send()", "service 1800"),
    ] {
        assert_eq!(decide(&redis, lua), outcome, "{lua}");
    }
}

#[test]
fn a_guess_is_decided_by_records() {
    const CHALLENGE: &str = "local challenge = {}
        challenge[C.id], challenge[C.key_id], challenge[C.used] = 'id', 'key', false
        challenge[C.expires_at], challenge[C.guesses], challenge[C.known_guesses] = now + 1, 4, 0
        challenge[C.tag] = redis.sha1hex('id' .. 'right')
        state.number[N.challenges].sign_in = challenge
        request.guesses = { { key_id = 'key', tag = 'right' } }";
    let redis = Redis::start();
    for (lua, outcome) in [
        ("return guess()", "right"),
        ("request.guesses[1].tag = 'other' return guess()", "wrong"),
        ("request.guesses[1].key_id = 'other' return guess()", "wrong"),
        ("state.number[N.challenges] = {} return guess()", "none"),
        ("challenge[C.used] = 'attempt' return guess()", "none"),
        ("challenge[C.expires_at] = now return guess()", "expired"),
        ("challenge[C.guesses] = 5 return guess()", "burned"),
        (
            "challenge[C.guesses] = 5 state.find_known = function() return 'a' end return guess()",
            "right",
        ),
        ("state.number[N.blocked_until] = now + 1 return guess()", "blocked"),
        (
            "local log = {} for i = 1, 10 do log[i] = now - i end
            state.number[N.wrong_by_address]['203.0.113.7'] = log return guess()",
            "closed",
        ),
    ] {
        assert_eq!(decide(&redis, &format!("{CHALLENGE} {lua}")), outcome, "{lua}");
    }
}
