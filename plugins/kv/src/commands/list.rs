//! Lists by index: LLEN, LRANGE, LINDEX, LSET, LTRIM.

use crate::cx::{Cx, Outcome, index_range, int};
use crate::errors;
use crate::flags::{Flags, READ, READ_FAST, WRITE};
use crate::list;
use crate::notify;
use crate::reply::Reply;
use crate::table::{ONE_KEY, rows, v};
use crate::value::Kind;

rows! { List:
    "llen", 2, READ_FAST, ONE_KEY, v(1, 0), llen,
        "O(1)", "Returns the length of a list.";
    "lrange", 4, READ, ONE_KEY, v(1, 0), lrange,
        "O(S+N) where S is the distance of start offset from HEAD for small lists, from nearest end for large ones, and N is the number of elements in the range.",
        "Returns a range of elements from a list.";
    "lindex", 3, READ, ONE_KEY, v(1, 0), lindex,
        "O(N) where N is the number of elements to traverse to get to the element at index.",
        "Returns an element from a list by its index.";
    "lset", 4, WRITE, ONE_KEY, v(1, 0), lset,
        "O(N) where N is the length of the list.",
        "Sets the value of an element in a list by its index.";
    "ltrim", 4, Flags::WRITE, ONE_KEY, v(1, 0), ltrim,
        "O(N) where N is the number of elements to be removed by the operation.",
        "Removes elements from both ends a list. Deletes the list if all elements were trimmed.";
}

fn llen(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let len = cx.list(args[1])?.map_or(0, |list| list.len());
    cx.out.int(len as i64);
    Ok(())
}

fn lrange(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (start, end) = (int(args[2])?, int(args[3])?);
    let (list, mut out) = cx.find(args[1], Kind::List)?;
    let Some(list) = list else {
        out.array(0);
        return Ok(());
    };
    let range = index_range(list.len(), start, end);
    out.array(range.len());
    list::each(list, range, |element| element.reply(&mut out));
    Ok(())
}

/// The place that an index means, from the end when negative; `None` outside the list.
fn index(len: usize, n: i64) -> Option<usize> {
    let n = if n < 0 { n.checked_add(len as i64)? } else { n };
    usize::try_from(n).ok().filter(|&n| n < len)
}

fn lindex(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (list, mut out) = cx.find(args[1], Kind::List)?;
    let Some(list) = list else {
        out.null();
        return Ok(());
    };
    let at = index(list.len(), int(args[2])?);
    match at.and_then(|at| list::get(list, at)) {
        Some(element) => element.reply(&mut out),
        None => out.null(),
    }
    Ok(())
}

fn lset(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let list = cx.list(args[1])?.ok_or(errors::NO_SUCH_KEY)?;
    let at = index(list.len(), int(args[2])?).ok_or(errors::INDEX)?;
    list::set(list, at, args[3]);
    cx.event(args[1], notify::LIST, "lset");
    cx.out.ok();
    Ok(())
}

fn ltrim(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (start, end) = (int(args[2])?, int(args[3])?);
    if let Some(list) = cx.list(args[1])? {
        let range = index_range(list.len(), start, end);
        list::keep(list, range);
        cx.changed(args[1], notify::LIST, "ltrim");
    }
    cx.out.ok();
    Ok(())
}
