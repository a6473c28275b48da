//! Goal: every command uses keys, and tells hits and misses, as often as in Redis. Method: kv and a
//! redis-server are asked the same, with a log factor of 0, so that OBJECT FREQ counts each use.

mod both;
mod common;
#[allow(dead_code, reason = "the differential test uses the rest")]
mod peer;
mod resp;

use both::Both;
use common::{V1, text};
use hotshell_plugin_api::prelude::Plugin;
use peer::Redis;

const SETUP: &str = "\
select 0;flushall;set str hello;set int 10;set float 1.5;lpush list a b c d;sadd set a b c d;\
sadd ints 1 2 3;hset hash a 1 b 2 c 3;zadd z 1 a 2 b 3 c;geoadd geo 13.3 38.1 a 15 37 b;\
xadd x 1-1 f v;xadd x 2-1 f v;xgroup create x g 0;pfadd p a b c;pfadd q a b c";

const KEYS: &str = "str int float list set ints hash z geo x p q new";

const COMMANDS: &str = "\
append str x;append new x;bitcount str;bitfield str get u8 0;bitfield str set u8 0 1;\
bitfield_ro str get u8 0;bitop and new str str;bitop not str str;bitpos str 1;blpop list 1;\
brpop list 1;brpoplpush list list 1;blmove list list left right 1;blmpop 1 1 list left;\
bzpopmin z 1;bzmpop 1 1 z min;copy str new;copy str int replace;decr int;decrby int 2;del str;\
del new;dump str;exists str;exists str str;expire str 100;expire new 100;expireat str 9999999999;\
expiretime str;geoadd geo 1 1 c;geodist geo a b;geohash geo a;geopos geo a;\
georadius geo 15 37 200 km;georadius geo 15 37 200 km store new;georadiusbymember geo a 100 km;\
geosearch geo frommember a byradius 100 km;geosearchstore new geo frommember a byradius 100 km;\
get str;get new;getbit str 1;getdel str;getex str;getex str ex 100;getex str persist;\
getrange str 0 1;getset str x;getset new x;hdel hash a;hexists hash a;hget hash a;hgetall hash;\
hincrby hash a 1;hincrbyfloat hash a 1;hkeys hash;hlen hash;hmget hash a b;hmset hash a 1;\
hrandfield hash;hrandfield hash 2;hscan hash 0;hset hash a 2;hset new a 2;hsetnx hash a 1;\
hstrlen hash a;hvals hash;incr int;incr new;incrby int 2;incrbyfloat float 1;incrbyfloat int 1;\
keys *;lcs str str;lindex list 0;linsert list before a x;llen list;lmove list list left right;\
lmove list new left right;lmpop 1 list left;lpop list;lpop list 2;lpos list a;lpush list x;\
lpush new x;lpushx list x;lrange list 0 -1;lrem list 0 a;lset list 0 x;ltrim list 0 1;\
memory usage str;mget str int new;move str 1;mset str a int 1;mset new 2;msetnx new 1;\
msetnx str 1 new 1;object encoding str;object freq str;object refcount str;persist str;\
pexpire str 100000;pexpireat str 9999999999999;pexpiretime str;pfadd p x;pfcount p;pfcount p q;\
pfmerge p q;pfmerge new p q;psetex str 100000 v;pttl str;randomkey;rename str new;rename str int;\
renamenx str new;restore new 0 x;rpop list;rpoplpush list list;rpush list x;rpushx list x;\
sadd set x;sadd new x;scan 0;scan 0 match s* count 100;scan 0 count 100 type string;scard set;\
sdiff set ints;sdiffstore new set ints;set str v;set str v nx;set str v xx;set str v get;\
set str v keepttl;set str v ex 100;set new v;set new v get;setbit str 1 1;setex str 100 v;\
setnx str v;setnx new v;setrange str 1 v;sinter set ints;sintercard 2 set ints;\
sinterstore new set ints;sismember set a;smembers set;smismember set a b;smove set ints a;\
smove set new a;sort list alpha;sort list alpha store new;sort ints by nosort;\
sort ints by s* get str get int;sort_ro ints;spop set;spop set 2;srandmember set;\
srandmember set 2;srem set a;sscan set 0;strlen str;substr str 0 1;sunion set ints;\
sunionstore new set ints;touch str;touch str int new;ttl str;type str;unlink str;watch str;\
xack x g 1-1;xadd x 3-1 f v;xadd new 3-1 f v;xautoclaim x g c 0 0;xclaim x g c 0 1-1;xdel x 1-1;\
xgroup create x h 0;xgroup createconsumer x g c;xgroup delconsumer x g c;xgroup destroy x g;\
xgroup setid x g 0;xinfo consumers x g;xinfo groups x;xinfo stream x;xinfo stream x full;xlen x;\
xpending x g;xpending x g - + 10;xrange x - +;xread streams x 0;xreadgroup group g c streams x >;\
xrevrange x + -;xsetid x 5-1;xtrim x maxlen 1;zadd z 5 x;zadd new 5 x;zcard z;zcount z 0 10;\
zdiff 2 z geo;zdiffstore new 2 z geo;zincrby z 1 a;zinter 2 z geo;zintercard 2 z geo;\
zinterstore new 2 z geo;zlexcount z - +;zmpop 1 z min;zmscore z a b;zpopmax z;zpopmin z 2;\
zrandmember z;zrandmember z 2;zrange z 0 -1;zrangestore new z 0 -1;zrangebylex z - +;\
zrangebyscore z 0 9;zrank z a;zrem z a;zremrangebylex z [a [a;zremrangebyrank z 0 0;\
zremrangebyscore z 1 1;zrevrange z 0 -1;zrevrank z a;zscan z 0;zscore z a;zunion 2 z geo;\
zunionstore new 2 z geo;debug object str;swapdb 0 0;command getkeys get str;dbsize;lrange str 0 1;\
get list;hget str a;sadd str a;zadd str 1 a;lpush str a;incr str;append list x;setrange list 0 x;\
xadd str * f v;pfadd str a;geoadd str 1 1 a;setbit list 1 1;getex list;getset list x;object help";

/// These look a key up once more in Redis 7 than they need.
const ONE_MORE: [&str; 6] = ["blmove", "brpoplpush", "bzmpop", "bzpopmin", "xread", "xreadgroup"];

/// These in Redis 4: what writes looks up first whether the key is there.
const ONE_MORE_4: [&str; 18] = [
    "append",
    "bitfield",
    "bitop",
    "brpoplpush",
    "decr",
    "decrby",
    "getset",
    "incr",
    "incrby",
    "incrbyfloat",
    "mset",
    "pfcount",
    "psetex",
    "set",
    "setbit",
    "setex",
    "setrange",
    "spop",
];

/// Hits and misses of keys.
fn hits(info: &[u8]) -> Vec<String> {
    let info = String::from_utf8_lossy(info).into_owned();
    info.lines().filter(|line| line.starts_with("keyspace_")).map(str::to_owned).collect()
}

/// What a command does to OBJECT FREQ of all keys, and what INFO tells of hits, of both.
fn traces<P: Plugin>(both: &mut Both<P>, command: &str) -> [String; 2] {
    let mut ask = |line: &str| both.ask(&line.split(' ').collect::<Vec<_>>());
    SETUP.split(';').for_each(|line| drop(ask(line)));
    ask("config resetstat");
    ask(command);
    let told = ask("info stats").map(|info| hits(&info).join(" "));
    ask("unwatch");
    let mut traces = told;
    for key in KEYS.split(' ') {
        let freq = ask(&format!("object freq {key}")).map(text);
        for (trace, freq) in traces.iter_mut().zip(freq) {
            trace.push_str(&format!(" {key}{}", freq.trim_end()));
        }
    }
    traces
}

fn compare<P: Plugin>(both: &mut Both<P>, left_out: &[&str]) {
    // With a limit Redis shares no small integers, whose uses would be counted together.
    for parameter in [
        "lfu-log-factor 0",
        "lfu-decay-time 0",
        "maxmemory-policy allkeys-lfu",
        "maxmemory 1000000000",
    ] {
        let words: Vec<&str> = ["config", "set"].into_iter().chain(parameter.split(' ')).collect();
        assert_eq!(both.ask(&words).map(text), ["+OK\r\n"; 2], "{parameter}");
    }
    let compared = COMMANDS.split(';').filter(|command| {
        let name = command.split(' ').next().unwrap_or_default();
        !left_out.contains(&name)
    });
    let mut differ = Vec::new();
    for command in compared {
        let [ours, theirs] = traces(both, command);
        if ours != theirs {
            differ.push(format!("{command}\n  kv:    {ours}\n  redis: {theirs}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn commands_use_keys_and_tell_hits_as_redis_7() {
    let Some(mut both) = Both::start() else { return };
    both.catch_up();
    compare(&mut both, &ONE_MORE);
}

/// Debian has no such server any more, so this runs where one was built: `HOTSHELL_REDIS_4` is its path.
#[test]
fn commands_use_keys_and_tell_hits_as_redis_4() {
    let Some(redis) = Redis::start_4() else {
        return println!("skipped: HOTSHELL_REDIS_4 is not set: the path of a redis-server 4.0");
    };
    let mut both = Both::<V1>::beside(redis);
    both.catch_up();
    // OBJECT tells nothing of hits there.
    compare(&mut both, &[&ONE_MORE_4[..], &["object"]].concat());
}
