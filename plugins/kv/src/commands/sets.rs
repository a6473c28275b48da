//! Sets: SADD, SREM, SISMEMBER, SMISMEMBER, SMEMBERS, SCARD, SMOVE, SPOP.

use super::random::some;
use crate::cx::{Cx, Outcome};
use crate::errors;
use crate::flags::{Flags, READ, READ_FAST, REMOVE_FAST, WRITE_FAST};
use crate::notify;
use crate::number;
use crate::reply::Reply;
use crate::set;
use crate::table::{Keys, ONE_KEY, rows, v};
use crate::value::{Kind, Value};

const TWO_KEYS: Keys = (1, 2, 1);

rows! { Set:
    "sadd", -3, WRITE_FAST, ONE_KEY, v(1, 0), sadd,
        "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.",
        "Adds one or more members to a set. Creates the key if it doesn't exist.";
    "srem", -3, REMOVE_FAST, ONE_KEY, v(1, 0), srem,
        "O(N) where N is the number of members to be removed.",
        "Removes one or more members from a set. Deletes the set if the last member was removed.";
    "sismember", 3, READ_FAST, ONE_KEY, v(1, 0), sismember,
        "O(1)", "Determines whether a member belongs to a set.";
    "smismember", -3, READ_FAST, ONE_KEY, v(6, 2), smismember,
        "O(N) where N is the number of elements being checked for membership",
        "Determines whether multiple members belong to a set.";
    "smembers", 2, READ, ONE_KEY, v(1, 0), smembers,
        "O(N) where N is the set cardinality.", "Returns all members of a set.";
    "scard", 2, READ_FAST, ONE_KEY, v(1, 0), scard,
        "O(1)", "Returns the number of members in a set.";
    "smove", 4, REMOVE_FAST, TWO_KEYS, v(1, 0), smove,
        "O(1)", "Moves a member from one set to another.";
    "spop", -2, REMOVE_FAST.or(Flags::RANDOM), ONE_KEY, v(1, 0), spop,
        "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.",
        "Returns one or more random members from a set after removing them. Deletes the set if the last member was popped.";
}

fn sadd(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let limits = cx.state.settings.limits;
    let new = cx.change_or_put(args[1], (Kind::Set, Value::set), |value| {
        args[2..].iter().filter(|member| set::insert(value, member, limits)).count()
    })?;
    if new > 0 {
        cx.event(args[1], notify::SET, "sadd");
    }
    cx.out.int(new as i64);
    Ok(())
}

fn srem(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let removed = match cx.find_mut(args[1], Kind::Set)? {
        None => 0,
        Some(value) => args[2..].iter().filter(|member| set::remove(value, member)).count(),
    };
    if removed > 0 {
        cx.changed(args[1], notify::SET, "srem");
    }
    cx.out.int(removed as i64);
    Ok(())
}

fn sismember(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Set)?;
    out.int(i64::from(value.is_some_and(|value| set::contains(value, args[2]))));
    Ok(())
}

fn smismember(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Set)?;
    out.array(args.len() - 2);
    for member in &args[2..] {
        out.int(i64::from(value.is_some_and(|value| set::contains(value, member))));
    }
    Ok(())
}

fn smembers(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Set)?;
    out.set(value.map_or(0, Value::len));
    if let Some(value) = value {
        value.each(|(member, _)| member.reply(&mut out));
    }
    Ok(())
}

fn scard(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Set)?;
    out.int(value.map_or(0, Value::len) as i64);
    Ok(())
}

fn smove(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (from, to, member) = (args[1], args[2], args[3]);
    let moved = if cx.find_mut(from, Kind::Set)?.is_none() {
        false
    } else if cx.find_mut(to, Kind::Set)?.is_some() && from == to {
        cx.find_mut(from, Kind::Set)?.is_some_and(|value| set::contains(value, member))
    } else {
        let found = cx.find_mut(from, Kind::Set)?;
        let moved = found.is_some_and(|value| set::remove(value, member));
        if moved {
            cx.changed(from, notify::SET, "srem");
            let limits = cx.state.settings.limits;
            if set::insert(cx.find_or_put(to, Value::set)?, member, limits) {
                cx.event(to, notify::SET, "sadd");
            }
        }
        moved
    };
    cx.out.int(i64::from(moved));
    Ok(())
}

fn spop(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let key = args[1];
    let count = match args[2..] {
        [] => None,
        [count] => Some(self::count(cx, count)?),
        _ => return Err(errors::SYNTAX),
    };
    cx.find_mut(key, Kind::Set)?;
    let value = cx.state.dbs[cx.session.db as usize].keys.get_mut(key);
    let Some(value) = value else {
        match count {
            None => cx.out.null(),
            Some(_) => cx.out.set(0),
        }
        return Ok(());
    };
    let Some(count) = count else {
        if let Some((member, _)) = value.draw(|| cx.shell.random()) {
            let member = member.to_bytes();
            cx.out.bulk(&member);
            set::remove(value, &member);
            let empty = value.is_empty();
            cx.tell(&[b"SREM", key, &member]);
            cx.taken_from(key, notify::SET, "spop", empty);
        }
        return Ok(());
    };
    let n = count.min(value.len());
    cx.out.set(n);
    if n == value.len() {
        value.each(|(member, _)| member.reply(&mut cx.out));
        cx.notify(notify::SET, "spop", key);
        cx.delete(key);
    } else if n > 0 {
        let drawn = some(value, n, cx.shell);
        let drawn: Vec<_> = drawn.into_iter().map(|(member, _)| member.to_bytes()).collect();
        for member in &drawn {
            cx.out.bulk(member);
            set::remove(value, member);
        }
        let mut effect: Vec<&[u8]> = vec![b"SREM", key];
        effect.extend(drawn.iter().map(|member| member.as_slice()));
        cx.tell(&effect);
        cx.changed(key, notify::SET, "spop");
    }
    Ok(())
}

fn count(cx: &Cx<'_>, text: &[u8]) -> Result<usize, &'static str> {
    let wrong = if cx.has(v(6, 2)) { errors::NOT_POSITIVE } else { errors::INDEX };
    match number::parse_i64(text) {
        None if !cx.has(v(6, 2)) => Err(errors::NOT_AN_INTEGER),
        n => n.and_then(|n| usize::try_from(n).ok()).ok_or(wrong),
    }
}
