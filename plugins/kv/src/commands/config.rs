//! CONFIG GET, SET, RESETSTAT, REWRITE. The parameters are in [`crate::parameters`].

use std::collections::BTreeMap;

use crate::cx::{After, Cx, Outcome, is};
use crate::errors;
use crate::flags::Flags;
use crate::glob;
use crate::help;
use crate::number::parse_i64;
use crate::parameters::{Kind, PARAMETERS, Parameter, is_shown};
use crate::reply::Reply;
use crate::saving;
use crate::settings::Settings;
use crate::state::{
    DATABASES, MODE_AUTH, MODE_MEMORY, MODE_OUTPUT, MODE_REPLICAS, SESSION_AUTHENTICATED,
    SESSION_SETTING,
};
use crate::table::{NO_KEYS, rows, subs, v};

rows! { Server:
    "config", -2, Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE), NO_KEYS, v(2, 0), rewrite,
        "Depends on subcommand.", "A container for server configuration commands.", SUBS;
}

subs! {
    "get", -3, v(2, 0), get;
    "help", 2, v(5, 0), help::help;
    "resetstat", 2, v(2, 0), resetstat;
    "rewrite", 2, v(2, 8), rewrite;
    "set", -4, v(2, 0), set;
}

fn resetstat(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.state.stats = Default::default();
    cx.state.stats.since_ms = cx.now;
    cx.state.commands.reset();
    cx.state.error_codes.clear();
    cx.out.ok();
    Ok(())
}

fn rewrite(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    Err("ERR The server is running without a config file")
}

fn get(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let patterns = &args[2..];
    let info = cx.shell.server_info();
    let level = cx.table.redis;
    let mut all: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for parameter in PARAMETERS.iter().filter(|parameter| parameter.since <= level) {
        all.insert(parameter.name, current(cx, parameter));
    }
    all.insert("databases", DATABASES.to_string().into_bytes());
    all.insert("port", info.port.to_string().into_bytes());
    if cx.state.settings.max_clients == 0 {
        all.insert("maxclients", info.max_clients.to_string().into_bytes());
    }
    let new = cx.has(v(7, 0));
    let found = |name: &str| {
        let matched = patterns.iter().any(|p| glob::matches(p, name.as_bytes(), true));
        let shown = matched && (is_shown(name) || !new);
        // Who names it gets the name as it was written, as in Redis 7.
        let asked = patterns.iter().find(|pattern| new && is(pattern, name));
        asked.map(|asked| asked.to_vec()).or(shown.then(|| name.as_bytes().to_vec()))
    };
    let all: Vec<_> =
        all.into_iter().filter_map(|(name, value)| Some((found(name)?, value))).collect();
    cx.out.map(all.len());
    for (name, value) in all {
        cx.out.bulk(&name);
        cx.out.bulk(&value);
    }
    Ok(())
}

/// The value of a parameter.
fn current(cx: &Cx<'_>, parameter: &Parameter) -> Vec<u8> {
    if let Some(value) = saving::parameter(cx.shell, parameter.name) {
        return value.into();
    }
    let set = cx.state.config.get(parameter.stored_as().as_bytes());
    set.map_or(parameter.default_at(cx.table.redis).into(), |set| set.to_vec())
}

/// Checks all values first, so that either all are set or none.
fn set(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (pairs, odd) = args[2..].as_chunks::<2>();
    if !odd.is_empty() {
        return Err(errors::SYNTAX);
    }
    let mut checked: Vec<(&Parameter, Vec<u8>)> = Vec::new();
    for &[name, value] in pairs {
        let level = cx.table.redis;
        let known = PARAMETERS.iter().filter(|parameter| parameter.since <= level);
        let Some(parameter) = known.into_iter().find(|parameter| is(name, parameter.name)) else {
            return unknown(cx, name);
        };
        if checked.iter().any(|(other, _)| other.stored_as() == parameter.stored_as()) {
            return refuse(cx, name, value, "duplicate parameter");
        }
        let kind = parameter.kind_at(level);
        match kind.check(value, &current(cx, parameter)) {
            Ok(kept) => match saving::check(cx.shell, parameter.name, &kept) {
                Ok(()) => checked.push((parameter, kept)),
                Err(why) => return refuse(cx, name, value, why),
            },
            Err(_) if matches!(kind, Kind::Fixed) && !cx.has(v(6, 0)) => {
                return unknown(cx, name);
            }
            Err(why) if is(value, "yes") && matches!(kind, Kind::Off(_)) && !cx.has(v(6, 0)) => {
                return cx.error(&format!("ERR {why}"));
            }
            Err(why) => return refuse(cx, name, value, &why),
        }
    }
    remember(cx, &checked);
    // Within EXEC nobody is blocked: the shell holds the answer back.
    let waits = (!cx.in_exec).then_some(cx.client);
    let mut is_awaited = false;
    for (parameter, kept) in checked {
        let kept = in_force(&cx.state.settings, parameter, kept);
        if let Some(set) = parameter.set {
            set(&mut cx.state.settings, &kept);
        }
        is_awaited |= saving::set(cx.shell, waits, parameter.name, &kept);
        let name = parameter.stored_as();
        cx.state.config.insert(name.as_bytes().into(), kept.as_slice().into());
    }
    apply(cx);
    if is_awaited {
        cx.session.flags |= SESSION_SETTING;
        cx.after = After::Block;
    } else {
        cx.out.ok();
    }
    Ok(())
}

/// A value that was accepted, as far as others let it be: Redis' watchdog needs two turns of its timer.
fn in_force(settings: &Settings, parameter: &Parameter, kept: Vec<u8>) -> Vec<u8> {
    let period = match parameter.name {
        "watchdog-period" => parse_i64(&kept).filter(|&ms| ms > 0),
        _ => None,
    };
    period.map_or(kept, |ms| ms.max(2 * settings.cycle_ms() as i64).to_string().into_bytes())
}

/// Tells the journal of what is going to be set, but for what the shell remembers by itself.
fn remember(cx: &mut Cx<'_>, checked: &[(&Parameter, Vec<u8>)]) {
    let is_ours = |name| saving::parameter(cx.shell, name).is_none();
    let ours = checked.iter().filter(|(parameter, _)| is_ours(parameter.name));
    let pairs = ours.flat_map(|(parameter, kept)| [parameter.name.as_bytes(), kept]);
    let words: Vec<&[u8]> = [&b"CONFIG"[..], b"SET"].into_iter().chain(pairs).collect();
    if words.len() > 2 {
        cx.tell(&words);
    }
}

/// What follows from new settings.
fn apply(cx: &mut Cx<'_>) {
    let state = &mut *cx.state;
    state.settings.note_thresholds();
    state.slowlog.cut(state.settings.slowlog_len);
    let (locked, limited) = (!state.settings.password.is_empty(), state.settings.maxmemory > 0);
    if locked && state.modes & MODE_AUTH == 0 {
        // Who is connected when the password comes stays in, as in Redis.
        cx.session.flags |= SESSION_AUTHENTICATED;
        for id in cx.shell.client_ids() {
            if let Some(session) = cx.shell.session_of(id) {
                session.flags |= SESSION_AUTHENTICATED;
            }
        }
    }
    state.set_mode(MODE_AUTH, locked);
    state.set_mode(MODE_MEMORY, limited);
    state.set_mode(MODE_OUTPUT, state.settings.output.is_set());
    state.set_mode(MODE_REPLICAS, state.settings.wants_replicas());
    saving::choose_mode(state, cx.shell);
    cx.shell.wake_at(cx.now);
}

fn unknown(cx: &mut Cx<'_>, name: &[u8]) -> Outcome {
    let name = String::from_utf8_lossy(name).into_owned();
    if cx.has(v(7, 0)) {
        let text = "ERR Unknown option or number of arguments for CONFIG SET";
        return cx.error(&format!("{text} - '{name}'"));
    }
    cx.error(&format!("ERR Unsupported CONFIG parameter: {name}"))
}

fn refuse(cx: &mut Cx<'_>, name: &[u8], value: &[u8], why: &str) -> Outcome {
    let name = String::from_utf8_lossy(name).into_owned();
    if cx.has(v(7, 0)) {
        let text = "ERR CONFIG SET failed (possibly related to argument";
        return cx.error(&format!("{text} '{name}') - {why}"));
    }
    let value = String::from_utf8_lossy(value).into_owned();
    cx.error(&format!("ERR Invalid argument '{value}' for CONFIG SET '{name}'"))
}
