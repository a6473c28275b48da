//! Lists by value: LINSERT, LREM, LPOS.

use crate::chunk;
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{Flags, READ, WRITE};
use crate::list;
use crate::list::End;
use crate::notify;
use crate::number;
use crate::reply::Reply;
use crate::table::{ONE_KEY, rows, v};
use crate::value::Kind;

rows! { List:
    "linsert", 5, WRITE, ONE_KEY, v(2, 2), linsert,
        "O(N) where N is the number of elements to traverse before seeing the value pivot.",
        "Inserts an element before or after another element in a list.";
    "lrem", 4, Flags::WRITE, ONE_KEY, v(1, 0), lrem,
        "O(N+M) where N is the length of the list and M is the number of elements removed.",
        "Removes elements from a list. Deletes the list if the last element was removed.";
    "lpos", -3, READ, ONE_KEY, v(6, 0), lpos,
        "O(N) where N is the number of elements in the list, for the average case.",
        "Returns the index of matching elements in a list.";
}

fn linsert(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let behind = match args[2] {
        word if is(word, "after") => 1,
        word if is(word, "before") => 0,
        _ => return Err(errors::SYNTAX),
    };
    let mut len = 0;
    if let Some(list) = cx.list(args[1])? {
        let pivot = chunk::item(args[3]);
        let at = list::iter(list).position(|other| other == pivot);
        len = -1;
        if let Some(at) = at {
            list::insert(list, at + behind, args[4]);
            len = list.len() as i64;
            cx.event(args[1], notify::LIST, "linsert");
        }
    }
    cx.out.int(len);
    Ok(())
}

fn lrem(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let count = int(args[2])?;
    let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let mut removed = 0;
    if let Some(list) = cx.list(args[1])? {
        let from = if count < 0 { End::Tail } else { End::Head };
        removed = list::remove_equal(list, args[3], most, from);
    }
    if removed > 0 {
        cx.changed(args[1], notify::LIST, "lrem");
    }
    cx.out.int(removed as i64);
    Ok(())
}

fn lpos(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (mut rank, mut count, mut most) = (1, None, 0);
    let (options, rest) = args[3..].as_chunks::<2>();
    let natural = |text: &[u8], error| {
        number::parse_i64(text).and_then(|n| usize::try_from(n).ok()).ok_or(error)
    };
    for [word, text] in options {
        if is(word, "rank") {
            rank = int(text)?;
            if rank == 0 {
                return Err(
                    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second \
                     ... or use negative to start from the end of the list",
                );
            }
        } else if is(word, "count") {
            count = Some(natural(text, "ERR COUNT can't be negative")?);
        } else if is(word, "maxlen") {
            most = natural(text, "ERR MAXLEN can't be negative")?;
        } else {
            return Err(errors::SYNTAX);
        }
    }
    if !rest.is_empty() {
        return Err(errors::SYNTAX);
    }
    let (value, mut out) = cx.find(args[1], Kind::List)?;
    let mut found = Vec::new();
    if let Some(list) = value {
        let len = list.len();
        let looked_at = if most == 0 { len } else { most.min(len) };
        let wanted = match count {
            None => 1,
            Some(0) => usize::MAX,
            Some(n) => n,
        };
        let element = chunk::item(args[2]);
        // What has no negative is no place to begin from, as in Redis.
        let skip = rank.checked_abs().map_or(0, |rank| rank as usize - 1);
        let all: &mut dyn Iterator<Item = _> =
            if rank > 0 { &mut list::iter(list) } else { &mut list::iter(list).rev() };
        let places = all.take(looked_at).enumerate().filter(|(_, other)| *other == element);
        let places = places.map(|(at, _)| if rank > 0 { at } else { len - 1 - at });
        found.extend(places.skip(skip).take(wanted));
    }
    match (count, found.first()) {
        (None, Some(&at)) => out.int(at as i64),
        (None, None) => out.null(),
        _ => {
            out.array(found.len());
            found.iter().for_each(|&at| out.int(at as i64));
        }
    }
    Ok(())
}
