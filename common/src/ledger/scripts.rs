//! Which parts make up which script.

use crate::ledger::script::{Part, Source, before, with_constants};
use crate::ledger::settings::LedgerSettings;

const BLOCK: Part = Part { name: "block", text: include_str!("lua/lib/block.lua") };
const BREAKER: Part = Part { name: "breaker", text: include_str!("lua/lib/breaker.lua") };
const BUCKET: Part = Part { name: "bucket", text: include_str!("lua/lib/bucket.lua") };
const COOLDOWN: Part = Part { name: "cooldown", text: include_str!("lua/lib/cooldown.lua") };
const DECIDE_SEND: Part = Part { name: "decide_send", text: include_str!("lua/decide/send.lua") };
const DECIDE_VERIFY: Part =
    Part { name: "decide_verify", text: include_str!("lua/decide/verify.lua") };
const DELIVERY: Part = Part { name: "delivery", text: include_str!("lua/lib/delivery.lua") };
const HAPPENED: Part = Part { name: "happened", text: include_str!("lua/lib/happened.lua") };
const KNOWN_ADDRESSES: Part =
    Part { name: "known_addresses", text: include_str!("lua/lib/known_addresses.lua") };
const LOG: Part = Part { name: "log", text: include_str!("lua/lib/log.lua") };
const NAMES: Part = Part { name: "names", text: include_str!("lua/lib/names.lua") };
const NUMBER: Part = Part { name: "number", text: include_str!("lua/lib/number.lua") };
const QUEUE: Part = Part { name: "queue", text: include_str!("../queue/lua/lib/queue.lua") };
const RATE: Part = Part { name: "rate", text: include_str!("lua/lib/rate.lua") };
const TIDY: Part = Part { name: "tidy", text: include_str!("lua/lib/tidy.lua") };
const UNDELIVERED: Part =
    Part { name: "undelivered", text: include_str!("lua/lib/undelivered.lua") };
const UNSENT: Part = Part { name: "unsent", text: include_str!("lua/lib/unsent.lua") };

/// What decides, as scripts have it, for a test that tells it records and no keys: the test's own
/// `lua`, which knows `decide_send`, `decide_verify` and `number`.
#[must_use]
pub fn decisions(settings: &LedgerSettings, lua: &str) -> String {
    let parts = &[BLOCK, BUCKET, COOLDOWN, LOG, DECIDE_SEND, DECIDE_VERIFY, NUMBER];
    let settings = serde_json::json!(settings);
    let (text, _) = before(&Source { text: "", parts }, &settings, &[]);
    text + &with_constants(lua, &settings)
}

/// Defines the sources, and a list of them all by their files.
macro_rules! scripts {
    ($($name:ident $file:literal [$($part:ident),*];)*) => {
        $(pub(crate) const $name: Source =
            Source { text: include_str!($file), parts: &[$($part),*] };)*

        #[cfg(test)]
        const FILES: &[&str] = &[$($file),*];
    };
}

scripts! {
    SEND "lua/send.lua" [
        BLOCK, BUCKET, COOLDOWN, LOG, DECIDE_SEND, QUEUE, DELIVERY, HAPPENED, KNOWN_ADDRESSES,
        NAMES, NUMBER, TIDY
    ];
    VERIFY "lua/verify.lua" [
        BLOCK, BUCKET, COOLDOWN, LOG, DECIDE_VERIFY, DELIVERY, HAPPENED, KNOWN_ADDRESSES, NAMES,
        NUMBER, TIDY
    ];
    RESTORE "lua/restore.lua" [NUMBER, DELIVERY, HAPPENED];
    END_CHALLENGE "lua/end_challenge.lua" [BLOCK, COOLDOWN, NUMBER, TIDY];
    NOTIFY "lua/notify.lua" [QUEUE, DELIVERY];
    CLAIM "lua/claim.lua"
        [BREAKER, BUCKET, LOG, NUMBER, QUEUE, DELIVERY, HAPPENED, UNDELIVERED, UNSENT, RATE];
    RECORD "lua/record.lua"
        [BREAKER, BUCKET, LOG, NUMBER, QUEUE, DELIVERY, HAPPENED, UNDELIVERED, UNSENT];
    REPORT "lua/report.lua" [DELIVERY, HAPPENED, UNDELIVERED];
    RIGHTS "lua/rights.lua" [];
    IDEMPOTENCY_BEGIN "lua/idempotency_begin.lua" [];
    IDEMPOTENCY_END "lua/idempotency_end.lua" [];
    KEEP_REQUEST "lua/keep_request.lua" [];
    NUMBER_RECORD "lua/number_record.lua" [BLOCK, BUCKET, COOLDOWN, KNOWN_ADDRESSES, NUMBER];
    UNLOCK "lua/unlock.lua" [BLOCK, COOLDOWN, NUMBER, TIDY];
    BLOCK_NUMBER "lua/block.lua" [BLOCK, COOLDOWN, NUMBER, TIDY];
    ERASE "lua/erase.lua" [BLOCK, COOLDOWN, NUMBER, TIDY];
    LOOK_AT_BUCKET "lua/bucket.lua" [BUCKET];
    ENQUEUE "../queue/lua/enqueue.lua" [QUEUE];
    PROMOTE_DUE "../queue/lua/promote_due.lua" [QUEUE];
    PRUNE_ENDED "../queue/lua/prune_ended.lua" [QUEUE];
    DEREGISTER "../queue/lua/deregister.lua" [QUEUE];
    DEPTH "../queue/lua/depth.lua" [];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;
    use std::time::Duration;

    use clap::{Args, FromArgMatches};
    use strum::VariantArray;

    use super::*;
    use crate::admin;
    use crate::ledger::deliveries::DeliverySettings;
    use crate::ledger::happened::HappenedSettings;
    use crate::ledger::limits::{LIMITS, LimitConfig, LimitKind};
    use crate::ledger::records::LAYOUTS;
    use crate::ledger::script::{Call, Named, fields_of};
    use crate::ledger::{
        authorization_requests, deliveries, delivery_status, idempotency, notices, otp, rights,
    };
    use crate::queue::{self, maintenance};

    const PARTS: [Part; 17] = [
        BLOCK,
        BREAKER,
        BUCKET,
        COOLDOWN,
        DECIDE_SEND,
        DECIDE_VERIFY,
        DELIVERY,
        HAPPENED,
        KNOWN_ADDRESSES,
        LOG,
        NAMES,
        NUMBER,
        QUEUE,
        RATE,
        TIDY,
        UNDELIVERED,
        UNSENT,
    ];

    /// What a part's table holds.
    fn defined(part: &Part) -> BTreeSet<&'static str> {
        let begins = |line: &str| {
            let function = line.strip_prefix("function ").unwrap_or(line);
            function.starts_with(&format!("{}.", part.name))
        };
        part.text
            .lines()
            .filter(|line| begins(line))
            .flat_map(|line| fields_of(line, part.name))
            .collect()
    }

    /// Every name in a script stands for something that is there when it runs.
    fn check<C: Call>(settings: &C::Settings) -> usize {
        let settings = serde_json::json!(settings);
        let settings = settings.as_object().into_iter().flat_map(|settings| settings.keys());
        let settings: Vec<&str> = settings.map(String::as_str).collect();
        let source = C::SOURCE;
        let mut before: Vec<&Part> = Vec::new();
        let texts = source.parts.iter().map(|part| (part.name, part.text));
        let (mut fields, mut used) = (BTreeSet::new(), BTreeSet::new());
        for (index, (name, text)) in texts.chain([("", source.text)]).enumerate() {
            for part in PARTS.iter().filter(|part| part.name != name) {
                let functions = fields_of(text, part.name);
                if functions.is_empty() {
                    continue;
                }
                assert!(
                    before.iter().any(|it| it.name == part.name),
                    "{} comes too late: {text}",
                    part.name
                );
                let missing: Vec<_> = functions.difference(&defined(part)).copied().collect();
                assert!(missing.is_empty(), "{} has no {missing:?}: {text}", part.name);
                used.insert(part.name);
            }
            before.extend(source.parts.get(index));
            for (table, names) in [
                ("settings", settings.clone()),
                ("call", C::NAMES.to_vec()),
                (
                    "keys",
                    [C::Keys::NAMES.to_vec(), queue::NAMES.keys().map(|(name, _)| name).to_vec()]
                        .concat(),
                ),
            ] {
                for field in fields_of(text, table) {
                    assert!(names.contains(&field), "there is no {table}.{field}: {text}");
                    fields.insert((table, field));
                }
            }
            for layout in LAYOUTS {
                for field in fields_of(text, layout.table) {
                    let known = layout.constant(field).is_some();
                    assert!(known, "{} has no {field}: {text}", layout.table);
                }
            }
        }
        for part in source.parts {
            assert!(used.contains(part.name), "{} is of no use: {}", part.name, source.text);
        }
        for (table, names) in [("call", C::NAMES), ("keys", C::Keys::NAMES)] {
            for name in names {
                assert!(
                    fields.contains(&(table, name)),
                    "{table}.{name} is of no use: {}",
                    source.text
                );
            }
        }
        1
    }

    #[test]
    fn every_name_in_a_script_is_there() {
        let limits = LimitConfig::augment_args(clap::Command::new("limits")).get_matches_from([""]);
        let limits = LimitConfig::from_arg_matches(&limits).unwrap();
        let ledger = LedgerSettings::new(&limits, Duration::ZERO, "IN".parse().unwrap());
        let deliveries = DeliverySettings::new(&[], 0);
        let checked = [
            check::<otp::SendCall<'_>>(&ledger),
            check::<otp::VerifyCall<'_>>(&ledger),
            check::<otp::RestoreCall<'_>>(&ledger),
            check::<otp::EndCall<'_>>(&ledger),
            check::<notices::NotifyCall<'_>>(&()),
            check::<deliveries::ClaimCall<'_>>(&deliveries),
            check::<deliveries::RecordCall<'_>>(&deliveries),
            check::<delivery_status::ReportCall<'_>>(&HappenedSettings::default()),
            check::<rights::RightsCall<'_>>(&()),
            check::<idempotency::BeginCall<'_>>(&()),
            check::<idempotency::EndCall<'_>>(&()),
            check::<authorization_requests::KeepCall<'_>>(&()),
            check::<admin::numbers::RecordCall>(&ledger),
            check::<admin::numbers::UnlockCall>(&ledger),
            check::<admin::numbers::BlockCall>(&ledger),
            check::<admin::numbers::EraseCall>(&ledger),
            check::<admin::buckets::LookCall>(&ledger),
            check::<maintenance::EnqueueCall<'_>>(&()),
            check::<maintenance::PromoteCall>(&()),
            check::<maintenance::PruneCall>(&()),
            check::<maintenance::DeregisterCall<'_>>(&()),
            check::<maintenance::DepthCall>(&()),
        ];
        assert_eq!(checked.len(), FILES.len(), "a script is not looked at");
    }

    /// These stand in a list of the call, and the script knows their keys by `key`.
    #[test]
    fn every_name_of_a_request_to_send_is_there() {
        for (table, names) in [("request", otp::SendRequest::NAMES), ("key", otp::SendKeys::NAMES)]
        {
            let used = &fields_of(SEND.text, table) | &fields_of(DECIDE_SEND.text, table);
            assert_eq!(used, names.iter().copied().collect(), "{table}");
        }
    }

    #[test]
    fn every_file_is_part_of_a_script() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ledger");
        let mut there = 0;
        for folder in ["lua", "lua/decide", "lua/lib", "../queue/lua", "../queue/lua/lib"] {
            let files = std::fs::read_dir(here.join(folder)).unwrap();
            there += files.filter(|file| file.as_ref().unwrap().path().is_file()).count();
        }
        assert_eq!(there, FILES.len() + PARTS.len());
    }

    #[test]
    fn a_send_is_refused_by_kinds_that_there_are() {
        let told = DECIDE_SEND
            .text
            .split("refuse('")
            .skip(1)
            .chain(DECIDE_SEND.text.split("check('").skip(1));
        let told: BTreeSet<&str> = told.filter_map(|rest| rest.split('\'').next()).collect();
        let kinds: BTreeSet<&str> =
            LimitKind::VARIANTS.iter().map(|kind| kind.into_str()).collect();
        let blocked = BTreeSet::from([LimitKind::Blocked.into_str()]);
        assert_eq!(told, &kinds - &blocked);
    }

    #[test]
    fn a_bucket_drains_in_an_hour() {
        for limit in LIMITS.iter().filter(|limit| limit.kind.decides().contains("bucket")) {
            assert_eq!(limit.window, 3_600_000, "{limit:?}: bucket.lua says so");
        }
    }
}
