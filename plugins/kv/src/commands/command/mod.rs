//! COMMAND: the table, as clients read it. What rows do not say is in the [`manual`](crate::manual).

mod docs;
mod info;

use crate::cx::{Cx, Outcome, is};
use crate::errors;
use crate::flags::Flags;
use crate::glob;
use crate::help;
use crate::key_places;
use crate::key_specs::{self, Key};
use crate::manual::{self, Pages, Tree};
use crate::reply::Reply;
use crate::table::{NO_KEYS, Row, Sub, rows, subs, v};
use docs::docs;
use info::{command, info};

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
    "help", 2, v(5, 0), help::help;
    "info", -2, v(2, 8), info;
    "list", -2, v(7, 0), list;
}

fn count(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.out.int(cx.table.len() as i64);
    Ok(())
}

/// The names of all commands and subcommands, or of those that a filter leaves.
fn list(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let pages = manual::pages();
    let wanted: &dyn Fn(&str) -> bool = match args[2..] {
        [] => &|_| true,
        [word, by, text] if is(word, "filterby") => match () {
            () if is(by, "module") => &|_| false,
            () if is(by, "aclcat") => &move |name| {
                let known = CATEGORIES.iter().find(|category| is(text, category));
                known.is_some_and(|category| in_category(&pages, name, category))
            },
            () if is(by, "pattern") => &move |name| glob::matches(text, name.as_bytes(), true),
            () => return Err(errors::SYNTAX),
        },
        _ => return Err(errors::SYNTAX),
    };
    let names: Vec<String> = names(cx).filter(|name| wanted(name)).collect();
    cx.out.array(names.len());
    names.iter().for_each(|name| cx.out.bulk(name.as_bytes()));
    Ok(())
}

/// The names of all commands and subcommands.
pub(super) fn names(cx: &Cx<'_>) -> impl Iterator<Item = String> {
    cx.table.rows().flat_map(|row| {
        let subs = subs_of(cx, row).map(|sub| format!("{}|{}", row.name, sub.name));
        core::iter::once(row.name.to_owned()).chain(subs)
    })
}

/// The subcommands that this version has of a command.
fn subs_of(cx: &Cx<'_>, row: &Row) -> impl Iterator<Item = &'static Sub> + use<> {
    let level = cx.table.redis;
    row.subs.iter().filter(move |sub| sub.since <= level)
}

/// A command, or one of its subcommands as `config|get`.
fn find(cx: &Cx<'_>, name: &[u8]) -> Option<(&'static Row, Option<&'static Sub>)> {
    match name.iter().position(|&b| b == b'|') {
        None => cx.table.find(name).map(|row| (row, None)),
        // Redis 4 knows no subcommands here.
        Some(at) => {
            let row = cx.table.find(&name[..at]).filter(|_| cx.has(v(7, 0)))?;
            row.sub(&name[at + 1..], cx.table.redis).map(|sub| (row, Some(sub)))
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

/// Whether a command, or `config|get` as subcommand, is in one of the [`CATEGORIES`].
pub(super) fn in_category(pages: &Pages, name: &str, category: &str) -> bool {
    let Some(Tree::Set(all)) = pages.get(name).and_then(|page| page.get("acl")) else {
        return false;
    };
    all.iter().any(|one| matches!(one, Tree::Simple(one) if one[1..] == *category))
}

/// The keys of a request that follows.
fn keys_of<'a>(cx: &Cx<'_>, request: &[&'a [u8]]) -> Result<Vec<Key<'a>>, &'static str> {
    const INVALID: &str = "ERR Invalid command specified";
    let row = cx.table.find(request[0]).ok_or(INVALID)?;
    if !cx.has(v(7, 0)) {
        return old_keys_of(row, request);
    }
    let word = request.get(1).filter(|_| !row.subs.is_empty());
    let sub = word.map(|word| row.sub(word, cx.table.redis).ok_or(INVALID)).transpose()?;
    let (name, fits) = match sub {
        Some(sub) => (format!("{}|{}", row.name, sub.name), sub.takes(request.len())),
        None => (row.name.to_owned(), row.takes(request.len())),
    };
    let page = manual::pages().get(name.as_str()).copied().unwrap_or_default();
    if !key_specs::has_keys(page) {
        return Err("ERR The command has no key arguments");
    }
    if !fits {
        return Err("ERR Invalid number of arguments specified for command");
    }
    match key_specs::keys(row, page, request) {
        Some(keys) => Ok(keys),
        None if row.flags.has(Flags::NO_MANDATORY_KEYS) => Ok(Vec::new()),
        None => Err("ERR Invalid arguments specified for command"),
    }
}

/// The same before there were specifications.
fn old_keys_of<'a>(row: &Row, request: &[&'a [u8]]) -> Result<Vec<Key<'a>>, &'static str> {
    if !row.takes(request.len()) {
        return Err("ERR Invalid number of arguments specified for command");
    }
    // Whatever has no keys has none, also a request that is wrong.
    let keys = key_places::keys(row, request).unwrap_or_default();
    Ok(keys.into_iter().map(|key| (key, Vec::new())).collect())
}

fn getkeys(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let keys = keys_of(cx, &args[2..])?;
    cx.out.array(keys.len());
    keys.iter().for_each(|(key, _)| cx.out.bulk(key));
    Ok(())
}

fn getkeysandflags(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let keys = keys_of(cx, &args[2..])?;
    cx.out.array(keys.len());
    for (key, uses) in keys {
        cx.out.array(2);
        cx.out.bulk(key);
        cx.out.set(uses.len());
        uses.iter().for_each(|flag| cx.out.simple(flag));
    }
    Ok(())
}
