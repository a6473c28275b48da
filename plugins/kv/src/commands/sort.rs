//! SORT and SORT_RO (`sort.c`).

use std::cmp::Ordering;

use hotshell_plugin_api::collections::Bytes;

use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{READ, WRITE};
use crate::hash;
use crate::list;
use crate::list::End;
use crate::notify;
use crate::number::{self, Digits};
use crate::reply::Reply;
use crate::table::{ONE_KEY, rows, v};
use crate::value::{Kind, Value};
use crate::zset;

rows! { Generic:
    "sort", -2, WRITE, ONE_KEY, v(1, 0), sort,
        "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements.",
        "Sorts the elements in a list, a set, or a sorted set, optionally storing the result.";
    "sort_ro", -2, READ, ONE_KEY, v(7, 0), sort_ro,
        "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements.",
        "Returns the sorted elements of a list, a set, or a sorted set.";
}

/// The options.
#[derive(Default)]
struct Options<'a> {
    descending: bool,
    alpha: bool,
    limit: Option<(i64, i64)>,
    by: Option<&'a [u8]>,
    gets: Vec<&'a [u8]>,
    store: Option<&'a [u8]>,
}

/// An element with what it is sorted by.
struct Item {
    element: Bytes,
    score: f64,
    text: Option<Bytes>,
}

impl<'a> Options<'a> {
    fn read(words: &[&'a [u8]], stores: bool) -> Result<Self, &'static str> {
        let mut all = Self::default();
        let mut rest = words;
        while let Some((&word, more)) = rest.split_first() {
            rest = more;
            match more {
                _ if is(word, "asc") => all.descending = false,
                _ if is(word, "desc") => all.descending = true,
                _ if is(word, "alpha") => all.alpha = true,
                [start, count, more @ ..] if is(word, "limit") => {
                    all.limit = Some((int(start)?, int(count)?));
                    rest = more;
                }
                [key, more @ ..] if is(word, "store") && stores => {
                    all.store = Some(*key);
                    rest = more;
                }
                [pattern, more @ ..] if is(word, "by") => {
                    all.by = Some(*pattern);
                    rest = more;
                }
                [pattern, more @ ..] if is(word, "get") => {
                    all.gets.push(pattern);
                    rest = more;
                }
                _ => return Err(errors::SYNTAX),
            }
        }
        Ok(all)
    }

    /// Whether the elements stay in the order they are in: BY a name that does not vary.
    fn keeps_order(&self) -> bool {
        self.by.is_some_and(|by| !by.contains(&b'*'))
    }

    /// The places that LIMIT leaves.
    fn range(&self, len: usize) -> core::ops::Range<usize> {
        let len = len as i64;
        let (start, count) = self.limit.unwrap_or((0, -1));
        let start = start.clamp(0, len);
        let end = if count < 0 { len } else { start.saturating_add(count).min(len) };
        start as usize..end.max(start) as usize
    }
}

fn sort(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.mark.looks();
    run(cx, args, true)
}

fn sort_ro(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    run(cx, args, false)
}

fn run(cx: &mut Cx<'_>, args: &[&[u8]], stores: bool) -> Outcome {
    if !cx.has(v(7, 0)) {
        // Redis 4 looks at the type before it reads the options.
        sortable(cx, args[1])?;
    }
    let options = Options::read(&args[2..], stores)?;
    let mut items = elements(cx, args[1], &options)?;
    if !options.keeps_order() {
        weigh(cx, &mut items, &options)?;
        items.sort_by(|a, b| {
            let order = compare(a, b, &options);
            if options.descending { order.reverse() } else { order }
        });
    }
    let range = options.range(items.len());
    let mut results: Vec<Option<Bytes>> = Vec::new();
    for item in &items[range] {
        if options.gets.is_empty() {
            results.push(Some(item.element.clone()));
        }
        for pattern in &options.gets {
            results.push(look_up(cx, pattern, &item.element));
        }
    }
    match options.store {
        Some(target) => store(cx, target, results),
        None => {
            cx.out.array(results.len());
            results.iter().for_each(|result| cx.out.bulk_or_null(result.as_deref()));
        }
    }
    Ok(())
}

/// The elements of a list, set or sorted set; where they keep their order, in that one or its reverse.
fn sortable(cx: &mut Cx<'_>, key: &[u8]) -> Outcome {
    match cx.get(key).map(|value| value.kind()) {
        None | Some(Kind::List | Kind::Set | Kind::Zset) => Ok(()),
        Some(_) => Err(errors::WRONG_TYPE),
    }
}

fn elements(cx: &mut Cx<'_>, key: &[u8], options: &Options<'_>) -> Result<Vec<Item>, &'static str> {
    let Some(value) = cx.get_mut(key) else { return Ok(Vec::new()) };
    // As in Redis, whose SORT knows the large form only.
    zset::unpack(value);
    if !matches!(value.kind(), Kind::List | Kind::Set | Kind::Zset) {
        return Err(errors::WRONG_TYPE);
    }
    let mut items = Vec::with_capacity(value.len());
    value.each(|(element, _)| {
        items.push(Item { element: element.to_bytes(), score: 0.0, text: None });
    });
    if options.keeps_order() && options.descending && value.kind() != Kind::Set {
        items.reverse();
    }
    // A set that is stored unsorted would be stored in no order.
    if options.keeps_order() && options.store.is_some() && value.kind() == Kind::Set {
        items.sort_by(|a, b| a.element.cmp(&b.element));
    }
    Ok(items)
}

/// Finds out what each element is sorted by.
fn weigh(cx: &mut Cx<'_>, items: &mut [Item], options: &Options<'_>) -> Outcome {
    for item in items {
        let weight = match options.by {
            Some(pattern) => look_up(cx, pattern, &item.element),
            None => Some(item.element.clone()),
        };
        if options.alpha {
            item.text = weight;
        } else if let Some(weight) = weight {
            let score = number::parse_f64(weight.trim_ascii_start());
            let empty = weight.is_empty().then_some(0.0);
            item.score =
                score.or(empty).ok_or("ERR One or more scores can't be converted into double")?;
        }
    }
    Ok(())
}

/// Equal numbers are told apart by their elements; equal texts stay in the order they are in.
fn compare(a: &Item, b: &Item, options: &Options<'_>) -> Ordering {
    if options.alpha {
        return a.text.cmp(&b.text);
    }
    let order = a.score.partial_cmp(&b.score).unwrap_or(Ordering::Equal);
    order.then_with(|| a.element.cmp(&b.element))
}

/// What a pattern names for an element: `#` the element, `key*` a string, `key*->field` a field.
fn look_up(cx: &mut Cx<'_>, pattern: &[u8], element: &[u8]) -> Option<Bytes> {
    if pattern == b"#" {
        return Some(Bytes::from(element));
    }
    let star = pattern.iter().position(|&b| b == b'*')?;
    let (front, rest) = (&pattern[..star], &pattern[star + 1..]);
    let arrow = rest.windows(2).position(|two| two == b"->").filter(|at| at + 2 < rest.len());
    let (back, field) = match arrow {
        Some(at) => (&rest[..at], Some(&rest[at + 2..])),
        None => (rest, None),
    };
    let key = [front, element, back].concat();
    cx.mark.forget();
    let value = cx.get(&key)?;
    match field {
        Some(field) => hash::get(value, field).map(Bytes::from),
        None => value.text(&mut Digits::new()).map(Bytes::from),
    }
}

/// Puts the results into a list; a missing one becomes an empty element.
fn store(cx: &mut Cx<'_>, target: &[u8], results: Vec<Option<Bytes>>) {
    let mut value = Value::list();
    let count = results.len();
    for result in results {
        list::push(&mut value, End::Tail, &result.unwrap_or_default());
    }
    if count == 0 {
        cx.delete(target);
    } else {
        cx.put(target, value);
        cx.notify(notify::LIST, "sortstore", target);
    }
    cx.out.int(count as i64);
}
