//! CONFIG GET, CONFIG SET: what tools expect to find. Nothing here changes how the server works; its
//! real settings are the shell's.

use std::collections::BTreeMap;

use crate::cx::{Cx, Outcome, is};
use crate::dispatch;
use crate::errors;
use crate::flags::Flags;
use crate::glob;
use crate::reply::Reply;
use crate::state::DATABASES;
use crate::table::{NO_KEYS, rows, subs, v};

rows! { Server:
    "config", -2, Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE), NO_KEYS, v(2, 0), rewrite,
        "Depends on subcommand.", "A container for server configuration commands.", SUBS;
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

subs! {
    "get", -3, v(2, 0), get;
    "help", 2, v(5, 0), dispatch::help;
    "resetstat", 2, v(2, 0), resetstat;
    "rewrite", 2, v(2, 8), rewrite;
    "set", -4, v(2, 0), set;
}

fn resetstat(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.state.stats = Default::default();
    cx.out.ok();
    Ok(())
}

fn rewrite(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    Err("ERR The server is running without a config file")
}

/// Redis 4 takes one parameter at a time.
fn check_count(cx: &Cx<'_>, args: &[&[u8]], one: usize) -> Outcome {
    if args.len() > one && !cx.has(v(7, 0)) {
        return Err("ERR CONFIG subcommand must be one of GET, SET, RESETSTAT, REWRITE");
    }
    Ok(())
}

fn get(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    check_count(cx, args, 3)?;
    let patterns = &args[2..];
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
    cx.out.map(all.len());
    for (name, value) in all {
        cx.out.bulk(name.as_bytes());
        cx.out.bulk(&value);
    }
    Ok(())
}

fn set(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    check_count(cx, args, 4)?;
    let (pairs, odd) = args[2..].as_chunks::<2>();
    if !odd.is_empty() {
        return Err(errors::SYNTAX);
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
