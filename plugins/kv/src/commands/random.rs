//! Elements by lot: HRANDFIELD, SRANDMEMBER, ZRANDMEMBER.

use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{Flags, READ};
use crate::members::Entry;
use crate::reply::Reply;
use crate::services::Services;
use crate::table::{Group, ONE_KEY, Row, Run, v};
use crate::value::{Kind, Value};

/// The rows of this family, which belong to three groups.
pub const ROWS: &[Row] = &[
    row(
        "hrandfield",
        Group::Hash,
        v(6, 2),
        hrandfield,
        "Returns one or more random fields from a hash.",
    ),
    row(
        "srandmember",
        Group::Set,
        v(1, 0),
        srandmember,
        "Returns one or more random members of a set.",
    ),
    row(
        "zrandmember",
        Group::SortedSet,
        v(6, 2),
        zrandmember,
        "Returns one or more random members from a sorted set.",
    ),
];

const fn row(
    name: &'static str,
    group: Group,
    since: crate::table::Level,
    run: Run,
    summary: &'static str,
) -> Row {
    Row {
        name,
        arity: -2,
        flags: READ.or(Flags::RANDOM),
        keys: ONE_KEY,
        group,
        since,
        complexity: "O(N) where N is the number of elements returned",
        summary,
        run,
        subs: &[],
    }
}

fn hrandfield(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    random(cx, args, Kind::Hash, "withvalues")
}

fn srandmember(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    random(cx, args, Kind::Set, "")
}

fn zrandmember(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    random(cx, args, Kind::Zset, "withscores")
}

/// One element; or several with a count, each once or, below zero, as often as it is drawn; `with`
/// asks for what belongs to them.
fn random(cx: &mut Cx<'_>, args: &[&[u8]], kind: Kind, with: &str) -> Outcome {
    let count = match args {
        [_, _] => None,
        [_, _, count, ..] => Some(int(count)?),
        _ => return Err(errors::SYNTAX),
    };
    let paired = match args {
        [_, _, _, word] if kind != Kind::Set && is(word, with) => true,
        [_, _] | [_, _, _] => false,
        _ => return Err(errors::SYNTAX),
    };
    if count.is_some_and(|n| n == i64::MIN || (paired && n.unsigned_abs() > i64::MAX as u64 / 2)) {
        return Err("ERR value is out of range");
    }
    cx.find(args[1], kind)?;
    let value = cx.state.dbs[cx.session.db as usize].keys.get(args[1]);
    let Some(value) = value else {
        match count {
            None => cx.out.null(),
            Some(_) => cx.out.array(0),
        }
        return Ok(());
    };
    let Some(count) = count else {
        if let Some((element, _)) = value.draw(|| cx.shell.random()) {
            element.reply(&mut cx.out);
        }
        return Ok(());
    };
    let n = if count < 0 { count.unsigned_abs() as usize } else { value.len().min(count as usize) };
    if paired {
        cx.out.pairs(n)
    } else {
        cx.out.array(n)
    }
    let out = &mut cx.out;
    let mut reply = |(element, second): Entry<'_>| {
        if paired {
            out.pair();
        }
        element.reply(out);
        second.filter(|_| paired).into_iter().for_each(|second| second.reply(out));
    };
    if count < 0 {
        (0..n).filter_map(|_| value.draw(|| cx.shell.random())).for_each(reply);
    } else if n == value.len() {
        value.each(reply);
    } else {
        some(value, n, cx.shell).into_iter().for_each(&mut reply);
    }
    Ok(())
}

/// So many different elements, fewer than there are.
pub(super) fn some<'a>(value: &'a Value, n: usize, shell: &mut dyn Services) -> Vec<Entry<'a>> {
    /// From this share of all on, all are listed and shuffled.
    const SHARE: usize = 3;
    if n * SHARE < value.len() && value.is_big() {
        let mut seen = std::collections::HashSet::with_capacity(n);
        let mut drawn = Vec::with_capacity(n);
        while drawn.len() < n {
            let Some(entry) = value.draw(|| shell.random()) else { break };
            if seen.insert(entry.0.to_bytes().to_vec()) {
                drawn.push(entry);
            }
        }
        return drawn;
    }
    let mut all = value.entries();
    for i in 0..n {
        let left = (all.len() - i) as u128;
        all.swap(i, i + ((u128::from(shell.random()) * left) >> 64) as usize);
    }
    all.truncate(n);
    all
}
