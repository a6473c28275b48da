//! COMMAND: the table, as clients read it.

use crate::cx::{Cx, Outcome};
use crate::dispatch;
use crate::errors;
use crate::flags::Flags;
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

fn list(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if args.len() > 2 {
        return Err(errors::SYNTAX);
    }
    let rows: Vec<&Row> = cx.table.rows().collect();
    cx.out.array(rows.len());
    rows.iter().for_each(|row| cx.out.bulk(row.name.as_bytes()));
    Ok(())
}

fn info(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let names = &args[2..];
    if names.is_empty() {
        return command(cx, args);
    }
    cx.out.array(names.len());
    for name in names {
        match cx.table.find(name) {
            Some(row) => describe(cx, row),
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
        for sub in subs {
            describe_as(cx, row, &format!("{}|{}", row.name, sub.name), sub.arity);
            cx.out.set(0);
        }
    }
}

/// All elements but the last of Redis 7, the subcommands.
fn describe_as(cx: &mut Cx<'_>, row: &Row, name: &str, arity: i16) {
    let long = cx.has(v(7, 0));
    let (first, last, step) = row.keys;
    cx.out.array(if long { 10 } else { 6 });
    cx.out.bulk(name.as_bytes());
    cx.out.int(i64::from(arity));
    let flags: Vec<&str> = row.flags.names().collect();
    cx.out.set(flags.len());
    flags.iter().for_each(|flag| cx.out.simple(flag));
    cx.out.int(i64::from(first));
    cx.out.int(i64::from(last));
    cx.out.int(i64::from(step));
    if long {
        let categories = categories(row);
        cx.out.set(categories.len());
        categories.iter().for_each(|category| cx.out.simple(category));
        // Tips and key specifications.
        (0..2).for_each(|_| cx.out.set(0));
    }
}

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

fn getkeys(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let request = &args[2..];
    let row = cx.table.find(request[0]).ok_or("ERR Invalid command specified")?;
    let (first, last, step) = row.keys;
    if first == 0 {
        return Err("ERR The command has no key arguments");
    }
    if !row.takes(request.len()) {
        return Err("ERR Invalid number of arguments specified for command");
    }
    let last = if last < 0 { request.len() as i64 + i64::from(last) } else { i64::from(last) };
    let places = (i64::from(first)..=last).step_by(step as usize);
    let keys: Vec<&[u8]> = places.filter_map(|n| request.get(n as usize).copied()).collect();
    cx.out.array(keys.len());
    keys.iter().for_each(|key| cx.out.bulk(key));
    Ok(())
}
