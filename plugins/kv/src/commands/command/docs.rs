//! COMMAND DOCS.

use super::{find, subs_of};
use crate::cx::{Cx, Outcome};
use crate::manual::{self, Pages, Tree};
use crate::reply::Reply;
use crate::table::{Group, Level, Row, Sub};

/// Properties of the manual, as they are told after those of the row.
const PROPERTIES: [&str; 5] =
    ["doc_flags", "deprecated_since", "replaced_by", "history", "arguments"];

pub(super) fn docs(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let names = &args[2..];
    let found: Vec<(&Row, Option<&Sub>)> = if names.is_empty() {
        cx.table.rows().map(|row| (row, None)).collect()
    } else {
        names.iter().filter_map(|name| find(cx, name)).collect()
    };
    let pages = manual::pages();
    cx.out.map(found.len());
    for (row, sub) in found {
        match sub {
            None => describe(cx, &pages, row),
            Some(sub) => describe_sub(cx, &pages, row, sub),
        }
    }
    Ok(())
}

fn describe(cx: &mut Cx<'_>, pages: &Pages, row: &Row) {
    let page = pages.get(row.name).copied().unwrap_or_default();
    let since = level_text(row.since);
    let mut entries = vec![
        ("summary", Tree::Text(row.summary)),
        ("since", page.get("since").unwrap_or(Tree::Text(&since))),
        ("group", Tree::Text(group_name(row.group))),
    ];
    if !row.complexity.is_empty() {
        entries.push(("complexity", Tree::Text(row.complexity)));
    }
    entries.extend(PROPERTIES.iter().filter_map(|name| Some((*name, page.get(name)?))));
    let subs: Vec<&Sub> = subs_of(cx, row).collect();
    cx.out.bulk(row.name.as_bytes());
    cx.out.map(entries.len() + usize::from(!subs.is_empty()));
    reply(cx, &entries);
    if !subs.is_empty() {
        cx.out.bulk(b"subcommands");
        cx.out.map(subs.len());
        subs.iter().for_each(|sub| describe_sub(cx, pages, row, sub));
    }
}

fn describe_sub(cx: &mut Cx<'_>, pages: &Pages, row: &Row, sub: &Sub) {
    let name = format!("{}|{}", row.name, sub.name);
    let page = pages.get(name.as_str()).copied().unwrap_or_default();
    let names = ["summary", "since", "group", "complexity"];
    let all = names.iter().chain(&PROPERTIES);
    let entries: Vec<_> = all.filter_map(|name| Some((*name, page.get(name)?))).collect();
    cx.out.bulk(name.as_bytes());
    cx.out.map(entries.len());
    reply(cx, &entries);
}

fn reply(cx: &mut Cx<'_>, entries: &[(&str, Tree<'_>)]) {
    for (name, value) in entries {
        cx.out.bulk(name.as_bytes());
        value.reply(&mut cx.out);
    }
}

fn level_text(level: Level) -> String {
    let (major, minor, patch) = level.parts();
    format!("{major}.{minor}.{patch}")
}

fn group_name(group: Group) -> &'static str {
    match group {
        Group::Bitmap => "bitmap",
        Group::Cluster => "cluster",
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
