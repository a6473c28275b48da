//! Random command streams: few keys, so that types clash; odd values; some requests spoiled.

use std::ops::Range;

/// Times to live are drawn from here, in seconds, and no other number is.
const TTL: Range<i64> = 700_000..800_000;

/// Whether a number can be a time to live of which some seconds have passed.
pub fn is_ttl(seconds: i64) -> bool {
    (TTL.start - 60..TTL.end).contains(&seconds)
}

/// One request of one client.
#[derive(Debug, Clone)]
pub struct Step {
    pub client: usize,
    pub args: Vec<Vec<u8>>,
}

/// SplitMix64.
pub struct Random(u64, u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed, 0)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// Requests; capital letters stand for random arguments, see `argument`.
#[allow(dead_code, reason = "kv-streams has its own")]
pub const REQUESTS: &str = "\
get K;get K;set K V;set K V;set K V ex T;set K V px M;set K V nx;set K V xx;set K V get;\
set K V keepttl;set K V exat A;set K V pxat P;set K V O O;set K V O T O;getset K V;setnx K V;\
setex K T V;psetex K M V;setex K J V;mget K K K;mset K V K V;msetnx K V K V;append K V;strlen K;\
getrange K N N;substr K N N;setrange K N V;incr K;decr K;incrby K I;decrby K I;incrbyfloat K F;\
getdel K;getex K;getex K ex T;getex K persist;getex K O T;\
lpush K V;lpush K V V;rpush K V V V;lpushx K V;rpushx K V V;lpop K;rpop K;lpop K N;rpop K N;llen K;\
lrange K N N;lrange K 0 -1;lindex K N;lset K N V;ltrim K N N;rpoplpush K K;lmove K K E E;\
blpop K K 0;brpop K 0;blpop K 100;brpop K W;\
hset K G V;hset K G V G V;hset K G I;hset K G F;hmset K G V G V;hsetnx K G V;hget K G;hget K G;\
hmget K G G V;hgetall K;hgetall K;hkeys K;hvals K;hdel K G;hdel K G G;hlen K;hexists K G;hstrlen K G;\
hincrby K G I;hincrby K G I;hincrbyfloat K G F;hincrbyfloat K G F;hset L G V G V G V;hset L V G V G;\
hgetall L;hincrby L G I;hscan K 0 count 1000;hscan K x;hscan K 0 O V;hscan K 0 match V count 1000;\
hrandfield K 1000;hrandfield K 0;hrandfield K 1000 withvalues;hrandfield K x;\
hrandfield K 9223372036854775807 withvalues;\
object encoding L;\
sadd K G;sadd K G G V;sadd K I I;srem K G;srem K G V;sismember K G;smismember K G V;smembers K;scard K;\
smove K K G;spop K 1000;spop K 0;spop K J;srandmember K 1000;srandmember K 0;srandmember K O;\
sadd S G G V;sadd S I I;srem S G;smove S S G;smembers S;sinter S S;sunion S S S;sdiff S S S;sinter S S S;\
sunionstore S S S;sdiffstore S S S;sinterstore S S S;sunionstore K K S;sinterstore K K S;sdiffstore K K K;\
sinter K K;sunion K K;sdiff K S;sintercard 2 S S;sintercard N S S;sintercard 2 S S limit N;\
sintercard 2 K S O N;sscan S 0 count 1000;sscan K 0 match 1* count 1000;object encoding S;sadd S U U U U U U;\
zadd K X G;zadd Z X G X G;zadd Z X U X U X U X U;zadd Z X G;zadd Z Y X G;zadd Z Y Y X G X G;zadd Z Y Y Y X G;\
zadd Z X V;zincrby Z X G;zincrby K X G;zrem Z G;zrem Z G G;zrem K G;zscore Z G;zmscore Z G G;zcard Z;zrank Z G;\
zrevrank Z G;zpopmin Z;zpopmax Z;zpopmin Z N;zpopmax K N;zrange Z N N;zrange Z 0 -1 withscores;\
zrange Z 0 -1 withscores;zrevrange Z N N withscores;zrange Z X X byscore;zrange Z X X byscore rev limit N N;\
zrange Z - + bylex;zrange Z N N R;zrange Z X X R R;zrange lex B B R R;zrange K 0 -1 O;\
zrangebyscore Z X X;zrangebyscore Z X X withscores limit N N;zrevrangebyscore Z X X;\
zrevrangebyscore Z X X limit N N;zcount Z X X;zcount K X X;zremrangebyrank Z N N;zremrangebyscore Z X X;\
zadd lex 0 G 0 G 0 G;zadd lex 0 U 0 U;zrangebylex lex B B;zrevrangebylex lex B B;zrangebylex lex B B limit N N;\
zlexcount lex B B;zremrangebylex lex B B;zrange lex B B bylex rev;zlexcount K B B;\
zrangestore Z Z N N;zrangestore Z Z X X byscore limit N N;zrangestore Z K 0 -1 O;\
zscan Z 0 count 1000;zscan K 0 count 1000;zrandmember Z 1000;zrandmember Z 1000 withscores;zrandmember Z 0;\
object encoding Z;zunionstore Z 2 Z Z;zinterstore Z 2 Z Z;zdiffstore Z 2 Z Z;zunion 2 Z Z withscores;\
zinter 2 Z Z withscores;zdiff 2 Z Z withscores;zunion 2 Z S weights Q Q aggregate H withscores;\
zinterstore Z 2 Z Z weights Q Q aggregate H;zunionstore K N Z K;zinter 2 Z K aggregate O;zdiff 3 Z S K;\
zdiffstore Z 2 Z Z O;zintercard 2 Z Z limit N;zintercard 2 Z S;zunion N Z Z Z weights Q Q Q;\
zinter 2 S S withscores;\
brpoplpush K K 0;blmove K K E E 0;brpoplpush K K W;blmove K K E E N;\
lcs K K;lcs K K len;lcs K K idx;lcs K K idx minmatchlen N withmatchlen;lcs K K O N;\
lmpop 2 K K left;lmpop 2 K K right count N;lmpop N K E;lmpop 1 K E count N;blmpop 0 2 K K left count 2;\
blmpop W 1 K right;blmpop 0 N K E;zmpop 2 Z Z min;zmpop 2 Z Z max count N;zmpop 1 K min O N;\
bzmpop 0 2 Z Z min count 2;bzmpop W 1 Z max;bzpopmin Z Z 0;bzpopmax Z 0;bzpopmin K Z 0;bzpopmax Z W;\
ssubscribe C;sunsubscribe C;spublish C V;pubsub shardnumsub C C;pubsub shardchannels x;\
linsert K before V V;linsert K after V V;linsert K O V V;lrem K N V;lpos K V;lpos K V rank N;\
lpos K V count N maxlen N;lpos K V rank N count N;lpos K V O N;rpush K V V V V;\
setbit K D 1;setbit K D 0;setbit K N N;getbit K D;getbit K N;bitcount K;bitcount K N N;bitcount K D D bit;\
bitcount K N N O;bitpos K 1;bitpos K 0;bitpos K N N;bitpos K 1 N N;bitpos K 0 N N bit;bitpos K 0 D D bit;\
bitop and K K K;bitop or K K K;bitop xor K K K;bitop not K K;bitop not K K K;bitop O K K;\
bitfield K get T1 D;bitfield K set T1 D I;bitfield K set u8 #N I get u4 0;bitfield K incrby T1 D I get T1 D;\
bitfield K overflow T2 incrby T1 D I set T1 D I;bitfield K overflow T2 set T1 D I get T1 D;bitfield_ro K get T1 D;bitfield_ro K set u8 0 1;bitfield K O D;\
pfadd P2 V V;pfadd P2 G;pfadd P2 U U U U;pfcount P2;pfcount P2 P2;pfmerge P2 P2 P2;pfcount K;pfmerge P2 K;\
get P2;strlen P2;getrange P2 0 15;pfadd P2 U U U U U U U U U U U U U U U U U U U U;append P2 V;setrange P2 N V;setrange P2 18 V;\
pfdebug getreg P2;pfdebug encoding P2;pfdebug encoding P2;pfdebug decode P2;pfdebug todense P2;pfdebug decode K;pfdebug O P2;\
geoadd Z G1 G2 G;geoadd Z G1 G2 G G1 G2 G;geoadd Z Y G1 G2 G;geoadd K G1 G2 V;geoadd z2 G1 G2 G G1 G2 G G1 G2 G;geopos Z G G;geopos K V;\
geodist Z G G;geodist Z G G G3;geodist K V V G3;geohash Z G G;geohash K V;\
georadius Z G1 G2 G4 G3;georadius Z G1 G2 G4 G3 G5;georadius Z G1 G2 G4 G3 G5 G5 count N;georadius z2 G1 G2 5000 km asc G5;\
georadius z2 G1 G2 G4 km store Z;georadius Z G1 G2 G4 G3 storedist z1;georadius_ro z2 G1 G2 G4 km G5 G5;georadius K G1 G2 G4 G3 G5;\
georadiusbymember z2 G G4 G3 G5;georadiusbymember Z G G4 km G5 G5;georadiusbymember_ro Z G G4 km G5 count N;georadiusbymember K V G4 G3 store Z;\
geosearch z2 frommember G byradius G4 G3 G5 G5;geosearch z2 fromlonlat G1 G2 byradius G4 km asc;geosearch Z fromlonlat G1 G2 bybox G4 G4 km G5;\
geosearch z2 fromlonlat G1 G2 bybox 9000 4000 km desc withdist;geosearch z2 frommember G bybox G4 G4 G3 asc count N any;geosearch K frommember G byradius G4 G3;\
geosearch z2 G5 G1 G2 G5 G4 G3;geosearchstore Z z2 fromlonlat G1 G2 byradius G4 km;geosearchstore z1 z2 frommember G byradius G4 km storedist;\
geosearchstore K Z fromlonlat G1 G2 bybox G4 G4 km asc count N;zrange z2 0 -1 withscores;\
del P2;del K;del K K;unlink K K;exists K K K;touch K K;type K;rename K K;renamenx K K;copy K K;copy K K O;\
copy K K db N replace;move K N;dbsize;flushdb;flushall O;select N;object encoding K;\
object O K;\
expire K T;pexpire K M;expireat K A;pexpireat K P;expire K T O;expire K T O O;pexpire K J;expire K I;\
ttl K;pttl K;expiretime K;pexpiretime K;persist K;expire K J;\
sort K;sort K alpha;sort K desc;sort K limit N N;sort K alpha desc limit N N;sort S alpha;\
sort K by K* get # get K;sort K alpha store K;sort S store K;sort_ro z9;sort_ro z9 by nosort desc;zadd z9 X G X G;sort_ro z9 alpha;sort K O N;\
swapdb N N;auth V;auth default V;wait 0 W;wait 0 N;wait N 100000;wait N 0;script exists V;fcall V N;evalsha V N;\
multi;multi;exec;exec;discard;watch K;watch K K;unwatch;\
subscribe C;unsubscribe C;psubscribe c*;punsubscribe c*;publish C V;publish C V;pubsub numsub C C;\
pubsub numpat;pubsub O;pubsub channels x;\
ping;ping V;echo V;hello 4;hello x;client setname V;client getname;client O;client O V;\
client tracking on;client tracking off;client tracking on noloop;client tracking on optin;client caching yes;client tracking on optout;client caching no;client tracking on O;\
restore K 0 V;restore K J V;restore K T V O;restore-asking K J V;restore K 0 V replace O N;dump none;memory purge;memory usage none;memory usage none O N;\
client trackinginfo;client getredir;client no-evict V;client unblock -5 O;client unblock x;acl whoami;acl users;acl cat V;acl V;\
reset;command count V;config O;config set V;config get nothing;nosuchcommand V V;\
keys *;keys K;keys [a-c];keys V;randomkey V;object freq K;object idletime L;object refcount K;quit V;\
script flush;script flush V;script kill;script debug no;script debug V;function flush;function list;function stats;function dump;failover;failover abort;failover to V I;failover to V 6379 force timeout N;failover O;failover timeout I;function kill;function delete V;\
slowlog get N;slowlog len;slowlog reset;slowlog get V;latency history V;latency graph V;latency latest;latency reset;\
client no-evict on;client no-evict V;client pause N;client pause 0;client unpause;client reply on;client reply V;\
config resetstat;config rewrite;command getkeys get K;command getkeys V;command getkeysandflags set K V O;command getkeysandflags sort K by K* store K;\
command getkeysandflags lmpop N K K left;command getkeysandflags V V V;\
readonly;readwrite;asking;module list;\
scan x;scan 0 O;scan 0 match nothing count 1000;scan 0 count x";

/// Spoiled, these would show what must differ: ids, orders, what is drawn by lot.
const KEEP: &[&str] = &[
    "scan",
    "hello",
    "command",
    "pubsub",
    "unsubscribe",
    "punsubscribe",
    "sunsubscribe",
    "hscan",
    "sscan",
    "hrandfield",
    "srandmember",
    "zrandmember",
    "randomkey",
    "spop",
];

/// Replies of these come in no order; of transactions, too, as they may hold them.
const IN_NO_ORDER: &[&str] = &[
    "hgetall",
    "hkeys",
    "hvals",
    "hscan",
    "hrandfield",
    "smembers",
    "sinter",
    "sunion",
    "sdiff",
    "spop",
    "srandmember",
    "sscan",
    "zscan",
    "zrandmember",
    "keys",
    "exec",
];

/// Whether the order of the reply is open.
pub fn in_no_order(args: &[Vec<u8>]) -> bool {
    IN_NO_ORDER.iter().any(|name| args[0].eq_ignore_ascii_case(name.as_bytes()))
}

/// Whether the reply holds milliseconds that have passed.
pub fn tells_time(args: &[Vec<u8>]) -> bool {
    let is =
        |n: usize, word: &str| args.get(n).is_some_and(|a| a.eq_ignore_ascii_case(word.as_bytes()));
    (is(0, "xpending") && args.len() > 3) || is(0, "xinfo") || is(0, "exec")
}

/// A stream of so many steps.
pub fn stream(random: &mut Random, requests: &str, steps: usize, clients: usize) -> Vec<Step> {
    let requests: Vec<&str> = requests.split(';').collect();
    let mut stream = Vec::new();
    for _ in 0..steps {
        let request = random.pick(&requests);
        let mut args: Vec<Vec<u8>> =
            request.split(' ').map(|word| argument(random, word)).collect();
        let keep = KEEP.contains(&request.split(' ').next().unwrap_or(""));
        match random.below(40) {
            0 | 1 if keep => {}
            0 => args.truncate(random.below(args.len()).max(1)),
            1 => args.push(value(random)),
            2 => args[0] = args[0].to_ascii_uppercase(),
            _ => {}
        }
        // Mostly one client, so that its transactions get somewhere.
        let client = if random.below(2) == 0 { 0 } else { random.below(clients) };
        stream.push(Step { client, args });
    }
    stream
}

fn argument(random: &mut Random, word: &str) -> Vec<u8> {
    let ttl = TTL.start + random.below((TTL.end - TTL.start) as usize) as i64;
    let now = crate::peer::unix_ms() as i64;
    let number = match word {
        "K" => return random.pick(&["a", "b", "c", "d", "e", "a-longer-name-of-a-key"]).into(),
        "V" => return value(random),
        "G" => {
            return random.pick(&["f0", "f1", "f2", "f3", "1", "-20", "300000", "f4"]).into();
        }
        "S" => return random.pick(&["s0", "s1", "s2"]).into(),
        "U" => return random.below(2000).to_string().into_bytes(),
        "Z" => return random.pick(&["z0", "z1", "z2"]).into(),
        "X" => {
            return random
                .pick(&[
                    "1",
                    "2",
                    "3",
                    "-1",
                    "1.5",
                    "0.1",
                    "0x10",
                    "-0x1.8p1",
                    "0x",
                    "inf",
                    "-inf",
                    "(1",
                    "(2",
                    "x",
                    "1e300",
                    "0",
                    "123456789.25",
                    "1e-7",
                    "(inf",
                    "",
                    "nan",
                ])
                .into();
        }
        "Y" => return random.pick(&["nx", "xx", "gt", "lt", "ch", "incr"]).into(),
        // No negative one: our sorted sets know no negative zero.
        "Q" => return random.pick(&["1", "2", "0.5", "inf", "1e300", "x"]).into(),
        "D" => return random.below(100).to_string().into_bytes(),
        "P2" => return random.pick(&["p0", "p1", "p2"]).into(),
        "T1" => {
            return random.pick(&["u8", "i8", "i5", "u63", "i64", "u64", "u1", "i16", "x"]).into();
        }
        "T2" => return random.pick(&["wrap", "sat", "fail", "none"]).into(),
        "#N" => return format!("#{}", random.below(9)).into_bytes(),
        "H" => return random.pick(&["sum", "min", "max", "avg"]).into(),
        "R" => return random.pick(&["rev", "byscore", "bylex", "withscores", "limit"]).into(),
        "B" => {
            return random
                .pick(&["-", "+", "[f1", "(f1", "[f3", "(f3", "[1", "(5", "x", "[", "("])
                .into();
        }
        "ID" => {
            let (ms, seq) = (random.below(6), random.below(4));
            return match random.below(12) {
                0 => {
                    random.pick(&["-", "+", "x", "0", "0-0", "1-*", "(1-1", "(", "5-", "-5"]).into()
                }
                1 => format!("{ms}").into_bytes(),
                2 => format!("({ms}-{seq}").into_bytes(),
                _ => format!("{ms}-{seq}").into_bytes(),
            };
        }
        "EMPTY" => return Vec::new(),
        // Ids that mostly grow.
        "NEW" => {
            random.1 += random.below(3) as u64;
            return match random.below(12) {
                0 => format!("{}-*", random.1).into_bytes(),
                seq => format!("{}-{}", random.1, seq % 3).into_bytes(),
            };
        }
        // Longitude, latitude, unit, length, option of geo commands.
        "G1" => {
            return random
                .pick(&["13.361389", "15.08", "-122.4", "0", "179.9", "-180", "181", "x"])
                .into();
        }
        "G2" => return random.pick(&["38.115556", "37.5", "-33.9", "0", "84", "-85", "86"]).into(),
        "G3" => return random.pick(&["m", "km", "KM", "ft", "mi", "mile"]).into(),
        "G4" => return random.pick(&["200", "1000", "0", "4000.5", "20000", "-1", "x"]).into(),
        "G5" => {
            return random
                .pick(&[
                    "asc",
                    "desc",
                    "withdist",
                    "withcoord",
                    "withhash",
                    "any",
                    "count",
                    "store",
                    "storedist",
                    "fromlonlat",
                    "frommember",
                    "byradius",
                    "bybox",
                    "O",
                ])
                .into();
        }
        "L" => return random.pick(&["l0", "l1"]).into(),
        "C" => return random.pick(&["c0", "c1"]).into(),
        "E" => return random.pick(&["left", "right", "LEFT", "up"]).into(),
        "O" => {
            return random
                .pick(&[
                    "nx", "xx", "gt", "lt", "get", "keepttl", "ex", "px", "persist", "replace",
                    "db", "async", "sync", "count", "match", "type", "freq", "idle",
                ])
                .into();
        }
        "F" => return random.pick(&["0.1", "-2.5", "3", "1e3", "x", "inf", "0.000001"]).into(),
        "W" => return random.pick(&["x", "-1", "inf", "-0.5", "1e30"]).into(),
        "J" => return random.pick(&["-1", "x", "", "01", "9223372036854775807", "0"]).into(),
        "I" => {
            return random
                .pick(&[
                    "1",
                    "-1",
                    "100",
                    "9223372036854775807",
                    "-9223372036854775808",
                    "x",
                    "1.5",
                    "",
                    "9223372036854775808",
                    "01",
                ])
                .into();
        }
        "N" => {
            return random.pick(&["0", "1", "2", "3", "-1", "-2", "-3", "10", "-100", "x"]).into();
        }
        "T" => ttl,
        "M" => ttl * 1000,
        "A" => now / 1000 + ttl,
        "P" => now + ttl * 1000,
        _ => return word.into(),
    };
    number.to_string().into_bytes()
}

fn value(random: &mut Random) -> Vec<u8> {
    let long = "0123456789x".repeat(random.below(9));
    let values = [
        "",
        "x",
        "hello",
        "10",
        "-7",
        "0",
        "007",
        " 1",
        "-0",
        "3.14",
        "1e5",
        "9223372036854775807",
        "-9223372036854775808",
        "two words",
        "line\r\nbreak",
        "nx",
        "100",
        &long,
    ];
    random.pick(&values).into()
}
