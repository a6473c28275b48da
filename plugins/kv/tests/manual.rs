//! Goal: COMMAND tells of our commands what Redis tells of its own. Method: COMMAND INFO and COMMAND DOCS
//! of all commands, of a `TestServer` and of a real redis-server, in RESP3. With `HOTSHELL_BLESS=1` the
//! manual is written from what the server says.

mod both;
mod common;
#[allow(dead_code, reason = "the differential test uses the rest")]
mod peer;
mod resp;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use both::Both;
use common::{One, V2, encode};
use hotshell_kv::manual;
use peer::Redis;
use resp::{Value, parse};

/// What the manual holds of every command, of COMMAND INFO and of COMMAND DOCS.
const OF_INFO: [(&str, usize); 3] = [("acl", 6), ("tips", 7), ("keys", 8)];
const OF_DOCS: [&str; 6] =
    ["since", "doc_flags", "deprecated_since", "replaced_by", "history", "arguments"];
/// And of subcommands besides.
const OF_SUB_INFO: [(&str, usize); 4] = [("flags", 2), ("first", 3), ("last", 4), ("step", 5)];
const OF_SUB_DOCS: [&str; 3] = ["summary", "complexity", "group"];

/// What a server says of one command or subcommand: COMMAND INFO, and COMMAND DOCS if it has any.
struct Told {
    info: Vec<Value>,
    docs: Value,
}

type All = BTreeMap<String, Told>;

fn all(info: &Value, docs: &Value) -> All {
    let mut all = All::new();
    for command in info.elements() {
        let name = command.elements()[0].text().to_owned();
        let docs = docs.get(&name).cloned().unwrap_or(Value::Map(Vec::new()));
        add(&mut all, name, command.clone(), docs);
    }
    all
}

fn add(all: &mut All, name: String, info: Value, docs: Value) {
    let mut info = info.elements().to_vec();
    let subs = info.pop().expect("ten elements");
    info.push(if matches!(subs, Value::Set(_)) { Value::Set(Vec::new()) } else { Value::Null });
    let empty = Value::Map(Vec::new());
    for sub in subs.elements() {
        let name = sub.elements()[0].text().to_owned();
        let docs = docs.get("subcommands").and_then(|subs| subs.get(&name)).unwrap_or(&empty);
        add(all, name, sub.clone(), docs.clone());
    }
    let docs = docs.elements().chunks_exact(2).filter(|pair| pair[0].text() != "subcommands");
    let docs = Value::Map(docs.flatten().cloned().collect());
    all.insert(name, Told { info, docs });
}

fn of_redis(redis: &mut Redis) -> All {
    redis.renew(1);
    let mut ask = |request: &[&str]| {
        redis.send(0, &encode(request));
        redis.sync();
        let reply = redis.read_until(0, |bytes| parse(bytes).is_some());
        parse(&reply).expect("a whole reply").0
    };
    ask(&["hello", "3"]);
    all(&ask(&["command"]), &ask(&["command", "docs"]))
}

fn ours() -> All {
    let mut one = One::<V2>::new();
    let mut ask = |request: &[&str]| {
        let reply = one.server.ask(one.client, &encode(request));
        parse(&reply).expect("a whole reply").0
    };
    ask(&["hello", "3"]);
    all(&ask(&["command"]), &ask(&["command", "docs"]))
}

/// As the manual writes it.
fn render(value: &Value) -> String {
    let list = |open: char, all: &[Value], close: char| {
        let all: Vec<String> = all.iter().map(render).collect();
        format!("{open}{}{close}", all.join(" "))
    };
    match value {
        Value::Text(text) => {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-|.@:/".contains(&b);
            let word = text.bytes().all(plain) && text.parse::<i64>().is_err() && !text.is_empty();
            assert!(!text.contains(['"', '\n']), "{text}");
            if word { text.clone() } else { format!("\"{text}\"") }
        }
        Value::Simple(text) => format!("+{text}"),
        Value::Int(n) => n.to_string(),
        Value::Array(all) => list('[', all, ']'),
        Value::Set(all) => list('(', all, ')'),
        Value::Map(all) => list('{', all, '}'),
        Value::Null | Value::Error(_) => panic!("{value:?} is in no manual"),
    }
}

/// The manual's page of a command.
fn page(name: &str, told: &Told) -> String {
    let mut page = format!("{name}\n");
    let sub = name.contains('|');
    let of_info = OF_INFO.iter().chain(OF_SUB_INFO.iter().filter(|_| sub));
    for (property, place) in of_info {
        let value = &told.info[*place];
        let empty = matches!(value, Value::Array(all) | Value::Set(all) if all.is_empty());
        if !empty && *value != Value::Int(0) {
            writeln!(page, "  {property} {}", render(value)).expect("a String");
        }
    }
    for property in OF_SUB_DOCS.iter().filter(|_| sub).chain(&OF_DOCS) {
        if let Some(value) = told.docs.get(property) {
            writeln!(page, "  {property} {}", render(value)).expect("a String");
        }
    }
    page
}

#[test]
fn commands_are_told_of_as_by_redis() {
    let Some(mut redis) = Redis::start() else {
        println!("skipped: no redis-server");
        return;
    };
    let (ours, theirs) = (ours(), of_redis(&mut redis));
    if std::env::var("HOTSHELL_BLESS").as_deref() == Ok("1") {
        let known = theirs.iter().filter(|(name, _)| ours.contains_key(*name));
        let text: String = known.map(|(name, told)| page(name, told)).collect();
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/manual.txt");
        std::fs::write(file, text).expect("the manual is written");
        println!("written: {file}");
        return;
    }
    let mut differences = String::new();
    for (name, told) in &ours {
        let Some(redis) = theirs.get(name) else {
            writeln!(differences, "{name}: Redis has no such command").expect("a String");
            continue;
        };
        let parts =
            ["name", "arity", "flags", "first", "last", "step", "acl", "tips", "keys", "subs"];
        for ((part, ours), theirs) in parts.iter().zip(&told.info).zip(&redis.info) {
            if ours.clone().sorted() != theirs.clone().sorted() {
                writeln!(differences, "{name} {part}:\n  kv    {ours:?}\n  redis {theirs:?}")
                    .expect("a String");
            }
        }
        let keys = |told: &Told| -> BTreeSet<String> {
            let keys = told.docs.elements().iter().step_by(2);
            keys.map(|key| key.text().to_owned()).collect()
        };
        // Words for people: the summaries are whole sentences, and a cost is ours.
        let for_people = ["summary", "complexity"];
        let keys = keys(told).union(&keys(redis)).cloned().collect::<Vec<_>>();
        for key in keys.iter().filter(|key| !for_people.contains(&key.as_str())) {
            let (ours, theirs) = (told.docs.get(key), redis.docs.get(key));
            if ours.cloned().map(Value::sorted) != theirs.cloned().map(Value::sorted) {
                writeln!(differences, "{name} {key}:\n  kv    {ours:?}\n  redis {theirs:?}")
                    .expect("a String");
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// Commands of Redis 7.0 that there are not here. The README says what to use instead.
const ABSENT: &[&str] = &[];

#[test]
fn every_command_of_redis_is_there_or_known_to_be_absent() {
    let Some(mut redis) = Redis::start() else {
        println!("skipped: no redis-server");
        return;
    };
    let ours = ours();
    let theirs = of_redis(&mut redis);
    let missing: Vec<&String> = theirs.keys().filter(|name| !ours.contains_key(*name)).collect();
    assert_eq!(missing, ABSENT);
}

#[test]
fn the_manual_has_no_page_of_a_command_that_there_is_not() {
    let ours = ours();
    let pages = manual::pages();
    let stale: Vec<&&str> = pages.keys().filter(|name| !ours.contains_key(**name)).collect();
    assert!(stale.is_empty(), "{stale:?}");
}

/// Requests of every way in which keys are found.
const WITH_KEYS: &[&str] = &[
    "get k",
    "get",
    "get k x",
    "set k v",
    "set k v get",
    "set k v ex 5 GET",
    "mset a 1 b 2",
    "mset a 1 b",
    "del a b c",
    "ping",
    "nosuch a",
    "object encoding k",
    "object nosuch k",
    "object help",
    "object",
    "memory usage k",
    "memory doctor",
    "xinfo stream s",
    "xgroup create s g $",
    "config get x",
    "lmpop 2 a b left",
    "lmpop 3 a b left",
    "lmpop 0 a left",
    "lmpop x a left",
    "blmpop 0 1 a left",
    "zunionstore d 2 a b",
    "zunionstore d 3 a b",
    "zunion 1 a",
    "sintercard 2 a b",
    "eval script 2 a b c",
    "eval script 0",
    "eval script 3 a",
    "fcall f 1 a",
    "sort k",
    "sort k by w* get # store d",
    "sort k store a store b",
    "sort_ro k by w*",
    "georadius k 1 2 3 m",
    "georadius k 1 2 3 m store d",
    "georadius k 1 2 3 m storedist d",
    "georadiusbymember k a 3 m store d",
    "geosearchstore d k fromlonlat 1 2 byradius 3 m",
    "xread streams a b 0 0",
    "xread count 1 streams a 0",
    "xread streams a b 0",
    "xread count 1",
    "xreadgroup group g c streams a >",
    "bitfield k get u8 0",
    "bitfield k set u8 0 1",
    "bitfield k",
    "bitop and d a b",
    "pfmerge d a b",
    "pfcount a b",
    "rename a b",
    "copy a b",
    "smove a b m",
    "lmove a b left right",
    "migrate h 1 k 0 5",
    "migrate h 1 k 0 5 copy",
    "migrate h 1  0 5 copy",
    "migrate h 1  0 5 keys",
    "migrate h 1  0 5 keys a b",
    "migrate h 1 k 0 5 keys a b",
    "migrate h 1  0 5 auth keys auth2 keys keys keys a",
    "publish c m",
    "spublish c m",
    "ssubscribe c",
    "watch a b",
    "touch a b",
    "exists a",
    "restore k 0 v",
    "zrangestore d k 0 1",
    "zadd z 1 m",
    "lpop l",
    "rpoplpush a b",
    "blpop a b 0",
    "expire k 1",
    "sinterstore d a b",
    "getdel k",
    "getex k",
    "setrange k 0 v",
    "append k v",
    "hset h f v",
    "xack s g 1-1",
];

#[test]
fn keys_of_requests_and_their_uses_are_those_of_redis() {
    let Some(mut redis) = Redis::start() else {
        println!("skipped: no redis-server");
        return;
    };
    redis.renew(1);
    let mut one = One::<V2>::new();
    let mut differences = String::new();
    for request in WITH_KEYS {
        for ask in ["getkeys", "getkeysandflags"] {
            let words: Vec<&str> = ["command", ask].into_iter().chain(request.split(' ')).collect();
            let ours = one.server.ask(one.client, &encode(&words));
            redis.send(0, &encode(&words));
            redis.sync();
            let theirs = redis.read_until(0, |bytes| bytes == ours);
            if ours != theirs {
                let [ours, theirs] = [ours, theirs].map(common::text);
                writeln!(differences, "{ask} {request}:\n  kv    {ours:?}\n  redis {theirs:?}")
                    .expect("a String");
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// A reply without what is ours on purpose, summaries and complexities, and without what comes in no
/// order, subcommands, which are asked for one by one.
fn cut(value: Value) -> Value {
    const LEFT_OUT: [&str; 3] = ["summary", "complexity", "subcommands"];
    let each = |all: Vec<Value>| {
        let mut left_out = false;
        let part = |part: Value| {
            let key = matches!(&part, Value::Text(text) if LEFT_OUT.contains(&text.as_str()));
            if std::mem::replace(&mut left_out, key) { Value::Null } else { cut(part) }
        };
        all.into_iter().map(part).collect()
    };
    match value {
        Value::Array(all) => Value::Array(each(all)),
        Value::Set(all) => Value::Set(each(all)),
        Value::Map(all) => Value::Map(each(all)),
        other => other,
    }
}

/// What COMMAND INFO says of one command, of its subcommands only whether there are any.
fn cut_info(value: &Value) -> Value {
    let mut parts = value.elements()[0].elements().to_vec();
    if let Some(subs) = parts.pop() {
        parts.push(if subs.elements().is_empty() { subs } else { Value::Null });
    }
    Value::Array(parts)
}

#[test]
fn replies_about_one_command_have_the_order_and_the_types_of_redis() {
    let Some(mut both) = Both::start() else { return };
    let names: Vec<String> = ours().into_keys().collect();
    let mut differences = String::new();
    for protocol in ["2", "3"] {
        both.ask(&["hello", protocol]);
        for name in &names {
            for about in ["info", "docs"] {
                let replies = both.ask(&["command", about, name]);
                let [ours, theirs] = replies.map(|bytes| {
                    let reply = parse(&bytes).expect("a whole reply").0;
                    if about == "info" { cut_info(&reply) } else { cut(reply) }
                });
                if ours != theirs {
                    writeln!(
                        differences,
                        "{name}, RESP{protocol}:\n  kv    {ours:?}\n  redis {theirs:?}"
                    )
                    .expect("a String");
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// Words that mean something to one of the rules by which keys are found, and others.
const WORDS: &[&str] = &[
    "a",
    "b",
    "c",
    "0",
    "1",
    "2",
    "3",
    "-1",
    "store",
    "STOREDIST",
    "keys",
    "KEYS",
    "streams",
    "count",
    "by",
    "get",
    "limit",
    "left",
    "weights",
    "",
    "x",
    "set",
    "incrby",
    "overflow",
    "block",
    "group",
];
/// Requests that are made of each command.
const TRIES: usize = 40;

#[test]
fn keys_of_random_requests_of_every_command_are_those_of_redis() {
    let Some(mut both) = Both::start() else { return };
    let names: Vec<String> = ours().into_keys().collect();
    let mut seed = 1_u64;
    let mut below = |n: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((u128::from(seed) * n as u128) >> 64) as usize
    };
    let mut differences = String::new();
    for name in &names {
        for _ in 0..TRIES {
            // A subcommand is a word of its own.
            let mut words: Vec<&str> = name.split('|').collect();
            words.extend((0..below(8)).map(|_| WORDS[below(WORDS.len())]));
            for ask in ["getkeys", "getkeysandflags"] {
                let request = [&["command", ask], &words[..]].concat();
                let [ours, theirs] = both.ask(&request);
                if ours != theirs {
                    let [ours, theirs] = [ours, theirs].map(common::text);
                    writeln!(differences, "{ask} {words:?}:\n  kv    {ours:?}\n  redis {theirs:?}")
                        .expect("a String");
                }
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}
