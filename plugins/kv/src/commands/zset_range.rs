//! Sorted sets by range: ZRANGE and its older forms, ZRANGESTORE, ZCOUNT, ZLEXCOUNT, ZREMRANGEBY*.

use core::ops::Range;

use crate::cx::{Cx, Outcome, int, is};
use crate::element::Element;
use crate::errors;
use crate::flags::{Flags, READ, READ_FAST, WRITE};
use crate::notify;
use crate::reply::Reply;
use crate::table::{Keys, ONE_KEY, rows, v};
use crate::value::{Kind, Value};
use crate::zset;
use crate::zset_range::Span;

const TWO_KEYS: Keys = (1, 2, 1);

rows! { SortedSet:
    "zrange", -4, READ, ONE_KEY, v(1, 2), zrange,
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        "Returns members in a sorted set within a range of indexes.";
    "zrevrange", -4, READ, ONE_KEY, v(1, 2), zrevrange,
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        "Returns members in a sorted set within a range of indexes in reverse order.";
    "zrangebyscore", -4, READ, ONE_KEY, v(1, 0), zrangebyscore,
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned.",
        "Returns members in a sorted set within a range of scores.";
    "zrevrangebyscore", -4, READ, ONE_KEY, v(2, 2), zrevrangebyscore,
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned.",
        "Returns members in a sorted set within a range of scores in reverse order.";
    "zrangebylex", -4, READ, ONE_KEY, v(2, 8), zrangebylex,
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned.",
        "Returns members in a sorted set within a lexicographical range.";
    "zrevrangebylex", -4, READ, ONE_KEY, v(2, 8), zrevrangebylex,
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned.",
        "Returns members in a sorted set within a lexicographical range in reverse order.";
    "zrangestore", -5, WRITE, TWO_KEYS, v(6, 2), zrangestore,
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
        "Stores a range of members from sorted set in a key.";
    "zcount", 4, READ_FAST, ONE_KEY, v(2, 0), zcount,
        "O(log(N)) with N being the number of elements in the sorted set.",
        "Returns the count of members in a sorted set that have scores within a range.";
    "zlexcount", 4, READ_FAST, ONE_KEY, v(2, 8), zlexcount,
        "O(log(N)) with N being the number of elements in the sorted set.",
        "Returns the number of members in a sorted set within a lexicographical range.";
    "zremrangebyrank", 4, Flags::WRITE, ONE_KEY, v(2, 0), zremrangebyrank,
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        "Removes members in a sorted set within a range of indexes. Deletes the sorted set if all members were removed.";
    "zremrangebyscore", 4, Flags::WRITE, ONE_KEY, v(1, 2), zremrangebyscore,
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        "Removes members in a sorted set within a range of scores. Deletes the sorted set if all members were removed.";
    "zremrangebylex", 4, Flags::WRITE, ONE_KEY, v(2, 8), zremrangebylex,
        "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        "Removes members in a sorted set within a lexicographical range. Deletes the sorted set if all members were removed.";
}

/// How the ends of a range are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

impl By {
    fn span<'a>(self, min: &'a [u8], max: &'a [u8]) -> Result<Span<'a>, &'static str> {
        match self {
            Self::Rank => Ok(Span::Ranks(int(min)?, int(max)?)),
            Self::Score => Span::scores(min, max),
            Self::Lex => Span::lex(min, max),
        }
    }
}

/// What a request fixes by its name, and what its options say.
#[derive(Debug, Clone, Copy)]
struct Order {
    by: Option<By>,
    reverse: Option<bool>,
    stores: bool,
    scores: bool,
    offset: i64,
    limit: i64,
}

impl Order {
    const ANY: Self =
        Self { by: None, reverse: None, stores: false, scores: false, offset: 0, limit: -1 };

    const fn fixed(by: By, reverse: bool) -> Self {
        Self { by: Some(by), reverse: Some(reverse), ..Self::ANY }
    }

    fn read(mut self, options: &[&[u8]]) -> Result<Self, &'static str> {
        let mut rest = options;
        while let Some((&word, more)) = rest.split_first() {
            rest = more;
            match more {
                _ if !self.stores && is(word, "withscores") => self.scores = true,
                [offset, limit, more @ ..] if is(word, "limit") => {
                    (self.offset, self.limit) = (int(offset)?, int(limit)?);
                    rest = more;
                }
                _ if self.reverse.is_none() && is(word, "rev") => self.reverse = Some(true),
                _ if self.by.is_none() && is(word, "bylex") => self.by = Some(By::Lex),
                _ if self.by.is_none() && is(word, "byscore") => self.by = Some(By::Score),
                _ => return Err(errors::SYNTAX),
            }
        }
        match self.by {
            None | Some(By::Rank) if self.limit != -1 => Err(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ),
            Some(By::Lex) if self.scores => {
                Err("ERR syntax error, WITHSCORES not supported in combination with BYLEX")
            }
            _ => Ok(self),
        }
    }

    /// What LIMIT leaves of ranks.
    fn limited(&self, ranks: Range<usize>) -> Range<usize> {
        let len = ranks.len();
        let skip = usize::try_from(self.offset).unwrap_or(len).min(len);
        let take = usize::try_from(self.limit).unwrap_or(len).min(len - skip);
        if self.reverse == Some(true) {
            ranks.end - skip - take..ranks.end - skip
        } else {
            ranks.start + skip..ranks.start + skip + take
        }
    }
}

fn zrange(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let order = if cx.has(v(6, 2)) { Order::ANY } else { Order::fixed(By::Rank, false) };
    range(cx, args, order)
}

fn zrevrange(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    range(cx, args, Order::fixed(By::Rank, true))
}

fn zrangebyscore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    range(cx, args, Order::fixed(By::Score, false))
}

fn zrevrangebyscore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    range(cx, args, Order::fixed(By::Score, true))
}

fn zrangebylex(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    range(cx, args, Order::fixed(By::Lex, false))
}

fn zrevrangebylex(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    range(cx, args, Order::fixed(By::Lex, true))
}

/// Reads `key min max option..`: the order, and what is meant.
fn parse<'a>(args: &[&'a [u8]], order: Order) -> Result<(Order, Span<'a>), &'static str> {
    let order = order.read(&args[3..])?;
    Ok((order, span(args, order)?))
}

/// The same as Redis 4 reads it: the range first, and each command has options of its own.
fn parse_old<'a>(args: &[&'a [u8]], order: Order) -> Result<(Order, Span<'a>), &'static str> {
    let (span, options) = (span(args, order)?, &args[3..]);
    match order.by {
        Some(By::Rank) if options.len() > 1 => Err(errors::SYNTAX),
        // No scores, as where a result is stored.
        Some(By::Lex) => Ok((Order { stores: true, ..order }.read(options)?, span)),
        _ => Ok((order.read(options)?, span)),
    }
}

fn span<'a>(args: &[&'a [u8]], order: Order) -> Result<Span<'a>, &'static str> {
    let (by, reverse) = (order.by.unwrap_or(By::Rank), order.reverse == Some(true));
    let (min, max) =
        if reverse && by != By::Rank { (args[2], args[1]) } else { (args[1], args[2]) };
    by.span(min, max)
}

fn range(cx: &mut Cx<'_>, args: &[&[u8]], order: Order) -> Outcome {
    let parse = if cx.has(v(6, 2)) { parse } else { parse_old };
    let (order, span) = parse(&args[1..], order)?;
    let reverse = order.reverse == Some(true);
    let (value, mut out) = cx.find(args[1], Kind::Zset)?;
    let Some(value) = value else {
        out.array(0);
        return Ok(());
    };
    let ranks = order.limited(span.ranks(value, reverse));
    if order.scores {
        out.pairs(ranks.len())
    } else {
        out.array(ranks.len())
    }
    zset::each(value, ranks, reverse, |member, score| {
        if order.scores {
            out.pair();
        }
        out.bulk(member);
        if order.scores {
            Element::Score(score).reply(&mut out);
        }
    });
    Ok(())
}

fn zrangestore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    let (order, span) = parse(&args[2..], Order { stores: true, ..Order::ANY })?;
    let reverse = order.reverse == Some(true);
    let limits = cx.state.settings.limits;
    let mut made = Value::zset();
    if let (Some(value), _) = cx.find(args[2], Kind::Zset)? {
        let ranks = order.limited(span.ranks(value, reverse));
        zset::each(value, ranks, false, |member, score| {
            zset::put(&mut made, member, score, limits)
        });
    }
    let len = cx.store(args[1], made, notify::ZSET, "zrangestore");
    cx.out.int(len as i64);
    Ok(())
}

fn zcount(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    count(cx, args, By::Score)
}

fn zlexcount(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    count(cx, args, By::Lex)
}

fn count(cx: &mut Cx<'_>, args: &[&[u8]], by: By) -> Outcome {
    let span = by.span(args[2], args[3])?;
    let (value, mut out) = cx.find(args[1], Kind::Zset)?;
    out.int(value.map_or(0, |value| span.ranks(value, false).len()) as i64);
    Ok(())
}

fn zremrangebyrank(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    remove(cx, args, By::Rank, "zremrangebyrank")
}

fn zremrangebyscore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    remove(cx, args, By::Score, "zremrangebyscore")
}

fn zremrangebylex(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    remove(cx, args, By::Lex, "zremrangebylex")
}

fn remove(cx: &mut Cx<'_>, args: &[&[u8]], by: By, name: &str) -> Outcome {
    let span = by.span(args[2], args[3])?;
    let mut removed = 0;
    if let Some(value) = cx.find_mut(args[1], Kind::Zset)? {
        let ranks = span.ranks(value, false);
        removed = ranks.len();
        zset::remove_ranks(value, ranks);
    }
    if removed > 0 {
        cx.changed(args[1], notify::ZSET, name);
    }
    cx.out.int(removed as i64);
    Ok(())
}
