//! XINFO: what is known about a stream, its groups and their consumers.

use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::READ;
use crate::help;
use crate::reading::{reply_entry, reply_id, reply_range};
use crate::reply::{Out, Reply};
use crate::stream::{Group, Id, Stream, UNKNOWN};
use crate::table::{Keys, rows, subs, v};
use crate::value::{Kind, Value};

const SECOND: Keys = (2, 2, 1);

rows! { Stream:
    "xinfo", -2, READ, SECOND, v(5, 0), help::help,
        "Depends on subcommand.", "A container for stream introspection commands.", SUBS;
}

subs! {
    "consumers", 4, v(5, 0), consumers;
    "groups", 3, v(5, 0), groups;
    "help", 2, v(5, 0), help::help;
    "stream", -3, v(5, 0), stream;
}

/// The stream at a key, which must be there, beside the output.
fn find<'a>(cx: &'a mut Cx<'_>, key: &[u8]) -> Result<(&'a Stream, Out<'a>), &'static str> {
    let (value, out) = cx.find(key, Kind::Stream)?;
    Ok((value.and_then(Value::stream).ok_or(errors::NO_SUCH_KEY)?, out))
}

fn consumers(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let now = cx.now;
    let (stream, mut out) = find(cx, args[2])?;
    let Some(group) = stream.groups.get(args[3]) else {
        let (key, name) = (String::from_utf8_lossy(args[2]), String::from_utf8_lossy(args[3]));
        return cx.error(&format!("NOGROUP No such consumer group '{name}' for key name '{key}'"));
    };
    out.array(group.consumers.len());
    for (name, consumer) in group.consumers.iter() {
        out.map(3);
        out.bulk(b"name");
        out.bulk(name);
        field(&mut out, "pending", consumer.pending.len() as u64);
        field(&mut out, "idle", now.saturating_sub(consumer.seen_ms));
    }
    Ok(())
}

fn field(out: &mut Out<'_>, name: &str, n: u64) {
    out.bulk(name.as_bytes());
    out.int(n as i64);
}

fn id_field(out: &mut Out<'_>, name: &str, id: Id) {
    out.bulk(name.as_bytes());
    reply_id(out, id);
}

/// How many entries a group has read, and how many it has not.
fn progress(out: &mut Out<'_>, stream: &Stream, group: &Group) {
    let read = Some(group.read).filter(|&n| n != UNKNOWN);
    for (name, n) in [("entries-read", read), ("lag", group.lag(stream))] {
        out.bulk(name.as_bytes());
        match n {
            Some(n) => out.int(n),
            None => out.null(),
        }
    }
}

fn groups(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (stream, mut out) = find(cx, args[2])?;
    out.array(stream.groups.len());
    for (name, group) in stream.groups.iter() {
        out.map(6);
        out.bulk(b"name");
        out.bulk(name);
        field(&mut out, "consumers", group.consumers.len() as u64);
        field(&mut out, "pending", group.pending.len() as u64);
        id_field(&mut out, "last-delivered-id", group.last);
        progress(&mut out, stream, group);
    }
    Ok(())
}

fn stream(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.find(args[2], Kind::Stream)?.0.ok_or(errors::NO_SUCH_KEY)?;
    let count = match args[3..] {
        [] => None,
        [word] if is(word, "full") => Some(10),
        [word, count, n] if is(word, "full") && is(count, "count") => {
            let n = int(n)?;
            Some(if n < 0 { 10 } else { n as usize })
        }
        _ => {
            let word = String::from_utf8_lossy(args[1]).into_owned();
            return cx.error(&format!(
                "ERR unknown subcommand or wrong number of arguments for '{word}'. Try XINFO HELP."
            ));
        }
    };
    let (stream, mut out) = find(cx, args[2])?;
    let out = &mut out;
    out.map(if count.is_some() { 9 } else { 10 });
    field(out, "length", stream.len());
    field(out, "radix-tree-keys", stream.blocks() as u64);
    field(out, "radix-tree-nodes", stream.radix_nodes());
    id_field(out, "last-generated-id", stream.last);
    id_field(out, "max-deleted-entry-id", stream.max_deleted);
    field(out, "entries-added", stream.added);
    id_field(out, "recorded-first-entry-id", stream.first_id());
    let Some(count) = count else {
        field(out, "groups", stream.groups.len() as u64);
        for (name, reverse) in [("first-entry", false), ("last-entry", true)] {
            out.bulk(name.as_bytes());
            end(out, stream, reverse);
        }
        return Ok(());
    };
    out.bulk(b"entries");
    reply_range(out, stream, (Id::MIN, Id::MAX), count, false);
    out.bulk(b"groups");
    out.array(stream.groups.len());
    for (name, group) in stream.groups.iter() {
        whole_group(out, stream, name, group, count);
    }
    Ok(())
}

/// The oldest or newest entry.
fn end(out: &mut Out<'_>, stream: &Stream, reverse: bool) {
    if stream.is_empty() {
        return out.null();
    }
    stream.each(Id::MIN, Id::MAX, reverse, |id, entry| {
        reply_entry(out, id, entry);
        false
    });
}

fn whole_group(out: &mut Out<'_>, stream: &Stream, name: &[u8], group: &Group, count: usize) {
    let most = if count == 0 { usize::MAX } else { count };
    out.map(7);
    out.bulk(b"name");
    out.bulk(name);
    id_field(out, "last-delivered-id", group.last);
    progress(out, stream, group);
    field(out, "pel-count", group.pending.len() as u64);
    out.bulk(b"pending");
    out.array(group.pending.len().min(most));
    for (id, pending) in group.pending.iter().take(most) {
        out.array(4);
        reply_id(out, *id);
        out.bulk(&pending.consumer);
        out.int(pending.delivered_ms as i64);
        out.int(pending.deliveries as i64);
    }
    out.bulk(b"consumers");
    out.array(group.consumers.len());
    for (name, consumer) in group.consumers.iter() {
        out.map(4);
        out.bulk(b"name");
        out.bulk(name);
        field(out, "seen-time", consumer.seen_ms);
        field(out, "pel-count", consumer.pending.len() as u64);
        out.bulk(b"pending");
        out.array(consumer.pending.len().min(most));
        let pending = consumer.pending.iter().filter_map(|id| Some((id, group.pending.get(id)?)));
        for (id, pending) in pending.take(most) {
            out.array(3);
            reply_id(out, *id);
            out.int(pending.delivered_ms as i64);
            out.int(pending.deliveries as i64);
        }
    }
}
