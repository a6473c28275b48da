//! HSCAN, SSCAN, ZSCAN: the elements of one collection from a cursor on.

use super::scan::{Options, cursor};
use crate::cx::{Cx, Outcome};
use crate::flags::READ;
use crate::number::{Decimal, Digits};
use crate::reply::Reply;
use crate::table::{ONE_KEY, Row, v};
use crate::value::Kind;

const COMPLEXITY: &str = "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection.";

/// The rows of this family, which belong to three groups.
pub const ROWS: &[Row] = &[
    row("hscan", crate::table::Group::Hash, hscan, "Iterates over fields and values of a hash."),
    row("sscan", crate::table::Group::Set, sscan, "Iterates over members of a set."),
    row(
        "zscan",
        crate::table::Group::SortedSet,
        zscan,
        "Iterates over members and scores of a sorted set.",
    ),
];

const fn row(
    name: &'static str,
    group: crate::table::Group,
    run: crate::table::Run,
    summary: &'static str,
) -> Row {
    let (flags, since, complexity) = (READ.or(crate::flags::Flags::RANDOM), v(2, 8), COMPLEXITY);
    Row { name, arity: -3, flags, keys: ONE_KEY, group, since, complexity, summary, run, subs: &[] }
}

fn hscan(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    scan(cx, args, Kind::Hash)
}

fn sscan(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    scan(cx, args, Kind::Set)
}

fn zscan(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    scan(cx, args, Kind::Zset)
}

fn scan(cx: &mut Cx<'_>, args: &[&[u8]], kind: Kind) -> Outcome {
    let cursor = cursor(args[2])?;
    let (Some(value), mut out) = cx.find(args[1], kind)? else {
        cx.out.array(2);
        cx.out.bulk(b"0");
        cx.out.array(0);
        return Ok(());
    };
    let options = Options::read(&args[3..], false)?;
    let mut found = Vec::new();
    let mut room = Decimal::new();
    let next = value.scan(cursor, options.count, |(name, second)| {
        if options.wants(name.text(&mut room)) {
            found.push(name.to_bytes());
            found.extend(second.map(|second| second.to_bytes()));
        }
    });
    out.array(2);
    out.bulk(Digits::new().unsigned(next));
    out.array(found.len());
    found.iter().for_each(|element| out.bulk(element));
    Ok(())
}
