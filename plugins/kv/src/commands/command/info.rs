//! COMMAND INFO: name, arity, flags, keys, and since Redis 7 what the manual says.

use super::{find, subs_of};
use crate::cx::{Cx, Outcome};
use crate::key_places;
use crate::manual::{self, Page, Pages, Tree};
use crate::old_commands;
use crate::reply::Reply;
use crate::table::{Keys, NO_KEYS, Row, Sub, v};

pub(super) fn command(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let (rows, pages): (Vec<&Row>, Pages) = (cx.table.rows().collect(), manual::pages());
    cx.out.array(rows.len());
    rows.into_iter().for_each(|row| describe(cx, &pages, row));
    Ok(())
}

pub(super) fn info(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let names = &args[2..];
    if names.is_empty() {
        return command(cx, args);
    }
    let pages = manual::pages();
    cx.out.array(names.len());
    for name in names {
        match find(cx, name) {
            Some((row, None)) => describe(cx, &pages, row),
            Some((row, Some(sub))) => describe_sub(cx, &pages, row, sub),
            None => cx.out.null(),
        }
    }
    Ok(())
}

/// One command: six elements, with Redis 7 ten.
fn describe(cx: &mut Cx<'_>, pages: &Pages, row: &'static Row) {
    if !cx.has(v(5, 0))
        && let Some(told) = old_commands::of(row.name)
    {
        return describe_as(cx, row.name, told.arity, &told.flags, told.keys, Page::default());
    }
    let page = pages.get(row.name).copied().unwrap_or_default();
    let subs: Vec<&Sub> = subs_of(cx, row).collect();
    let runs_alone = subs.is_empty() || row.takes(1);
    if runs_alone || !cx.has(v(7, 0)) {
        let mut flags: Vec<&str> = row.flags.names(cx.table.redis).collect();
        flags.extend(key_places::are_movable(row).then_some("movablekeys"));
        describe_as(cx, row.name, row.arity, &flags, row.keys, page);
    } else {
        // Since Redis 7 a container is only that.
        describe_as(cx, row.name, row.arity, &[], NO_KEYS, page);
    }
    if cx.has(v(7, 0)) {
        match subs.len() {
            0 => cx.out.set(0),
            len => cx.out.array(len),
        }
        subs.iter().for_each(|sub| describe_sub(cx, pages, row, sub));
    }
}

fn describe_sub(cx: &mut Cx<'_>, pages: &Pages, row: &Row, sub: &Sub) {
    let name = format!("{}|{}", row.name, sub.name);
    let page = pages.get(name.as_str()).copied().unwrap_or_default();
    let place = |name| match page.get(name) {
        Some(Tree::Int(n)) => n as i16,
        _ => 0,
    };
    let keys = (place("first"), place("last"), place("step"));
    describe_as(cx, &name, sub.arity, &page.flags(), keys, page);
    if cx.has(v(7, 0)) {
        cx.out.set(0);
    }
}

/// All elements but the last of Redis 7, the subcommands.
fn describe_as(
    cx: &mut Cx<'_>,
    name: &str,
    arity: i16,
    flags: &[&str],
    (first, last, step): Keys,
    page: Page<'_>,
) {
    let long = cx.has(v(7, 0));
    cx.out.array(if long { 10 } else { 6 });
    cx.out.bulk(name.as_bytes());
    cx.out.int(i64::from(arity));
    cx.out.set(flags.len());
    flags.iter().for_each(|flag| cx.out.simple(flag));
    cx.out.int(i64::from(first));
    cx.out.int(i64::from(last));
    cx.out.int(i64::from(step));
    if long {
        for property in ["acl", "tips", "keys"] {
            page.get(property).unwrap_or(Tree::Set(Vec::new())).reply(&mut cx.out);
        }
    }
}
