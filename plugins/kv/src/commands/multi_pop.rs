//! Several elements of the first key that has some: LMPOP, BLMPOP, ZMPOP, BZMPOP, BZPOPMIN, BZPOPMAX.

use super::blocking::timeout_ms;
use super::push_pop::popped;
use crate::blocking::{self, Wish, pop_members};
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{Flags, REMOVE_FAST};
use crate::list;
use crate::list::End;
use crate::notify;
use crate::reply::Reply;
use crate::table::{Group, Keys, Level, NO_KEYS, Row, Run, v};
use crate::value::Kind;

const BLOCKING: Flags = Flags::WRITE.or(Flags::BLOCKING);
const ALL_BUT_LAST: Keys = (1, -2, 1);
const LISTS: &str =
    "O(N+M) where N is the number of provided keys and M is the number of elements returned.";
const ZSETS: &str = "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.";

/// The rows of this family, which belong to two groups.
pub const ROWS: &[Row] = &[
    row(
        "lmpop",
        -4,
        Flags::WRITE,
        Group::List,
        LISTS,
        lmpop,
        "Returns multiple elements from a list after removing them. Deletes the list if the last element was popped.",
    ),
    row(
        "blmpop",
        -5,
        BLOCKING,
        Group::List,
        LISTS,
        blmpop,
        "Pops the first element from one of multiple lists. Blocks until an element is available otherwise. Deletes the list if the last element was popped.",
    ),
    row(
        "zmpop",
        -4,
        Flags::WRITE,
        Group::SortedSet,
        ZSETS,
        zmpop,
        "Returns the highest- or lowest-scoring members from one or more sorted sets after removing them. Deletes the sorted set if the last member was popped.",
    ),
    row(
        "bzmpop",
        -5,
        BLOCKING,
        Group::SortedSet,
        ZSETS,
        bzmpop,
        "Removes and returns a member by score from one or more sorted sets. Blocks until a member is available otherwise. Deletes the sorted set if the last element was popped.",
    ),
    waiting(
        "bzpopmin",
        bzpopmin,
        "Removes and returns the member with the lowest score from one or more sorted sets. Blocks until a member available otherwise. Deletes the sorted set if the last element was popped.",
    ),
    waiting(
        "bzpopmax",
        bzpopmax,
        "Removes and returns the member with the highest score from one or more sorted sets. Blocks until a member available otherwise. Deletes the sorted set if the last element was popped.",
    ),
];

const fn row(
    name: &'static str,
    arity: i16,
    flags: Flags,
    group: Group,
    complexity: &'static str,
    run: Run,
    summary: &'static str,
) -> Row {
    let since: Level = v(7, 0);
    Row { name, arity, flags, keys: NO_KEYS, group, since, complexity, summary, run, subs: &[] }
}

const fn waiting(name: &'static str, run: Run, summary: &'static str) -> Row {
    let (flags, group) = (BLOCKING.or(REMOVE_FAST).or(Flags::NOSCRIPT), Group::SortedSet);
    let complexity = "O(log(N)) with N being the number of elements in the sorted set.";
    let row = row(name, -3, flags, group, complexity, run, summary);
    Row { keys: ALL_BUT_LAST, since: v(5, 0), ..row }
}

/// What LMPOP and its like ask for.
struct Request<'a> {
    keys: &'a [&'a [u8]],
    end: End,
    count: u64,
}

/// Reads `numkeys key.. END [COUNT count]`.
fn read<'a>(args: &'a [&'a [u8]], ends: [&str; 2]) -> Result<Request<'a>, &'static str> {
    let positive =
        |text: &[u8]| int(text).ok().and_then(|n| u64::try_from(n).ok()).filter(|&n| n > 0);
    let count = positive(args[0]).ok_or("ERR numkeys should be greater than 0")?;
    let keys = usize::try_from(count).ok().and_then(|n| args[1..].split_at_checked(n));
    let (keys, [word, options @ ..]) = keys.ok_or(errors::SYNTAX)? else {
        return Err(errors::SYNTAX);
    };
    let end = match word {
        _ if is(word, ends[0]) => End::Head,
        _ if is(word, ends[1]) => End::Tail,
        _ => return Err(errors::SYNTAX),
    };
    let count = match options {
        [] => 1,
        [word, count, rest @ ..] if is(word, "count") => {
            let count = positive(count).ok_or("ERR count should be greater than 0")?;
            if rest.is_empty() { count } else { return Err(errors::SYNTAX) }
        }
        _ => return Err(errors::SYNTAX),
    };
    Ok(Request { keys, end, count })
}

fn lmpop(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let request = read(&args[1..], ["left", "right"])?;
    if !pop_elements(cx, &request)? {
        cx.out.null_array();
    }
    Ok(())
}

fn blmpop(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let request = read(&args[2..], ["left", "right"])?;
    let timeout_ms = timeout_ms(cx, args[1])?;
    if pop_elements(cx, &request)? {
        return Ok(());
    }
    wait(cx, request.keys, Wish::Elements(request.end, Some(request.count)), timeout_ms);
    Ok(())
}

/// Pops from the first list that is there. False when there is none.
fn pop_elements(cx: &mut Cx<'_>, request: &Request<'_>) -> Result<bool, &'static str> {
    for &key in request.keys {
        cx.get(key);
        let value = cx.state.dbs[cx.session.db as usize].keys.get_mut(key);
        let list = match value {
            None => continue,
            Some(list) if list.kind() == Kind::List => list,
            Some(_) => return Err(errors::WRONG_TYPE),
        };
        let n = list.len().min(usize::try_from(request.count).unwrap_or(usize::MAX));
        cx.out.array(2);
        cx.out.bulk(key);
        cx.out.array(n);
        for _ in 0..n {
            list::pop_shown(list, request.end, |element| element.reply(&mut cx.out));
        }
        cx.changed(key, notify::LIST, popped(request.end));
        return Ok(true);
    }
    Ok(false)
}

fn zmpop(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let request = read(&args[1..], ["min", "max"])?;
    if !pop_scored(cx, request.keys, request.end, Some(request.count))? {
        cx.out.null_array();
    }
    Ok(())
}

fn bzmpop(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let request = read(&args[2..], ["min", "max"])?;
    pop_or_wait(cx, request.keys, request.end, Some(request.count), args[1])
}

fn bzpopmin(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    pop_or_wait(cx, &args[1..args.len() - 1], End::Head, None, args[args.len() - 1])
}

fn bzpopmax(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    pop_or_wait(cx, &args[1..args.len() - 1], End::Tail, None, args[args.len() - 1])
}

fn pop_or_wait(
    cx: &mut Cx<'_>,
    keys: &[&[u8]],
    end: End,
    count: Option<u64>,
    timeout: &[u8],
) -> Outcome {
    let timeout_ms = timeout_ms(cx, timeout)?;
    if pop_scored(cx, keys, end, count)? {
        return Ok(());
    }
    wait(cx, keys, Wish::Members(end, count), timeout_ms);
    Ok(())
}

/// Pops from the first sorted set that is there. False when there is none.
fn pop_scored(
    cx: &mut Cx<'_>,
    keys: &[&[u8]],
    end: End,
    count: Option<u64>,
) -> Result<bool, &'static str> {
    for &key in keys {
        if cx.find_mut(key, Kind::Zset)?.is_none() {
            continue;
        }
        cx.out.array(if count.is_some() { 2 } else { 3 });
        cx.out.bulk(key);
        let value = cx.state.dbs[cx.session.db as usize].keys.get_mut(key);
        let count = count.map(|n| usize::try_from(n).unwrap_or(usize::MAX));
        let max = end == End::Tail;
        value.into_iter().for_each(|value| pop_members(value, max, count, &mut cx.out));
        cx.changed(key, notify::ZSET, if max { "zpopmax" } else { "zpopmin" });
        return Ok(true);
    }
    Ok(false)
}

/// Lets the client wait; inside EXEC nothing comes.
fn wait(cx: &mut Cx<'_>, keys: &[&[u8]], wish: Wish<'_>, timeout_ms: u64) {
    if cx.in_exec {
        return cx.out.null_array();
    }
    let until_ms = if timeout_ms == 0 { 0 } else { cx.now + timeout_ms };
    blocking::wait(cx, keys, wish, until_ms);
}
