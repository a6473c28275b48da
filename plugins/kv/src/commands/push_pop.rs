//! Lists at their ends: LPUSH, RPUSH, LPUSHX, RPUSHX, LPOP, RPOP, LMOVE, RPOPLPUSH.

use hotshell_plugin_api::collections::Bytes;

use crate::cx::{Cx, Outcome, is};
use crate::errors;
use crate::flags::{REMOVE_FAST, WRITE, WRITE_FAST};
use crate::list;
use crate::list::End;
use crate::notify;
use crate::number;
use crate::reply::Reply;
use crate::table::{Keys, ONE_KEY, rows, v};
use crate::value::{Kind, Value};

const TWO_KEYS: Keys = (1, 2, 1);

rows! { List:
    "lpush", -3, WRITE_FAST, ONE_KEY, v(1, 0), lpush,
        "O(1) for each element added, so O(N) to add N elements.",
        "Prepends one or more elements to a list. Creates the key if it doesn't exist.";
    "rpush", -3, WRITE_FAST, ONE_KEY, v(1, 0), rpush,
        "O(1) for each element added, so O(N) to add N elements.",
        "Appends one or more elements to a list. Creates the key if it doesn't exist.";
    "lpushx", -3, WRITE_FAST, ONE_KEY, v(2, 2), lpushx,
        "O(1) for each element added, so O(N) to add N elements.",
        "Prepends one or more elements to a list only when the list exists.";
    "rpushx", -3, WRITE_FAST, ONE_KEY, v(2, 2), rpushx,
        "O(1) for each element added, so O(N) to add N elements.",
        "Appends an element to a list only when the list exists.";
    "lpop", 2, REMOVE_FAST, ONE_KEY, v(1, 0), lpop,
        "O(1)", "Returns the first element of a list after removing it.";
    "rpop", 2, REMOVE_FAST, ONE_KEY, v(1, 0), rpop,
        "O(1)", "Returns the last element of a list after removing it.";
    "lpop", -2, REMOVE_FAST, ONE_KEY, v(6, 2), lpop,
        "O(N) where N is the number of elements returned",
        "Returns the first elements in a list after removing it. Deletes the list if the last element was popped.";
    "rpop", -2, REMOVE_FAST, ONE_KEY, v(6, 2), rpop,
        "O(N) where N is the number of elements returned",
        "Returns and removes the last elements of a list. Deletes the list if the last element was popped.";
    "rpoplpush", 3, WRITE, TWO_KEYS, v(1, 2), rpoplpush,
        "O(1)",
        "Returns the last element of a list after removing and pushing it to another list.";
    "lmove", 5, WRITE, TWO_KEYS, v(6, 2), lmove,
        "O(1)",
        "Returns an element after popping it from one list and pushing it to another.";
}

fn lpush(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    push(cx, args, End::Head, false)
}

fn rpush(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    push(cx, args, End::Tail, false)
}

fn lpushx(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    push(cx, args, End::Head, true)
}

fn rpushx(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    push(cx, args, End::Tail, true)
}

fn push(cx: &mut Cx<'_>, args: &[&[u8]], end: End, only_old: bool) -> Outcome {
    let key = args[1];
    let len = match cx.list(key)? {
        Some(list) => {
            args[2..].iter().for_each(|element| list::push(list, end, element));
            let len = list.len();
            cx.event(key, notify::LIST, pushed(end));
            len
        }
        None if only_old => 0,
        None => {
            let mut value = Value::list();
            args[2..].iter().for_each(|element| list::push(&mut value, end, element));
            cx.put(key, value);
            cx.notify(notify::LIST, pushed(end), key);
            args.len() - 2
        }
    };
    cx.out.int(len as i64);
    Ok(())
}

fn lpop(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    pop(cx, args, End::Head, "lpop")
}

fn rpop(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    pop(cx, args, End::Tail, "rpop")
}

fn pop(cx: &mut Cx<'_>, args: &[&[u8]], end: End, name: &str) -> Outcome {
    let key = args[1];
    let count = match args.len() {
        2 => None,
        3 => {
            let count = number::parse_i64(args[2]).filter(|&n| n >= 0);
            Some(count.ok_or(errors::NOT_POSITIVE)?)
        }
        _ => return cx.arity(name),
    };
    let (list, mut out) = cx.find_mut_and_out(key, Kind::List)?;
    let Some(list) = list else {
        match count {
            None => out.null(),
            Some(_) => out.null_array(),
        }
        return Ok(());
    };
    if count == Some(0) {
        out.array(0);
        return Ok(());
    }
    let n = count.map_or(1, |n| list.len().min(n as usize));
    if count.is_some() {
        out.array(n);
    }
    for _ in 0..n {
        list::pop_shown(list, end, |element| element.reply(&mut out));
    }
    let empty = list.is_empty();
    cx.taken_from(key, notify::LIST, popped(end), empty);
    Ok(())
}

/// What a push at this end is called in notifications.
pub(super) fn pushed(end: End) -> &'static str {
    if end == End::Head { "lpush" } else { "rpush" }
}

/// What a pop at this end is called in notifications.
pub(super) fn popped(end: End) -> &'static str {
    if end == End::Head { "lpop" } else { "rpop" }
}

/// Takes one element off a list, which goes away with its last one.
pub(super) fn take(cx: &mut Cx<'_>, key: &[u8], end: End) -> Result<Option<Bytes>, &'static str> {
    let Some(list) = cx.list(key)? else { return Ok(None) };
    let element = list::pop(list, end);
    cx.changed(key, notify::LIST, popped(end));
    Ok(element)
}

fn rpoplpush(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    relay(cx, args[1], args[2], End::Tail, End::Head)
}

fn lmove(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (from, to) = (end(args[3])?, end(args[4])?);
    relay(cx, args[1], args[2], from, to)
}

pub(super) fn end(word: &[u8]) -> Result<End, &'static str> {
    match word {
        _ if is(word, "left") => Ok(End::Head),
        _ if is(word, "right") => Ok(End::Tail),
        _ => Err(errors::SYNTAX),
    }
}

/// Moves an element from one list to another, or to the other end of the same one.
pub(super) fn relay(cx: &mut Cx<'_>, source: &[u8], target: &[u8], from: End, to: End) -> Outcome {
    if cx.list(source)?.is_none() {
        cx.out.null();
        return Ok(());
    }
    // Refused before anything moves.
    cx.list(target)?;
    let popped_one = cx.list(source)?.and_then(|list| list::pop(list, from));
    let Some(element) = popped_one else { return Ok(()) };
    cx.out.bulk(&element);
    match cx.list(target)? {
        Some(list) => {
            list::push(list, to, &element);
            cx.event(target, notify::LIST, pushed(to));
        }
        None => {
            let mut value = Value::list();
            list::push(&mut value, to, &element);
            cx.put(target, value);
            cx.notify(notify::LIST, pushed(to), target);
        }
    }
    cx.changed(source, notify::LIST, popped(from));
    Ok(())
}
