//! Keys of any type: DEL, UNLINK, EXISTS, TOUCH, TYPE, RANDOMKEY, RENAME, RENAMENX, COPY, MOVE.

use super::connection::db_number;
use crate::cx::{Cx, Outcome, is};
use crate::errors;
use crate::flags::{Flags, READ, READ_FAST, REMOVE_FAST, WRITE};
use crate::notify;
use crate::reply::Reply;
use crate::table::{ALL_KEYS, Keys, NO_KEYS, ONE_KEY, rows, v};
use crate::value::Kind;

const TWO_KEYS: Keys = (1, 2, 1);
/// Draws of RANDOMKEY until it takes a key although its time is over.
const DRAWS: usize = 100;

rows! { Generic:
    "del", -2, Flags::WRITE, ALL_KEYS, v(1, 0), del,
        "O(N) where N is the number of keys that will be removed.", "Deletes one or more keys.";
    "unlink", -2, REMOVE_FAST, ALL_KEYS, v(4, 0), del,
        "O(1) for each key removed regardless of its size.", "Asynchronously deletes one or more keys.";
    "exists", -2, READ_FAST, ALL_KEYS, v(1, 0), exists,
        "O(N) where N is the number of keys to check.", "Determines whether one or more keys exist.";
    "touch", -2, READ_FAST, ALL_KEYS, v(3, 2), touch,
        "O(N) where N is the number of keys that will be touched.",
        "Returns the number of existing keys out of those specified after updating the time they were last accessed.";
    "type", 2, READ_FAST, ONE_KEY, v(1, 0), type_name,
        "O(1)", "Determines the type of value stored at a key.";
    "randomkey", 1, READ.or(Flags::RANDOM), NO_KEYS, v(1, 0), randomkey,
        "O(1)", "Returns a random key name from the database.";
    "rename", 3, Flags::WRITE, TWO_KEYS, v(1, 0), rename,
        "O(1)", "Renames a key and overwrites the destination.";
    "renamenx", 3, REMOVE_FAST, TWO_KEYS, v(1, 0), renamenx,
        "O(1)", "Renames a key only when the target key name doesn't exist.";
    "copy", -3, WRITE, TWO_KEYS, v(6, 2), copy,
        "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
        "Copies the value of a key to a new key.";
    "move", 3, REMOVE_FAST, ONE_KEY, v(1, 0), move_key,
        "O(1)", "Moves a key to another database.";
}

fn del(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let count = args[1..].iter().filter(|key| cx.delete(key)).count();
    cx.out.int(count as i64);
    Ok(())
}

fn exists(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    // To Redis 4 it is a use.
    let touches = !cx.has(v(5, 0));
    let mut found = |key| if touches { cx.get(key).is_some() } else { cx.peek(key).is_some() };
    let count = args[1..].iter().filter(|key| found(key)).count();
    cx.out.int(count as i64);
    Ok(())
}

fn touch(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let count = args[1..].iter().filter(|key| cx.get(key).is_some()).count();
    cx.out.int(count as i64);
    Ok(())
}

fn type_name(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let name = cx.peek(args[1]).map_or("none", |value| value.type_name());
    cx.out.simple(name);
    Ok(())
}

fn randomkey(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    for draw in 0.. {
        let shell = &mut *cx.shell;
        let drawn = cx.state.db(cx.session.db).keys.random_entry(|| shell.random());
        let Some((key, _)) = drawn else { break };
        let key = key.clone();
        cx.refresh(&key);
        // Drawn is not used.
        if draw >= DRAWS || cx.db().keys.contains_key(&key) {
            cx.out.bulk(&key);
            return Ok(());
        }
    }
    cx.out.null();
    Ok(())
}

fn rename(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    rename_key(cx, args[1], args[2], false)?;
    cx.out.ok();
    Ok(())
}

fn renamenx(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let renamed = rename_key(cx, args[1], args[2], true)?;
    cx.out.int(i64::from(renamed));
    Ok(())
}

fn rename_key(
    cx: &mut Cx<'_>,
    from: &[u8],
    to: &[u8],
    only_new: bool,
) -> Result<bool, &'static str> {
    if cx.get(from).is_none() {
        return Err(errors::NO_SUCH_KEY);
    }
    if from == to {
        return Ok(!only_new);
    }
    if only_new && cx.get(to).is_some() {
        return Ok(false);
    }
    let at = cx.db().expiry(from);
    if let Some(mut value) = cx.db().remove(from) {
        let awaited = value.kind() == Kind::Stream;
        value.head_mut().flags &= !crate::value::HEAD_EXPIRES;
        cx.touch(from);
        cx.put_in(cx.session.db, to, value);
        cx.signal(cx.session.db, to);
        if awaited {
            // Whoever waits for the new name is served before those who waited for the old one.
            cx.signal(cx.session.db, from);
        }
        if let Some(at) = at {
            cx.set_expiry(to, at);
        }
        cx.notify(notify::GENERIC, "rename_from", from);
        cx.notify(notify::GENERIC, "rename_to", to);
    }
    Ok(true)
}

fn copy(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    let (from, to) = (args[1], args[2]);
    let (mut db, mut replace) = (cx.session.db, false);
    let mut rest = &args[3..];
    while let Some((&word, more)) = rest.split_first() {
        rest = more;
        match more {
            _ if is(word, "replace") => replace = true,
            [number, more @ ..] if is(word, "db") => {
                db = db_number(number)?;
                rest = more;
            }
            _ => return Err(errors::SYNTAX),
        }
    }
    if db == cx.session.db && from == to {
        return Err("ERR source and destination objects are the same");
    }
    let Some(mut value) = cx.get(from).map(|value| value.copy()) else {
        cx.out.int(0);
        return Ok(());
    };
    value.head_mut().access = cx.fresh_access();
    let at = cx.db().expiry(from);
    let copied = put_elsewhere(cx, db, to, replace, || value, at);
    if copied {
        cx.notify_in(db, notify::GENERIC, "copy_to", to);
    }
    cx.out.int(i64::from(copied));
    Ok(())
}

/// Puts a value with its end into a database; false when the key is taken.
fn put_elsewhere(
    cx: &mut Cx<'_>,
    db: u32,
    key: &[u8],
    replace: bool,
    value: impl FnOnce() -> crate::value::Value,
    at: Option<u64>,
) -> bool {
    cx.refresh_in(db, key);
    if !replace && cx.state.db(db).keys.contains_key(key) {
        return false;
    }
    cx.put_in(db, key, value());
    cx.signal(db, key);
    if let Some(at) = at {
        cx.state.db(db).set_expiry(key, at);
        let cycle = cx.state.settings.cycle_ms();
        cx.shell.wake_at(cx.now + cycle);
    }
    true
}

fn move_key(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let key = args[1];
    let new = cx.has(v(7, 0));
    let db = db_number(args[2]).map_err(|text| if new { text } else { errors::INDEX })?;
    if db == cx.session.db {
        return Err("ERR source and destination objects are the same");
    }
    cx.refresh_in(db, key);
    if cx.get(key).is_none() || cx.state.db(db).keys.contains_key(key) {
        cx.out.int(0);
        return Ok(());
    }
    let at = cx.db().expiry(key);
    if let Some(mut value) = cx.db().remove(key) {
        value.head_mut().flags &= !crate::value::HEAD_EXPIRES;
        cx.replaced(cx.session.db, key, &value);
        cx.touch(key);
        put_elsewhere(cx, db, key, true, || value, at);
        // Redis 4 tells nobody.
        if cx.has(v(6, 0)) {
            cx.notify(notify::GENERIC, "move_from", key);
            cx.notify_in(db, notify::GENERIC, "move_to", key);
        }
    }
    cx.out.int(1);
    Ok(())
}
