-- How luacheck reads the scripts of Redis: bin/test lua. What they have of a name's own is held by
-- `ledger::scripts`' tests.
std = "lua51"
max_line_length = 100
-- Positions in records, and new records: `common/src/ledger/records.rs`.
local layout = { other_fields = true, fields = { NEW = { read_only = false, other_fields = true } } }
files["common/src"].read_globals = {
    -- Redis' own.
    "redis", "struct", "cjson", "cmsgpack",
    -- Put before each script.
    "settings", "keys", "call",
    D = layout, N = layout, C = layout,
    -- The parts that scripts share: `common/src/ledger/scripts.rs`.
    "block", "breaker", "bucket", "cooldown", "decide_send", "decide_verify", "delivery",
    "happened", "known_addresses", "log", "names", "number", "queue", "rate", "tidy", "undelivered",
    "unsent",
}
