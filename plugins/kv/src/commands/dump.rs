//! DUMP and RESTORE: a value as bytes, and back.

use crate::access::Access;
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{READ, WRITE};
use crate::notify;
use crate::rdb;
use crate::reply::Reply;
use crate::table::{ONE_KEY, rows, v};

rows! { Generic:
    "dump", 2, READ, ONE_KEY, v(2, 6), dump,
        "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of objects composing the value and M their average size.",
        "Returns a serialized representation of the value stored at a key.";
    "restore", -4, WRITE, ONE_KEY, v(2, 6), restore,
        "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of objects composing the value and M their average size.",
        "Creates a key from the serialized representation of a value.";
}

fn dump(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let level = cx.table.redis;
    let (value, mut out) = cx.get_and_out(args[1]);
    let Some(value) = value else {
        out.null();
        return Ok(());
    };
    out.bulk(&rdb::dump(value, level));
    Ok(())
}

/// The options of RESTORE.
#[derive(Default)]
struct Options {
    replace: bool,
    /// The time to live is a moment.
    absolute: bool,
    idle_s: Option<i64>,
    frequency: Option<i64>,
}

impl Options {
    fn read(cx: &Cx<'_>, words: &[&[u8]]) -> Result<Self, &'static str> {
        let (mut all, mut rest) = (Self::default(), words);
        let knows_access = cx.has(v(5, 0));
        while let Some((&word, more)) = rest.split_first() {
            rest = more;
            match *more {
                _ if is(word, "replace") => all.replace = true,
                _ if is(word, "absttl") && knows_access => all.absolute = true,
                [n, ref more @ ..]
                    if is(word, "idletime") && all.frequency.is_none() && knows_access =>
                {
                    all.idle_s = Some(int(n)?);
                    if all.idle_s < Some(0) {
                        return Err("ERR Invalid IDLETIME value, must be >= 0");
                    }
                    rest = more;
                }
                [n, ref more @ ..] if is(word, "freq") && all.idle_s.is_none() && knows_access => {
                    all.frequency = Some(int(n)?);
                    if !all.frequency.is_some_and(|n| (0..=255).contains(&n)) {
                        return Err("ERR Invalid FREQ value, must be >= 0 and <= 255");
                    }
                    rest = more;
                }
                _ => return Err(errors::SYNTAX),
            }
        }
        Ok(all)
    }
}

pub(super) fn restore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (key, payload) = (args[1], args[3]);
    let options = Options::read(cx, &args[4..])?;
    if !options.replace && cx.get(key).is_some() {
        return Err("BUSYKEY Target key name already exists.");
    }
    let ttl = u64::try_from(int(args[2])?).map_err(|_| "ERR Invalid TTL value, must be >= 0")?;
    if !rdb::is_sound(payload, cx.table.redis) {
        return Err("ERR DUMP payload version or checksum are wrong");
    }
    let value = rdb::restore(payload, cx.state.settings.limits).ok_or("ERR Bad data format")?;
    let at = if ttl > 0 && !options.absolute { cx.now.saturating_add(ttl) } else { ttl };
    if at > 0 && at <= cx.now {
        cx.delete(key);
        cx.out.ok();
        return Ok(());
    }
    cx.put(key, value);
    if at > 0 {
        cx.set_expiry(key, at);
    }
    note_access(cx, key, &options);
    cx.notify(notify::GENERIC, "restore", key);
    cx.out.ok();
    Ok(())
}

/// Sets when, or how often, the value was used before, as far as the policy wants to know and it was
/// told: otherwise it is new.
fn note_access(cx: &mut Cx<'_>, key: &[u8], options: &Options) {
    let (now, by_frequency) = (cx.now, cx.state.settings.policy.by_frequency());
    let access = match (options.idle_s, options.frequency) {
        (Some(seconds), _) if !by_frequency => Access::idle_for(seconds as u64, now),
        (_, Some(frequency)) if by_frequency => Access::with_frequency(frequency as u8, now),
        _ => Access::start(&cx.state.settings, now),
    };
    if let Some(value) = cx.db().keys.get_mut(key) {
        value.head_mut().access = access.bytes();
    }
}
