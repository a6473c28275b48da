//! SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, their ends, PUBLISH, SPUBLISH, PUBSUB.

use crate::cx::{Cx, Outcome};
use crate::flags::Flags;
use crate::glob;
use crate::help;
use crate::pubsub::{self, Kind};
use crate::reply::Reply;
use crate::table::{ALL_KEYS, NO_KEYS, ONE_KEY, rows, subs, v};

const LISTEN: Flags =
    Flags::PUBSUB.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE).or(Flags::IN_SUBSCRIBED);
const TELL: Flags = Flags::PUBSUB.or(Flags::LOADING).or(Flags::STALE);

rows! { PubSub:
    "subscribe", -2, LISTEN, NO_KEYS, v(2, 0), subscribe,
        "O(N) where N is the number of channels to subscribe to.",
        "Listens for messages published to channels.";
    "unsubscribe", -1, LISTEN, NO_KEYS, v(2, 0), unsubscribe,
        "O(N) where N is the number of channels to unsubscribe.",
        "Stops listening to messages posted to channels.";
    "psubscribe", -2, LISTEN, NO_KEYS, v(2, 0), psubscribe,
        "O(N) where N is the number of patterns to subscribe to.",
        "Listens for messages published to channels that match one or more patterns.";
    "punsubscribe", -1, LISTEN, NO_KEYS, v(2, 0), punsubscribe,
        "O(N) where N is the number of patterns to unsubscribe.",
        "Stops listening to messages published to channels that match one or more patterns.";
    "publish", 3, TELL.or(Flags::FAST), NO_KEYS, v(2, 0), publish,
        "O(N+M) where N is the number of clients subscribed to the receiving channel and M is the total number of subscribed patterns (by any client).",
        "Posts a message to a channel.";
    "ssubscribe", -2, LISTEN, ALL_KEYS, v(7, 0), ssubscribe,
        "O(N) where N is the number of shard channels to subscribe to.",
        "Listens for messages published to shard channels.";
    "sunsubscribe", -1, LISTEN, ALL_KEYS, v(7, 0), sunsubscribe,
        "O(N) where N is the number of shard channels to unsubscribe.",
        "Stops listening to messages posted to shard channels.";
    "spublish", 3, TELL.or(Flags::FAST), ONE_KEY, v(7, 0), spublish,
        "O(N) where N is the number of clients subscribed to the receiving shard channel.",
        "Post a message to a shard channel.";
    "pubsub", -2, TELL, NO_KEYS, v(2, 8), numpat,
        "Depends on subcommand.", "A container for Pub/Sub commands.", SUBS;
}

fn subscribe(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    args[1..].iter().for_each(|name| pubsub::subscribe(cx, Kind::Channel, name));
    Ok(())
}

fn psubscribe(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    args[1..].iter().for_each(|name| pubsub::subscribe(cx, Kind::Pattern, name));
    Ok(())
}

fn unsubscribe(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    end(cx, args, Kind::Channel)
}

fn punsubscribe(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    end(cx, args, Kind::Pattern)
}

fn end(cx: &mut Cx<'_>, args: &[&[u8]], kind: Kind) -> Outcome {
    if args.len() == 1 {
        pubsub::unsubscribe_all(cx, kind);
    }
    args[1..].iter().for_each(|name| pubsub::unsubscribe(cx, kind, name));
    Ok(())
}

fn ssubscribe(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if cx.in_exec {
        return Err("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
    }
    args[1..].iter().for_each(|name| pubsub::subscribe(cx, Kind::Shard, name));
    Ok(())
}

fn sunsubscribe(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    end(cx, args, Kind::Shard)
}

fn spublish(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let count =
        cx.beside_replies(|cx| pubsub::publish_to_shard(cx.state, cx.shell, args[1], args[2]));
    cx.out.int(count as i64);
    Ok(())
}

fn publish(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let count = cx.beside_replies(|cx| pubsub::publish(cx.state, cx.shell, args[1], args[2]));
    cx.out.int(count as i64);
    Ok(())
}

subs! {
    "channels", -2, v(2, 8), channels;
    "help", 2, v(6, 2), help::help;
    "numpat", 2, v(2, 8), numpat;
    "numsub", -2, v(2, 8), numsub;
    "shardchannels", -2, v(7, 0), shard_channels;
    "shardnumsub", -2, v(7, 0), shard_numsub;
}

fn channels(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    list(cx, args, Kind::Channel)
}

fn list(cx: &mut Cx<'_>, args: &[&[u8]], kind: Kind) -> Outcome {
    if args.len() > 3 {
        return unknown(cx, args[1]);
    }
    let pattern = args.get(2).copied().unwrap_or(b"*");
    let all = if kind == Kind::Shard { &cx.state.shards } else { &cx.state.channels };
    let names: Vec<_> = all.keys().filter(|name| glob::matches(pattern, name, false)).collect();
    cx.out.array(names.len());
    names.iter().for_each(|name| cx.out.bulk(name));
    Ok(())
}

fn unknown(cx: &mut Cx<'_>, word: &[u8]) -> Outcome {
    let word = String::from_utf8_lossy(word).into_owned();
    cx.error(&format!(
        "ERR unknown subcommand or wrong number of arguments for '{word}'. Try PUBSUB HELP."
    ))
}

fn numsub(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.out.array((args.len() - 2) * 2);
    for &name in &args[2..] {
        cx.out.bulk(name);
        cx.out.int(cx.state.channels.get(name).map_or(0, |ids| ids.len()) as i64);
    }
    Ok(())
}

fn numpat(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let patterns = pubsub::count_patterns(cx);
    cx.out.int(patterns as i64);
    Ok(())
}

fn shard_channels(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    list(cx, args, Kind::Shard)
}

fn shard_numsub(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.out.array((args.len() - 2) * 2);
    for &name in &args[2..] {
        cx.out.bulk(name);
        cx.out.int(cx.state.shards.get(name).map_or(0, |ids| ids.len()) as i64);
    }
    Ok(())
}
