//! COMMAND: the table, as clients read it.

use crate::cx::{Cx, Outcome, is};
use crate::dispatch;
use crate::errors;
use crate::flags::Flags;
use crate::glob;
use crate::key_places;
use crate::reply::Reply;
use crate::table::{Group, Level, NO_KEYS, Row, Sub, rows, subs, v};

rows! { Server:
    "command", -1, Flags::LOADING.or(Flags::STALE).or(Flags::RANDOM), NO_KEYS, v(2, 8), command,
        "O(N) where N is the total number of Redis commands",
        "Returns detailed information about all commands.", SUBS;
}

subs! {
    "count", 2, v(2, 8), count;
    "docs", -2, v(7, 0), docs;
    "getkeys", -4, v(2, 8), getkeys;
    "getkeysandflags", -4, v(7, 0), getkeysandflags;
    "help", 2, v(5, 0), dispatch::help;
    "info", -2, v(2, 8), info;
    "list", -2, v(7, 0), list;
}

fn command(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let rows: Vec<&Row> = cx.table.rows().collect();
    cx.out.array(rows.len());
    rows.iter().for_each(|row| describe(cx, row));
    Ok(())
}

fn count(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.out.int(cx.table.len() as i64);
    Ok(())
}

/// The names of all commands and subcommands, or of those that a filter leaves.
fn list(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let wanted: &dyn Fn(&Row, &str) -> bool = match args[2..] {
        [] => &|_, _| true,
        [word, by, text] if is(word, "filterby") => match () {
            () if is(by, "module") => &|_, _| false,
            () if is(by, "aclcat") => &move |row, _| {
                CATEGORIES.iter().any(|name| is(text, name) && in_category(row, name))
            },
            () if is(by, "pattern") => &move |_, name| glob::matches(text, name.as_bytes(), true),
            () => return Err(errors::SYNTAX),
        },
        _ => return Err(errors::SYNTAX),
    };
    let mut names = Vec::new();
    for row in cx.table.rows() {
        let subs = row.subs.iter().filter(|sub| sub.since <= cx.table.redis);
        let subs = subs.map(|sub| format!("{}|{}", row.name, sub.name));
        let all = core::iter::once(row.name.to_owned()).chain(subs);
        names.extend(all.filter(|name| wanted(row, name)));
    }
    cx.out.set(names.len());
    names.iter().for_each(|name| cx.out.bulk(name.as_bytes()));
    Ok(())
}

/// A command, or one of its subcommands as `config|get`.
fn find(cx: &Cx<'_>, name: &[u8]) -> Option<(&'static Row, Option<&'static Sub>)> {
    match name.iter().position(|&b| b == b'|') {
        None => cx.table.find(name).map(|row| (row, None)),
        Some(at) => {
            let row = cx.table.find(&name[..at])?;
            row.sub(&name[at + 1..], cx.table.redis).map(|sub| (row, Some(sub)))
        }
    }
}

fn info(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let names = &args[2..];
    if names.is_empty() {
        return command(cx, args);
    }
    cx.out.array(names.len());
    for name in names {
        match find(cx, name) {
            Some((row, None)) => describe(cx, row),
            Some((row, Some(sub))) => describe_sub(cx, row, sub),
            None => cx.out.null(),
        }
    }
    Ok(())
}

/// One command as COMMAND shows it: six elements, with Redis 7 ten.
fn describe(cx: &mut Cx<'_>, row: &Row) {
    describe_as(cx, row, row.name, row.arity);
    if cx.has(v(7, 0)) {
        let level = cx.table.redis;
        let subs: Vec<&Sub> = row.subs.iter().filter(|sub| sub.since <= level).collect();
        cx.out.set(subs.len());
        subs.iter().for_each(|sub| describe_sub(cx, row, sub));
    }
}

fn describe_sub(cx: &mut Cx<'_>, row: &Row, sub: &Sub) {
    describe_as(cx, row, &format!("{}|{}", row.name, sub.name), sub.arity);
    cx.out.set(0);
}

/// All elements but the last of Redis 7, the subcommands.
fn describe_as(cx: &mut Cx<'_>, row: &Row, name: &str, arity: i16) {
    let long = cx.has(v(7, 0));
    let (first, last, step) = row.keys;
    cx.out.array(if long { 10 } else { 6 });
    cx.out.bulk(name.as_bytes());
    cx.out.int(i64::from(arity));
    let mut flags: Vec<&str> = row.flags.names().collect();
    flags.extend(key_places::are_movable(row).then_some("movablekeys"));
    cx.out.set(flags.len());
    flags.iter().for_each(|flag| cx.out.simple(flag));
    cx.out.int(i64::from(first));
    cx.out.int(i64::from(last));
    cx.out.int(i64::from(step));
    if long {
        let categories = categories(row);
        cx.out.set(categories.len());
        categories.iter().for_each(|category| cx.out.simple(category));
        cx.out.array(0);
        describe_keys(cx, row);
    }
}

/// Where the keys are that the row's triple names.
fn describe_keys(cx: &mut Cx<'_>, row: &Row) {
    let (first, last, step) = row.keys;
    if first == 0 {
        return cx.out.array(0);
    }
    let last = if last < 0 { last } else { last - first };
    let uses = key_places::uses(row, 0);
    cx.out.array(1);
    cx.out.map(3);
    cx.out.bulk(b"flags");
    cx.out.set(uses.len());
    uses.iter().for_each(|flag| cx.out.simple(flag));
    let range = [("lastkey", last), ("keystep", step), ("limit", 0)];
    for (name, kind, places) in
        [("begin_search", "index", &[("index", first)][..]), ("find_keys", "range", &range[..])]
    {
        cx.out.bulk(name.as_bytes());
        cx.out.map(2);
        cx.out.bulk(b"type");
        cx.out.bulk(kind.as_bytes());
        cx.out.bulk(b"spec");
        cx.out.map(places.len());
        for &(place, n) in places {
            cx.out.bulk(place.as_bytes());
            cx.out.int(i64::from(n));
        }
    }
}

/// Redis' categories of commands, in its order.
pub(super) const CATEGORIES: [&str; 21] = [
    "keyspace",
    "read",
    "write",
    "set",
    "sortedset",
    "list",
    "hash",
    "string",
    "bitmap",
    "hyperloglog",
    "geo",
    "stream",
    "pubsub",
    "admin",
    "fast",
    "slow",
    "blocking",
    "dangerous",
    "connection",
    "transaction",
    "scripting",
];

/// Whether a command is in one of the [`CATEGORIES`].
pub(super) fn in_category(row: &Row, category: &str) -> bool {
    categories(row).iter().any(|name| &name[1..] == category)
}

/// Commands that can do harm, beside those for admins.
const DANGEROUS: [&str; 9] =
    ["flushall", "flushdb", "info", "keys", "restore", "role", "sort", "sort_ro", "swapdb"];

fn categories(row: &Row) -> Vec<&'static str> {
    let mut categories = Vec::new();
    categories.extend(row.flags.has(Flags::WRITE).then_some("@write"));
    categories.extend(row.flags.has(Flags::READONLY).then_some("@read"));
    categories.extend(match row.group {
        Group::Bitmap => Some("@bitmap"),
        Group::Connection => Some("@connection"),
        Group::Generic => Some("@keyspace"),
        Group::Geo => Some("@geo"),
        Group::Hash => Some("@hash"),
        Group::HyperLogLog => Some("@hyperloglog"),
        Group::List => Some("@list"),
        Group::PubSub => Some("@pubsub"),
        Group::Scripting => Some("@scripting"),
        Group::Server => None,
        Group::Set => Some("@set"),
        Group::SortedSet => Some("@sortedset"),
        Group::Stream => Some("@stream"),
        Group::String => Some("@string"),
        Group::Transactions => Some("@transaction"),
    });
    categories.extend(row.flags.has(Flags::ADMIN).then_some("@admin"));
    let dangerous = row.flags.has(Flags::ADMIN) || DANGEROUS.contains(&row.name);
    categories.extend(dangerous.then_some("@dangerous"));
    categories.extend(row.flags.has(Flags::BLOCKING).then_some("@blocking"));
    categories.push(if row.flags.has(Flags::FAST) { "@fast" } else { "@slow" });
    categories
}

fn group_name(group: Group) -> &'static str {
    match group {
        Group::Bitmap => "bitmap",
        Group::Connection => "connection",
        Group::Generic => "generic",
        Group::Geo => "geo",
        Group::Hash => "hash",
        Group::HyperLogLog => "hyperloglog",
        Group::List => "list",
        Group::PubSub => "pubsub",
        Group::Scripting => "scripting",
        Group::Server => "server",
        Group::Set => "set",
        Group::SortedSet => "sorted-set",
        Group::Stream => "stream",
        Group::String => "string",
        Group::Transactions => "transactions",
    }
}

fn docs(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let names = &args[2..];
    let rows: Vec<&Row> = if names.is_empty() {
        cx.table.rows().collect()
    } else {
        names.iter().filter_map(|name| cx.table.find(name)).collect()
    };
    cx.out.map(rows.len());
    for row in rows {
        cx.out.bulk(row.name.as_bytes());
        let (major, minor, patch) = Level::parts(row.since);
        let since = format!("{major}.{minor}.{patch}");
        let entries = [
            ("summary", row.summary),
            ("since", &since),
            ("group", group_name(row.group)),
            ("complexity", row.complexity),
        ];
        cx.out.map(entries.len());
        for (name, text) in entries {
            cx.out.bulk(name.as_bytes());
            cx.out.bulk(text.as_bytes());
        }
    }
    Ok(())
}

/// The keys of a request that follows.
fn keys_of<'a>(
    cx: &Cx<'_>,
    request: &[&'a [u8]],
) -> Result<(&'static Row, Vec<&'a [u8]>), &'static str> {
    let row = cx.table.find(request[0]).ok_or("ERR Invalid command specified")?;
    if !key_places::has_keys(row) {
        return Err("ERR The command has no key arguments");
    }
    if !row.takes(request.len()) {
        return Err("ERR Invalid number of arguments specified for command");
    }
    match key_places::keys(row, request) {
        Some(keys) => Ok((row, keys)),
        None => Err("ERR Invalid arguments specified for command"),
    }
}

fn getkeys(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (_, keys) = keys_of(cx, &args[2..])?;
    cx.out.array(keys.len());
    keys.iter().for_each(|key| cx.out.bulk(key));
    Ok(())
}

fn getkeysandflags(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (row, keys) = keys_of(cx, &args[2..])?;
    cx.out.array(keys.len());
    for (n, key) in keys.iter().enumerate() {
        let flags = key_places::uses(row, n);
        cx.out.array(2);
        cx.out.bulk(key);
        cx.out.set(flags.len());
        flags.iter().for_each(|flag| cx.out.simple(flag));
    }
    Ok(())
}
