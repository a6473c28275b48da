//! Sorted sets of sets: ZUNION, ZINTER, ZDIFF, each with STORE, and ZINTERCARD.

use super::set_algebra::limit;
use crate::cx::{Cx, Outcome, int, is};
use crate::element::Element;
use crate::errors;
use crate::flags::{READ, WRITE};
use crate::members::Entry;
use crate::notify;
use crate::number::{self, Decimal};
use crate::reply::Reply;
use crate::set;
use crate::table::{NO_KEYS, ONE_KEY, rows, v};
use crate::value::{Kind, Value};
use crate::zset;

rows! { SortedSet:
    "zunionstore", -4, WRITE, ONE_KEY, v(2, 0), zunionstore,
        "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
        "Stores the union of multiple sorted sets in a key.";
    "zinterstore", -4, WRITE, ONE_KEY, v(2, 0), zinterstore,
        "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
        "Stores the intersect of multiple sorted sets in a key.";
    "zdiffstore", -4, WRITE, ONE_KEY, v(6, 2), zdiffstore,
        "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
        "Stores the difference of multiple sorted sets in a key.";
    "zunion", -3, READ, NO_KEYS, v(6, 2), zunion,
        "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
        "Returns the union of multiple sorted sets.";
    "zinter", -3, READ, NO_KEYS, v(6, 2), zinter,
        "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
        "Returns the intersect of multiple sorted sets.";
    "zdiff", -3, READ, NO_KEYS, v(6, 2), zdiff,
        "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
        "Returns the difference between multiple sorted sets.";
    "zintercard", -3, READ, NO_KEYS, v(7, 0), zintercard,
        "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
        "Returns the number of members of the intersect of multiple sorted sets.";
}

/// What is made of the sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Make {
    Union,
    Inter,
    Diff,
}

/// How scores of one member become one.
#[derive(Debug, Clone, Copy)]
enum Aggregate {
    Sum,
    Min,
    Max,
}

impl Aggregate {
    fn join(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Sum => or_zero(a + b),
            Self::Min => a.min(b),
            Self::Max => a.max(b),
        }
    }
}

/// A score, or 0 for what is no number: infinity less infinity.
fn or_zero(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// A read request.
struct Request<'a> {
    keys: &'a [&'a [u8]],
    weights: Vec<f64>,
    aggregate: Aggregate,
    scores: bool,
}

fn zunionstore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    store(cx, args, Make::Union, "zunionstore")
}

fn zinterstore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    store(cx, args, Make::Inter, "zinterstore")
}

fn zdiffstore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    store(cx, args, Make::Diff, "zdiffstore")
}

fn zunion(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply(cx, args, Make::Union, "zunion")
}

fn zinter(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply(cx, args, Make::Inter, "zinter")
}

fn zdiff(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    reply(cx, args, Make::Diff, "zdiff")
}

fn store(cx: &mut Cx<'_>, args: &[&[u8]], make: Make, name: &str) -> Outcome {
    if cx.has(v(7, 0)) {
        cx.mark.looks();
    }
    let Some((keys, options)) = keys(cx, &args[2..], name)? else { return Ok(()) };
    let request = read(keys, options, make, true)?;
    let made = make_one(cx, &request, make);
    let len = cx.store(args[1], made, notify::ZSET, name);
    cx.out.int(len as i64);
    Ok(())
}

fn reply(cx: &mut Cx<'_>, args: &[&[u8]], make: Make, name: &str) -> Outcome {
    let Some((keys, options)) = keys(cx, &args[1..], name)? else { return Ok(()) };
    let request = read(keys, options, make, false)?;
    let made = make_one(cx, &request, make);
    if request.scores {
        cx.out.pairs(made.len())
    } else {
        cx.out.array(made.len())
    }
    let out = &mut cx.out;
    zset::each(&made, 0..made.len(), false, |member, score| {
        if request.scores {
            out.pair();
        }
        out.bulk(member);
        if request.scores {
            Element::Score(score).reply(out);
        }
    });
    Ok(())
}

fn zintercard(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let Some((keys, options)) = keys(cx, &args[1..], "zintercard")? else { return Ok(()) };
    let limit = limit(options)?;
    let request = read(keys, &[], Make::Inter, true)?;
    let made = make_one(cx, &request, Make::Inter);
    cx.out.int(made.len().min(limit) as i64);
    Ok(())
}

type Split<'a> = (&'a [&'a [u8]], &'a [&'a [u8]]);

/// Reads `numkeys key..`, and checks the types; what is behind them are options. `None` when the error
/// is written already.
fn keys<'a>(
    cx: &mut Cx<'_>,
    args: &'a [&'a [u8]],
    name: &str,
) -> Result<Option<Split<'a>>, &'static str> {
    let count = int(args[0])?;
    if count < 1 {
        let text = if cx.has(v(6, 2)) {
            format!("ERR at least 1 input key is needed for '{name}' command")
        } else {
            "ERR at least 1 input key is needed for ZUNIONSTORE/ZINTERSTORE".to_owned()
        };
        cx.error(&text)?;
        return Ok(None);
    }
    let split = args[1..].split_at_checked(count as usize).ok_or(errors::SYNTAX)?;
    for key in split.0 {
        if !matches!(cx.get(key).map(Value::kind), None | Some(Kind::Zset | Kind::Set)) {
            return Err(errors::WRONG_TYPE);
        }
    }
    Ok(Some(split))
}

fn read<'a>(
    keys: &'a [&'a [u8]],
    options: &[&[u8]],
    make: Make,
    stores: bool,
) -> Result<Request<'a>, &'static str> {
    let weights = vec![1.0; keys.len()];
    let mut request = Request { keys, weights, aggregate: Aggregate::Sum, scores: false };
    let mut rest = options;
    while let Some((&word, more)) = rest.split_first() {
        rest = more;
        if make != Make::Diff && more.len() >= keys.len() && is(word, "weights") {
            for (weight, text) in request.weights.iter_mut().zip(more) {
                *weight = number::parse_score(text).ok_or("ERR weight value is not a float")?;
            }
            rest = &more[keys.len()..];
        } else if make != Make::Diff && !more.is_empty() && is(word, "aggregate") {
            request.aggregate = match more[0] {
                word if is(word, "sum") => Aggregate::Sum,
                word if is(word, "min") => Aggregate::Min,
                word if is(word, "max") => Aggregate::Max,
                _ => return Err(errors::SYNTAX),
            };
            rest = &more[1..];
        } else if !stores && is(word, "withscores") {
            request.scores = true;
        } else {
            return Err(errors::SYNTAX);
        }
    }
    Ok(request)
}

/// The score of a member of a sorted set or set; in a set all are 1.
fn score(value: &Value, member: &[u8]) -> Option<f64> {
    match value.kind() {
        Kind::Set => set::contains(value, member).then_some(1.0),
        _ => zset::score(value, member),
    }
}

fn scored((_, second): &Entry<'_>) -> f64 {
    if let Some(Element::Score(score)) = second { *score } else { 1.0 }
}

fn make_one(cx: &mut Cx<'_>, request: &Request<'_>, make: Make) -> Value {
    let limits = cx.state.settings.limits;
    let space = &cx.state.dbs[cx.session.db as usize].keys;
    let values = request.keys.iter().map(|&key| space.get(key));
    let mut sets: Vec<_> = values.zip(request.weights.iter().copied()).collect();
    if make != Make::Diff {
        sets.sort_by_key(|(value, _)| value.map_or(0, Value::len));
    }
    let mut made = Value::zset();
    let mut room = Decimal::new();
    match make {
        Make::Union => {
            // By hash first: an ordered form would be sorted anew with each set.
            let mut sums = std::collections::HashMap::<Vec<u8>, f64>::new();
            for (value, weight) in &sets {
                value.iter().for_each(|value| {
                    value.each(|entry| {
                        let score = or_zero(weight * scored(&entry));
                        let member = entry.0.text(&mut room);
                        match sums.get_mut(member) {
                            Some(sum) => *sum = request.aggregate.join(*sum, score),
                            None => drop(sums.insert(member.to_vec(), score)),
                        }
                    });
                });
            }
            sums.iter().for_each(|(member, score)| zset::put(&mut made, member, *score, limits));
        }
        Make::Inter => {
            let ((Some(first), weight), others) = (sets[0], &sets[1..]) else { return made };
            first.each(|entry| {
                let mut sum = or_zero(weight * scored(&entry));
                let member = entry.0.text(&mut room);
                for (other, weight) in others {
                    let Some(score) = other.and_then(|other| score(other, member)) else { return };
                    sum = request.aggregate.join(sum, or_zero(weight * score));
                }
                zset::put(&mut made, member, sum, limits);
            });
        }
        Make::Diff => {
            let ((Some(first), _), others) = (sets[0], &sets[1..]) else { return made };
            first.each(|entry| {
                let member = entry.0.text(&mut room);
                if !others
                    .iter()
                    .any(|(other, _)| other.is_some_and(|o| score(o, member).is_some()))
                {
                    zset::put(&mut made, member, scored(&entry), limits);
                }
            });
        }
    }
    made
}
