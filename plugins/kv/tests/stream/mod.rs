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
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

/// Requests; capital letters stand for random arguments, see `argument`.
const REQUESTS: &str = "\
get K;get K;set K V;set K V;set K V ex T;set K V px M;set K V nx;set K V xx;set K V get;\
set K V keepttl;set K V exat A;set K V pxat P;set K V O O;set K V O T O;getset K V;setnx K V;\
setex K T V;psetex K M V;setex K J V;mget K K K;mset K V K V;msetnx K V K V;append K V;strlen K;\
getrange K N N;substr K N N;setrange K N V;incr K;decr K;incrby K I;decrby K I;incrbyfloat K F;\
getdel K;getex K;getex K ex T;getex K persist;getex K O T;\
lpush K V;lpush K V V;rpush K V V V;lpushx K V;rpushx K V V;lpop K;rpop K;lpop K N;rpop K N;llen K;\
lrange K N N;lrange K 0 -1;lindex K N;lset K N V;ltrim K N N;rpoplpush K K;lmove K K E E;\
blpop K K 0;brpop K 0;blpop K 100;brpop K W;\
del K;del K K;unlink K K;exists K K K;touch K K;type K;rename K K;renamenx K K;copy K K;copy K K O;\
copy K K db N replace;move K N;dbsize;flushdb;flushall O;select N;object encoding K;\
object O K;\
expire K T;pexpire K M;expireat K A;pexpireat K P;expire K T O;expire K T O O;pexpire K J;expire K I;\
ttl K;pttl K;expiretime K;pexpiretime K;persist K;expire K J;\
multi;multi;exec;exec;discard;watch K;watch K K;unwatch;\
subscribe C;unsubscribe C;psubscribe c*;punsubscribe c*;publish C V;publish C V;pubsub numsub C C;\
pubsub numpat;pubsub O;pubsub channels x;\
ping;ping V;echo V;hello 4;hello x;client setname V;client getname;client O;client O V;\
reset;command count V;config O;config set V;config get nothing;nosuchcommand V V;\
scan x;scan 0 O;scan 0 match nothing;scan 0 count x";

/// A stream of so many steps.
pub fn stream(random: &mut Random, steps: usize, clients: usize) -> Vec<Step> {
    let requests: Vec<&str> = REQUESTS.split(';').collect();
    let mut stream = Vec::new();
    for _ in 0..steps {
        let request = random.pick(&requests);
        let mut args: Vec<Vec<u8>> =
            request.split(' ').map(|word| argument(random, word)).collect();
        // Spoiled, these would show what must differ: ids, orders, the number of commands.
        let keep = ["scan", "hello", "command", "pubsub", "unsubscribe", "punsubscribe"]
            .contains(&request.split(' ').next().unwrap_or(""));
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
