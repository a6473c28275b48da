//! Sorted sets by member: ZADD, ZINCRBY, ZREM, ZSCORE, ZMSCORE, ZCARD, ZRANK, ZREVRANK, ZPOPMIN, ZPOPMAX.

use crate::cx::{Cx, Outcome, is};
use crate::element::Element;
use crate::errors;
use crate::flags::{READ_FAST, REMOVE_FAST, WRITE_FAST};
use crate::notify;
use crate::number;
use crate::reply::Reply;
use crate::settings::Limits;
use crate::table::{ONE_KEY, rows, v};
use crate::value::{Kind, Value};
use crate::zset;

rows! { SortedSet:
    "zadd", -4, WRITE_FAST, ONE_KEY, v(1, 2), zadd,
        "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        "Adds one or more members to a sorted set, or updates their scores. Creates the key if it doesn't exist.";
    "zincrby", 4, WRITE_FAST, ONE_KEY, v(1, 2), zincrby,
        "O(log(N)) where N is the number of elements in the sorted set.",
        "Increments the score of a member in a sorted set.";
    "zrem", -3, REMOVE_FAST, ONE_KEY, v(1, 2), zrem,
        "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
        "Removes one or more members from a sorted set. Deletes the sorted set if all members were removed.";
    "zscore", 3, READ_FAST, ONE_KEY, v(1, 2), zscore,
        "O(1)", "Returns the score of a member in a sorted set.";
    "zmscore", -3, READ_FAST, ONE_KEY, v(6, 2), zmscore,
        "O(N) where N is the number of members being requested.",
        "Returns the score of one or more members in a sorted set.";
    "zcard", 2, READ_FAST, ONE_KEY, v(1, 2), zcard,
        "O(1)", "Returns the number of members in a sorted set.";
    "zrank", 3, READ_FAST, ONE_KEY, v(2, 0), zrank,
        "O(log(N))",
        "Returns the index of a member in a sorted set ordered by ascending scores.";
    "zrevrank", 3, READ_FAST, ONE_KEY, v(2, 0), zrevrank,
        "O(log(N))",
        "Returns the index of a member in a sorted set ordered by descending scores.";
    "zpopmin", -2, REMOVE_FAST, ONE_KEY, v(5, 0), zpopmin,
        "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        "Returns the lowest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.";
    "zpopmax", -2, REMOVE_FAST, ONE_KEY, v(5, 0), zpopmax,
        "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        "Returns the highest-scoring members from a sorted set after removing them. Deletes the sorted set if the last member was popped.";
}

/// The options of ZADD.
#[derive(Default)]
struct Options {
    only_new: bool,
    only_old: bool,
    greater: bool,
    less: bool,
    changes: bool,
    increment: bool,
}

impl Options {
    /// Reads them; how many words they are.
    fn read(cx: &Cx<'_>, words: &[&[u8]]) -> (Self, usize) {
        let (mut all, compares) = (Self::default(), cx.has(v(6, 2)));
        for (n, word) in words.iter().enumerate() {
            match () {
                () if is(word, "nx") => all.only_new = true,
                () if is(word, "xx") => all.only_old = true,
                () if is(word, "ch") => all.changes = true,
                () if is(word, "incr") => all.increment = true,
                () if compares && is(word, "gt") => all.greater = true,
                () if compares && is(word, "lt") => all.less = true,
                () => return (all, n),
            }
        }
        (all, words.len())
    }

    fn check(&self, pairs: usize) -> Outcome {
        if self.only_new && self.only_old {
            return Err("ERR XX and NX options at the same time are not compatible");
        }
        if [self.greater, self.less, self.only_new].iter().filter(|&&set| set).count() > 1 {
            return Err("ERR GT, LT, and/or NX options at the same time are not compatible");
        }
        if self.increment && pairs > 1 {
            return Err("ERR INCR option supports a single increment-element pair");
        }
        Ok(())
    }
}

/// What became of a member.
enum Change {
    None,
    Added(f64),
    Updated(f64),
    Same(f64),
}

pub(super) fn zadd(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (options, used) = Options::read(cx, &args[2..]);
    add(cx, args[1], &args[2 + used..], &options)
}

fn zincrby(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    // As in Redis, whose ZINCRBY is a ZADD with INCR: in place of the score there may be an option.
    let (_, used) = Options::read(cx, &args[2..]);
    add(cx, args[1], &args[2 + used..], &Options { increment: true, ..Options::default() })
}

fn add(cx: &mut Cx<'_>, key: &[u8], pairs: &[&[u8]], options: &Options) -> Outcome {
    let (pairs, rest) = pairs.as_chunks::<2>();
    if pairs.is_empty() || !rest.is_empty() {
        return Err(errors::SYNTAX);
    }
    options.check(pairs.len())?;
    for [score, _] in pairs {
        number::parse_score(score).ok_or(errors::NOT_A_FLOAT)?;
    }
    let limits = cx.state.settings.limits;
    let done = if options.only_old {
        let value = cx.find_mut(key, Kind::Zset)?;
        value.map(|value| add_all(value, pairs, options, limits))
    } else {
        Some(cx.change_or_put(key, (Kind::Zset, Value::zset), |value| {
            add_all(value, pairs, options, limits)
        })?)
    };
    let there = done.is_some();
    let Done { added, updated, last, failed } = done.unwrap_or_default();
    if added + updated > 0 {
        cx.event(key, notify::ZSET, if options.increment { "zincr" } else { "zadd" });
    } else if there {
        cx.drop_empty(key);
    }
    if let Some(text) = failed {
        return Err(text);
    }
    match (options.increment, last) {
        (true, Some(score)) => Element::Score(score).reply(&mut cx.out),
        (true, None) => cx.out.null(),
        (false, _) => cx.out.int(added + if options.changes { updated } else { 0 }),
    }
    Ok(())
}

/// What became of all members.
#[derive(Default)]
struct Done {
    added: i64,
    updated: i64,
    /// The score of the last one.
    last: Option<f64>,
    failed: Option<&'static str>,
}

/// Adds members, whose scores were looked at before.
fn add_all(value: &mut Value, pairs: &[[&[u8]; 2]], options: &Options, limits: Limits) -> Done {
    if value.is_empty() {
        zset::make_room(value, pairs[0][1], limits);
    }
    let mut done = Done::default();
    for [score, member] in pairs {
        let score = number::parse_score(score).unwrap_or_default();
        match add_one(value, score, member, options, limits) {
            Ok(Change::Added(score)) => (done.added, done.last) = (done.added + 1, Some(score)),
            Ok(Change::Updated(score)) => {
                (done.updated, done.last) = (done.updated + 1, Some(score));
            }
            Ok(Change::Same(score)) => done.last = Some(score),
            Ok(Change::None) => {}
            Err(text) => done.failed = Some(text),
        }
    }
    done
}

fn add_one(
    value: &mut Value,
    score: f64,
    member: &[u8],
    options: &Options,
    limits: Limits,
) -> Result<Change, &'static str> {
    let Some(old) = zset::score(value, member) else {
        if options.only_old {
            return Ok(Change::None);
        }
        zset::insert(value, member, score, limits);
        return Ok(Change::Added(score));
    };
    if options.only_new {
        return Ok(Change::None);
    }
    let score = if options.increment { old + score } else { score };
    if score.is_nan() {
        return Err("ERR resulting score is not a number (NaN)");
    }
    if (options.greater && score <= old) || (options.less && score >= old) {
        return Ok(Change::None);
    }
    if score == old {
        return Ok(Change::Same(score));
    }
    zset::put(value, member, score, limits);
    Ok(Change::Updated(score))
}

fn zrem(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let removed = match cx.find_mut(args[1], Kind::Zset)? {
        None => 0,
        Some(value) => args[2..].iter().filter(|member| zset::remove(value, member)).count(),
    };
    if removed > 0 {
        cx.changed(args[1], notify::ZSET, "zrem");
    }
    cx.out.int(removed as i64);
    Ok(())
}

fn zscore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    scores(cx, args)
}

fn zmscore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.find(args[1], Kind::Zset)?;
    cx.out.array(args.len() - 2);
    scores(cx, args)
}

fn scores(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Zset)?;
    for member in &args[2..] {
        match value.and_then(|value| zset::score(value, member)) {
            Some(score) => Element::Score(score).reply(&mut out),
            None => out.null(),
        }
    }
    Ok(())
}

fn zcard(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Zset)?;
    out.int(value.map_or(0, Value::len) as i64);
    Ok(())
}

fn zrank(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    rank(cx, args, false)
}

fn zrevrank(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    rank(cx, args, true)
}

fn rank(cx: &mut Cx<'_>, args: &[&[u8]], reverse: bool) -> Outcome {
    let (value, mut out) = cx.find(args[1], Kind::Zset)?;
    match value.and_then(|value| Some((zset::rank(value, args[2])?, value.len()))) {
        Some((rank, len)) => out.int(if reverse { len - 1 - rank } else { rank } as i64),
        None => out.null(),
    }
    Ok(())
}

fn zpopmin(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    pop(cx, args, false)
}

fn zpopmax(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    pop(cx, args, true)
}

fn pop(cx: &mut Cx<'_>, args: &[&[u8]], max: bool) -> Outcome {
    let count = match args[2..] {
        [] => 1,
        [text] => {
            let n = number::parse_i64(text).and_then(|n| usize::try_from(n).ok());
            n.ok_or(errors::NOT_POSITIVE)?
        }
        _ => return Err(errors::SYNTAX),
    };
    let (value, mut out) = cx.find_mut_and_out(args[1], Kind::Zset)?;
    let len = value.as_ref().map_or(0, |value| value.len());
    let n = len.min(count);
    let nested = args.len() > 2;
    if nested {
        out.pairs(n)
    } else {
        out.array(n * 2)
    }
    if let Some(value) = value.filter(|_| n > 0) {
        zset::pop(value, max, n, |member, score| {
            if nested {
                out.pair();
            }
            out.bulk(member);
            out.double(score);
        });
        let event = if max { "zpopmax" } else { "zpopmin" };
        cx.taken_from(args[1], notify::ZSET, event, n == len);
    }
    Ok(())
}
