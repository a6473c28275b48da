//! OBJECT: how a value is kept, and when it was used.

use crate::access::Access;
use crate::cx::{Cx, Outcome};
use crate::flags::READ;
use crate::help;
use crate::reply::Reply;
use crate::table::{Keys, rows, subs, v};
use crate::value::Value;

const SECOND: Keys = (2, 2, 1);

rows! { Generic:
    "object", -2, READ, SECOND, v(2, 2), encoding,
        "Depends on subcommand.", "A container for object introspection commands.", SUBS;
}

subs! {
    "encoding", 3, v(2, 2), encoding;
    "freq", 3, v(4, 0), freq;
    "help", 2, v(4, 0), help::help;
    "idletime", 3, v(2, 2), idletime;
    "refcount", 3, v(2, 2), refcount;
}

/// What every subcommand does first: it answers null when there is no such key.
fn on_key(
    cx: &mut Cx<'_>,
    key: &[u8],
    reply: impl FnOnce(&mut Cx<'_>, &str) -> Outcome,
) -> Outcome {
    let level = cx.table.redis;
    match cx.peek(key).map(|value| value.encoding(level)) {
        Some(encoding) => reply(cx, encoding),
        None => {
            cx.out.null();
            Ok(())
        }
    }
}

fn encoding(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    on_key(cx, args[2], |cx, encoding| {
        cx.out.bulk(encoding.as_bytes());
        Ok(())
    })
}

fn refcount(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let shared = matches!(cx.peek(args[2]), Some(Value::Int(_, 0..10_000)));
    on_key(cx, args[2], |cx, _| {
        // Redis shares the objects of small integers.
        cx.out.int(if shared { i64::from(i32::MAX) } else { 1 });
        Ok(())
    })
}

/// What OBJECT says of accesses that are not tracked.
const NO_FREQUENCY: &str = "ERR An LFU maxmemory policy is not selected, access frequency not \
    tracked. Please note that when switching between policies at runtime LRU and LFU data will take \
    some time to adjust.";
const NO_IDLE_TIME: &str = "ERR An LFU maxmemory policy is selected, idle time not tracked. Please \
    note that when switching between policies at runtime LRU and LFU data will take some time to \
    adjust.";

fn access(cx: &mut Cx<'_>, key: &[u8]) -> Access {
    Access::of(cx.peek(key).map_or([0; 3], |value| value.head().access))
}

fn idletime(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let access = access(cx, args[2]);
    on_key(cx, args[2], |cx, _| {
        if cx.state.settings.policy.by_frequency() {
            return Err(NO_IDLE_TIME);
        }
        cx.out.int(access.idle_seconds(cx.now) as i64);
        Ok(())
    })
}

fn freq(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let access = access(cx, args[2]);
    on_key(cx, args[2], |cx, _| {
        if !cx.state.settings.policy.by_frequency() {
            return Err(NO_FREQUENCY);
        }
        let frequency = access.frequency(&cx.state.settings, cx.now);
        cx.out.int(i64::from(frequency));
        Ok(())
    })
}
