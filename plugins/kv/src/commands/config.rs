//! CONFIG GET, CONFIG SET: what tools expect to find. Nothing here changes how the server works; its
//! real settings are the shell's.

use std::collections::BTreeMap;

use crate::cx::{Cx, Outcome, is};
use crate::flags::Flags;
use crate::glob;
use crate::reply::Reply;
use crate::state::DATABASES;
use crate::table::{NO_KEYS, rows, v};

rows! { Server:
    "config", -2, Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE), NO_KEYS, v(2, 0), config,
        "Depends on subcommand.", "A container for server configuration commands.";
}

/// Parameters that may be set: to any text, which is remembered.
const HARMLESS: [(&str, &str); 10] = [
    ("save", ""),
    ("latency-monitor-threshold", "0"),
    ("lua-time-limit", "5000"),
    ("slowlog-log-slower-than", "10000"),
    ("slowlog-max-len", "128"),
    ("hz", "10"),
    ("dynamic-hz", "yes"),
    ("activerehashing", "yes"),
    ("lazyfree-lazy-user-del", "no"),
    ("lazyfree-lazy-user-flush", "no"),
];

/// Parameters that can only be read.
const FIXED: [(&str, &str); 8] = [
    ("appendonly", "no"),
    ("maxmemory", "0"),
    ("maxmemory-policy", "noeviction"),
    ("notify-keyspace-events", ""),
    ("proto-max-bulk-len", "536870912"),
    ("requirepass", ""),
    ("tcp-keepalive", "300"),
    ("timeout", "0"),
];

fn config(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (word, rest) = (args[1], &args[2..]);
    if is(word, "get") {
        let many = cx.has(v(7, 0));
        return match rest {
            [] => cx.arity("config|get"),
            [_] => get(cx, rest),
            _ if many => get(cx, rest),
            _ => cx.arity("config|get"),
        };
    }
    if is(word, "set") {
        let many = cx.has(v(7, 0));
        return match rest {
            [_, _] => set(cx, rest),
            [_, _, ..] if many => set(cx, rest),
            _ => cx.arity("config|set"),
        };
    }
    if is(word, "resetstat") && rest.is_empty() {
        cx.state.stats = Default::default();
        cx.out.ok();
        return Ok(());
    }
    if is(word, "rewrite") && rest.is_empty() {
        return Err("ERR The server is running without a config file");
    }
    cx.unknown_subcommand("config", word)
}

fn get(cx: &mut Cx<'_>, patterns: &[&[u8]]) -> Outcome {
    let info = cx.shell.server_info();
    let mut all: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for (name, value) in HARMLESS.iter().chain(&FIXED) {
        let set = cx.state.config.get(name.as_bytes());
        all.insert(name, set.map_or(value.as_bytes().to_vec(), |set| set.to_vec()));
    }
    all.insert("databases", DATABASES.to_string().into_bytes());
    all.insert("maxclients", info.max_clients.to_string().into_bytes());
    all.insert("port", info.port.to_string().into_bytes());
    all.retain(|name, _| patterns.iter().any(|p| glob::matches(p, name.as_bytes(), true)));
    cx.out.array(all.len() * 2);
    for (name, value) in all {
        cx.out.bulk(name.as_bytes());
        cx.out.bulk(&value);
    }
    Ok(())
}

fn set(cx: &mut Cx<'_>, rest: &[&[u8]]) -> Outcome {
    let (pairs, odd) = rest.as_chunks::<2>();
    if !odd.is_empty() {
        return Err("ERR syntax error");
    }
    let known = |name: &[u8]| HARMLESS.iter().find(|(known, _)| is(name, known));
    for [name, _] in pairs {
        if known(name).is_none() {
            let fixed = FIXED.iter().any(|(fixed, _)| is(name, fixed));
            let name = String::from_utf8_lossy(name).into_owned();
            let text = match (cx.has(v(7, 0)), fixed) {
                (true, true) => format!(
                    "ERR CONFIG SET failed (possibly related to argument '{name}') - can't set \
                     immutable config"
                ),
                (true, false) => {
                    format!("ERR Unknown option or number of arguments for CONFIG SET - '{name}'")
                }
                (false, _) => format!("ERR Unsupported CONFIG parameter: {name}"),
            };
            return cx.error(&text);
        }
    }
    for [name, value] in pairs {
        if let Some((name, _)) = known(name) {
            cx.state.config.insert(name.as_bytes().into(), (*value).into());
        }
    }
    cx.out.ok();
    Ok(())
}
