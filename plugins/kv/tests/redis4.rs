//! Goal: version 1 tells of its commands what Redis 4.0 tells. Method: both are asked the same. Debian has
//! no such server any more, so this runs where one was built: `HOTSHELL_REDIS_4` is its path.

mod both;
mod common;
#[allow(dead_code, reason = "the differential test uses the rest")]
mod peer;
mod resp;

use std::collections::{BTreeMap, BTreeSet};

use both::Both;
use common::{V1, text};
use peer::Redis;
use resp::{Value, parse};

/// Version 1 and a Redis 4; `None` when there is none.
fn start() -> Option<Both<V1>> {
    let redis = Redis::start_4();
    if redis.is_none() {
        println!("skipped: HOTSHELL_REDIS_4 is not set: the path of a redis-server 4.0");
    }
    redis.map(Both::beside)
}

/// Commands that only one of the two has: browsers that are made to send requests are answered there by
/// commands, here by none; and QUIT is none there.
const ONE_SIDED: [&str; 3] = ["host:", "post", "quit"];

/// What COMMAND says of each command.
fn commands(reply: &[u8]) -> BTreeMap<String, Vec<Value>> {
    let all = parse(reply).expect("a whole reply").0;
    let one =
        |command: &Value| (command.elements()[0].text().to_owned(), command.elements().to_vec());
    let all = all.elements().iter().map(one);
    all.filter(|(name, _)| !ONE_SIDED.contains(&name.as_str())).collect()
}

/// A line of the file that holds what Redis 4 says.
fn line(command: &[Value]) -> String {
    let number = |value: &Value| match value {
        Value::Int(n) => n.to_string(),
        other => panic!("{other:?} is no number"),
    };
    let flags: Vec<&str> = command[2].elements().iter().map(Value::text).collect();
    let keys: Vec<String> = command[3..].iter().map(number).collect();
    let (name, arity) = (command[0].text(), number(&command[1]));
    format!("{name} {arity} {} {}\n", flags.join(","), keys.join(" "))
}

#[test]
fn the_commands_are_those_of_redis_4_with_arity_flags_and_keys() {
    let Some(mut both) = start() else { return };
    let [ours, theirs] = both.ask(&["command"]).map(|reply| commands(&reply));
    if std::env::var("HOTSHELL_BLESS").as_deref() == Ok("1") {
        let page: String = theirs.values().map(|command| line(command)).collect();
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/old_commands.txt");
        return std::fs::write(file, page).expect("it is written");
    }
    let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let differ = names.into_iter().filter(|name| ours.get(*name) != theirs.get(*name));
    let shown: Vec<_> = differ.map(|name| (name, ours.get(name), theirs.get(name))).collect();
    assert!(shown.is_empty(), "(name, kv, redis): {shown:?}");
}

#[test]
fn errors_that_quote_a_request_or_name_a_limit_are_those_of_redis_4() {
    let Some(mut both) = start() else { return };
    let (long, half) = ("x".repeat(300), "y".repeat(100));
    let requests: [&[&[u8]]; 14] = [
        &[long.as_bytes(), half.as_bytes(), half.as_bytes(), b"z"],
        &[b"f\xff\n\r", b"\xfe\n", b"a\0b"],
        &[b"n\0ame", b"", b""],
        &[b"setrange", b"k", b"536870912", b"v"],
        &[b"append", b"k"],
        &[b"debug", b"nosuch"],
        &[b"debug", b"protocol", b"map"],
        &[b"latency", b"doctor"],
        &[b"client", b"kill", b"id", b"x"],
        &[b"client", b"kill", b"id", b"-1"],
        &[b"command", b"getkeys", b"ping"],
        &[b"command", b"getkeys", b"eval", b"x", b"5"],
        &[b"command", b"getkeys", b"get"],
        &[b"command", b"info", b"client|kill", b"get"],
    ];
    for request in requests {
        let [ours, theirs] = both.ask(request);
        assert_eq!(ours, theirs, "{} of {request:?}", text(theirs.clone()));
    }
}

#[test]
fn help_and_errors_of_subcommands_are_those_of_redis_4() {
    let Some(mut both) = start() else { return };
    for container in [
        "client", "cluster", "command", "config", "latency", "memory", "module", "object",
        "pubsub", "script", "slowlog",
    ] {
        for sub in
            ["help", "nosuch", "get", "GET", "set", "load", "list", "numsub", "usage", "kill"]
        {
            for more in 0..3 {
                if sub == "load" {
                    // There are no modules and no scripts here: other errors.
                    continue;
                }
                let words = [&[container, sub], &["x"; 3][..more]].concat();
                let [ours, theirs] = both.ask(&words).map(text);
                if theirs.starts_with('-') || sub == "help" {
                    assert_eq!(ours, theirs, "{words:?}");
                }
            }
        }
    }
}
