//! Goal: streams answer as in Redis 7, byte for byte. Method: as in the differential test of kv.

#[path = "../../kv/tests/common/mod.rs"]
mod common;
#[path = "../../kv/tests/compare/mod.rs"]
mod compare;
#[path = "../../kv/tests/peer/mod.rs"]
mod peer;
#[path = "../../kv/tests/stream/mod.rs"]
mod stream;

/// `K` may hold other types; `C` is a group, `G` a field or consumer, see `stream::argument`.
const REQUESTS: &str = "\
xadd x NEW G V;xadd x NEW G V;xadd x NEW f V g V;xadd x NEW G V G V;xadd y NEW G V;xadd y NEW G V;xadd K NEW G V;\
xadd x NEW G;xadd x maxlen N NEW G V;xadd x maxlen ~ N NEW G V;xadd x minid ID NEW G V;xadd K nomkstream NEW G V;\
xadd x maxlen = 5 NEW G V;xadd x maxlen ~ 5 limit N NEW G V;xadd x limit N NEW G V;xadd x O N NEW G V;xadd x ID G V;\
xlen x;xlen K;xrange x - +;xrange x ID ID;xrange x ID ID count N;xrange K - +;xrevrange x + -;\
xrevrange x ID ID count N;xrange x - + O N;xdel x ID;xdel x ID ID;xdel y ID;xdel K ID;\
xtrim x maxlen N;xtrim x minid ID;xtrim x maxlen ~ N;xtrim x minid = ID;xtrim y maxlen ~ N limit N;xtrim x O N;\
xsetid x ID;xsetid x NEW;xsetid x NEW entriesadded N;xsetid x NEW maxdeletedid ID;xsetid K NEW;\
xread streams x ID;xread count N streams x y ID ID;xread streams x $;xread streams K ID;xread block 0 streams x $;\
xread block 0 streams x y $ ID;xread block W streams x ID;xread count 2 block 0 streams y NEW;xread streams x >;\
xread streams x y ID;xread O N streams x ID;\
xgroup create x C ID;xgroup create x C $;xgroup create y C 0 mkstream;xgroup create x C 0 entriesread N;\
xgroup create K C 0;xgroup create x C 0 O;xgroup setid x C ID;xgroup setid x C $;xgroup setid x C ID entriesread N;\
xgroup destroy x C;xgroup destroy y C;xgroup createconsumer x C G;xgroup delconsumer x C G;xgroup createconsumer K C G;\
xgroup create x C 0;xgroup create y C 0 mkstream;xgroup create x C 0;\
xreadgroup group C G streams x >;xreadgroup group C G streams x >;xreadgroup group C G count 1 streams x >;\
xreadgroup group C G count N streams x y > >;xreadgroup group C G streams x ID;xreadgroup group C G streams x 0;\
xreadgroup group C G noack streams x >;xreadgroup group C G block 0 streams x >;xreadgroup group C G block 0 streams y >;\
xreadgroup group C G streams x $;xreadgroup group C G O streams x >;xreadgroup group C G streams K >;\
xreadgroup group C G count 1 streams x >;xreadgroup group C G count 2 streams y >;\
xack x C ID ID;xack x C ID;xack K C ID;xack y C ID;\
xpending x C;xpending x C;xpending y C;xpending x C - + N;xpending x C ID ID 10 G;xpending x C idle 0 - + 10;xpending K C;\
xpending x C idle 100000 - + 10;xpending x C - +;\
xclaim x C G 0 ID ID;xclaim x C G 0 ID justid;xclaim x C G 0 ID force;xclaim x C G 0 ID ID force justid;\
xclaim x C G 0 ID retrycount N;xclaim x C G 100000 ID;xclaim x C G 0 ID idle M;xclaim x C G 0 ID time P;\
xclaim x C EMPTY 0 ID force;xclaim x C EMPTY 0 ID;xreadgroup group C EMPTY streams x >;xgroup delconsumer x C EMPTY;\
xclaim x C G 0 ID lastid ID;xclaim x C G 0 ID O N;xclaim K C G 0 ID;xclaim x C G N ID;\
xautoclaim x C G 0 ID;xautoclaim x C G 0 0 count N;xautoclaim x C G 0 ID justid;xautoclaim K C G 0 0;\
xautoclaim x C G 100000 0;xautoclaim x C G 0 0 count 1 justid;xautoclaim x C G N ID O N;\
xinfo stream x;xinfo stream x;xinfo stream K;xinfo stream x full;xinfo stream x full count N;xinfo groups x;\
xinfo groups y;xinfo consumers x C;xinfo consumers K C;xinfo stream x O;\
type x;object encoding x;copy x z replace;xinfo stream z full;xrange z - +;del x;del y;del z;exists x;set x V;lpush K V;get x;\
rename x y;multi;multi;exec;exec;discard;watch x;ping;expire x T;ttl x;persist x";

#[test]
fn random_streams_get_the_replies_of_redis() {
    compare::run::<common::V2>(REQUESTS, compare::Like::Redis7);
}

/// What is meant to differ, with reasons: the list that kv's README names.
const DIFFERENCES: &str = include_str!("../../kv/DIFFERENCES.md");

/// The commands of the table's rows and their subcommands, as in `xinfo stream`.
fn commands() -> Vec<String> {
    let table = <kv_v2::V2 as hotshell_kv_streams::Edition>::table();
    let mut names = Vec::new();
    for row in table.rows() {
        let subs = row.subs.iter().filter(|sub| sub.since <= table.redis);
        let before = names.len();
        names.extend(subs.map(|sub| format!("{} {}", row.name, sub.name)));
        if names.len() == before {
            names.push(row.name.to_owned());
        }
    }
    names
}

#[test]
fn every_command_is_compared_or_the_list_of_differences_says_why_not() {
    let requests = [REQUESTS, stream::REQUESTS].map(|all| all.split(';')).into_iter().flatten();
    let requests: Vec<&str> = requests.collect();
    let compared = |name: &str| {
        requests.iter().any(|request| {
            request.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        })
    };
    let rows = DIFFERENCES.lines().filter_map(|line| line.strip_prefix("| `"));
    let excused: Vec<(&str, &str)> = rows.filter_map(|row| row.split_once('`')).collect();
    for (name, reason) in &excused {
        assert!(reason.len() > 20 && reason.ends_with(" |"), "{name}: a difference needs a reason");
    }
    let excuse = |name: &str| {
        let (container, sub) = name.split_once(' ').unwrap_or((name, name));
        excused.iter().any(|(known, _)| [name, container, sub].contains(known))
    };
    let missing: Vec<String> =
        commands().into_iter().filter(|name| !compared(name) && !excuse(name)).collect();
    assert!(
        missing.is_empty(),
        "these commands are neither compared with Redis (a line in REQUESTS) nor in \
         plugins/kv/DIFFERENCES.md: {}",
        missing.join(", ")
    );
}
