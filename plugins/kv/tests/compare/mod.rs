//! Random streams of requests to a `TestServer` and to a real redis-server, whose replies must be the
//! same. A failing stream is shrunk and printed with its seed, as a page that the corpus takes: what is
//! there is sent first.

mod corpus;

use std::fmt;
use std::time::{Duration, Instant};

use hotshell_plugin_api::plugin::Plugin;
use hotshell_plugin_api::testing::TestServer;

use crate::common::encode;
use crate::peer::{self, Redis};
use crate::stream::{self, Random, Step, stream, text};
use corpus::Page;

/// Clients that send requests.
const CLIENTS: usize = 3;
/// The one behind them only hears of changes of keys, in every second stream.
const LISTENER: usize = CLIENTS;
const STEPS: usize = 150;
/// What a run without settings sends, the same each time: seeds 1 to this.
const STREAMS: u64 = 100;
/// How often a stream is run that differs, to know that this is not the machine's doing.
const TIMES: u32 = 4;
/// How long a failing stream is shrunk at most.
const SHRINK_FOR: Duration = Duration::from_secs(10);

/// Parameters that say from where on a collection is a large one: of a few elements, and as they are.
const LIMITS: [(&str, &str, &str); 6] = [
    ("hash-max-ziplist-entries", "3", "512"),
    ("hash-max-ziplist-value", "8", "64"),
    ("set-max-intset-entries", "3", "512"),
    ("zset-max-ziplist-entries", "3", "128"),
    ("zset-max-ziplist-value", "8", "64"),
    ("stream-node-max-entries", "3", "100"),
];

/// What is open in a reply.
#[derive(Debug, Clone, Copy, Default)]
struct Open {
    /// The order of its elements.
    order: bool,
    /// How much time has passed.
    time: bool,
    /// The texts of errors.
    errors: bool,
}

/// How a stream is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Setting {
    /// Which clients speak RESP3.
    resp3: [bool; CLIENTS],
    /// Whether keyspace notifications are sent.
    notify: bool,
    /// Whether collections of a few elements are large ones.
    large: bool,
    /// Whether it is a version without streams.
    old: bool,
    /// Whether the texts of errors are open.
    errors: bool,
}

impl Setting {
    /// Without anything that a page says.
    fn plain(like: Like) -> Self {
        let (old, errors) = (like != Like::Redis7, like == Like::Redis4As7);
        Self { resp3: [false; CLIENTS], notify: false, large: false, old, errors }
    }
}

/// As a line of a page: see [`corpus`].
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("setting:")?;
        if self.notify {
            f.write_str(" notify")?;
        }
        if self.large {
            f.write_str(" large")?;
        }
        for client in (0..CLIENTS).filter(|&client| self.resp3[client]) {
            write!(f, " resp3={client}")?;
        }
        f.write_str("\n")
    }
}

/// What the server is to be like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "kv-streams has one version")]
pub enum Like {
    /// As a Redis 7.0, in both protocols.
    Redis7,
    /// As a Redis 4.0.
    Redis4,
    /// As a Redis 7.0 in what both know: RESP2 only; errors have the texts of their time, so it is
    /// compared that there is one.
    Redis4As7,
}

/// Sends streams made of these requests: [`STREAMS`] of them, or for `HOTSHELL_DIFF_SECONDS` those of
/// seeds that begin with the clock.
pub fn run<P: Plugin>(requests: &str, like: Like) {
    run_without::<P>(requests, like, |_| false);
}

/// The same without steps that are left out.
pub fn run_without<P: Plugin>(requests: &str, like: Like, is_left_out: fn(&[Vec<u8>]) -> bool) {
    let peer = if like == Like::Redis4 { Redis::start_4() } else { Redis::start() };
    let Some(mut redis) = peer else {
        println!("skipped: no redis-server");
        return;
    };
    let setting = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (only, seconds) = (setting("HOTSHELL_DIFF_SEED"), setting("HOTSHELL_DIFF_SECONDS"));
    let seeds = match (only, seconds) {
        (Some(seed), _) => seed..=seed,
        (None, Some(_)) => peer::unix_ms()..=u64::MAX,
        (None, None) => 1..=STREAMS,
    };
    let budget = seconds.map(Duration::from_secs);
    for Page { file, setting, steps } in corpus::pages(like) {
        if let Some(failure) = always_differs::<P>(&mut redis, setting, &steps) {
            panic!("{}\n{failure}", file.display());
        }
    }
    let start = Instant::now();
    println!("streams from seed {} on", seeds.start());
    for seed in seeds {
        let mut random = Random::new(seed);
        let resp3 = [0; CLIENTS].map(|_| random.below(2) == 1 && like == Like::Redis7);
        let (notify, large) = (random.below(2) == 1, random.below(2) == 1);
        let setting = Setting { resp3, notify, large, ..Setting::plain(like) };
        let mut steps = stream(&mut random, requests, STEPS, CLIENTS);
        steps.retain(|step| !is_left_out(&step.args));
        if let Some(failure) = always_differs::<P>(&mut redis, setting, &steps) {
            let steps = shrink::<P>(&mut redis, setting, steps, Instant::now() + SHRINK_FOR);
            let failure = compare::<P>(&mut redis, setting, &steps).unwrap_or(failure);
            panic!(
                "seed {seed}; once it is mended, keep these lines in {}/NAME.txt\n# what it shows\n\
                 {setting}{}\n{failure}",
                corpus::folder(like).display(),
                text::print(&steps)
            );
        }
        if budget.is_some_and(|budget| start.elapsed() > budget) {
            println!("the last had seed {seed}");
            return;
        }
    }
}

/// What differs first in a stream, each time that it is run.
fn always_differs<P: Plugin>(
    redis: &mut Redis,
    setting: Setting,
    steps: &[Step],
) -> Option<String> {
    let failure = compare::<P>(redis, setting, steps)?;
    // On a loaded machine a clock may jump a second between the two: what is wrong, is wrong again.
    for _ in 1..TIMES {
        if compare::<P>(redis, setting, steps).is_none() {
            println!("it does not differ each time:\n{failure}");
            return None;
        }
    }
    Some(failure)
}

/// Runs a stream on both; what differs first.
fn compare<P: Plugin>(redis: &mut Redis, setting: Setting, steps: &[Step]) -> Option<String> {
    redis.renew(CLIENTS + 1);
    let mut server = TestServer::<P>::new();
    // Before there is anything that is looked at every now and then.
    server.advance(peer::unix_ms().saturating_sub(server.unix_ms()));
    let clients: Vec<_> = (0..=LISTENER).map(|_| server.connect()).collect();
    let events = if setting.notify { "KEA" } else { "" };
    // Redis 4 has no streams.
    let known = &LIMITS[..if setting.old { LIMITS.len() - 1 } else { LIMITS.len() }];
    let limits =
        known.iter().map(|&(name, few, many)| (name, if setting.large { few } else { many }));
    let parameters = limits.chain([("notify-keyspace-events", events)]);
    let parameters = parameters.map(|(name, value)| encode(&["config", "set", name, value]));
    for request in parameters.chain([encode(&["psubscribe", "__key*__:*"])]) {
        let ours = server.ask(clients[LISTENER], &request);
        redis.send(LISTENER, &request);
        assert_eq!(ours, redis.read_until(LISTENER, |theirs| theirs == ours));
    }
    for (i, &client) in clients[..CLIENTS].iter().enumerate().filter(|(i, _)| setting.resp3[*i]) {
        // The replies hold ids, which differ.
        server.ask(client, &encode(&["hello", "3"]));
        redis.send(i, &encode(&["hello", "3"]));
        redis.read_until(i, |reply| reply.ends_with(b"modules\r\n*0\r\n"));
    }
    // Of replies that are still to come, too: a client may wait meanwhile.
    let closed = Open { errors: setting.errors, ..Open::default() };
    let mut open = [closed; CLIENTS + 1];
    for (n, step) in steps.iter().enumerate() {
        open[step.client].order |= stream::in_no_order(&step.args);
        open[step.client].time |= stream::tells_time(&step.args);
        server.advance(peer::unix_ms().saturating_sub(server.unix_ms()));
        let request = encode(&step.args);
        redis.send(step.client, &request);
        if server.is_connected(clients[step.client]) {
            server.feed(clients[step.client], &request);
        }
        redis.sync();
        // The peer's clock went on meanwhile: a pause of milliseconds is over.
        server.advance(peer::unix_ms().saturating_sub(server.unix_ms()));
        for (i, &client) in clients.iter().enumerate() {
            let ours = server.read(client);
            let theirs = redis.read_until(i, |theirs| same(&ours, theirs, open[i]));
            if !same(&ours, &theirs, open[i]) {
                let show = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                return Some(format!(
                    "after step {n}, client {i}:\n  kv:    {:?}\n  redis: {:?}\n",
                    show(&ours),
                    show(&theirs)
                ));
            }
            if !ours.is_empty() {
                open[i] = closed;
            }
        }
    }
    if let Some(difference) = data_differ(&mut server, redis) {
        return Some(difference);
    }
    if let Err(refusal) = server.self_test() {
        return Some(format!("self-test: {refusal}\n"));
    }
    let panics = server.panics().to_vec();
    (!panics.is_empty()).then(|| format!("panics: {panics:?}\n"))
}

/// What the two say of all their data, if that is not the same.
fn data_differ<P: Plugin>(server: &mut TestServer<P>, redis: &mut Redis) -> Option<String> {
    let client = server.connect();
    let (ours, theirs) = (server.ask(client, &encode(&["debug", "digest"])), redis.digest());
    let text = |reply: &[u8]| String::from_utf8_lossy(reply).into_owned();
    // A pause that is not over yet holds ours back.
    (ours != theirs && !ours.is_empty())
        .then(|| format!("data: kv {:?}, redis {:?}\n", text(&ours), text(&theirs)))
}

/// Equal, but for times that moved on between the two servers, and for what is open.
fn same(ours: &[u8], theirs: &[u8], open: Open) -> bool {
    if ours == theirs {
        return true;
    }
    // Of an error whose text is open it is left that it is one: which of several is told differs, too.
    let cut = |line: &[u8]| match line.first() {
        Some(b'-') if open.errors => b"-".to_vec(),
        _ => line.to_vec(),
    };
    let lines = |bytes: &[u8]| -> Vec<Vec<u8>> { bytes.split(|&b| b == b'\n').map(cut).collect() };
    let (mut ours, mut theirs) = (lines(ours), lines(theirs));
    if open.order {
        ours.sort();
        theirs.sort();
    }
    ours.len() == theirs.len()
        && ours.iter().zip(&theirs).all(|(a, b)| a == b || near(a, b, open.time))
}

/// Whether both lines are integers of the size that `stream` uses for times only, and near.
fn near(a: &[u8], b: &[u8], time: bool) -> bool {
    let number = |line: &[u8]| -> Option<i64> {
        std::str::from_utf8(line).ok()?.trim_end().strip_prefix(':')?.parse().ok()
    };
    let (Some(a), Some(b)) = (number(a), number(b)) else { return false };
    let seconds = stream::is_ttl(a) || (1_700_000_000..2_100_000_000).contains(&a);
    let tolerance = if seconds { 1 } else { 1000 };
    let millis = stream::is_ttl(a / 1000) || (1_700_000_000_000..2_100_000_000_000).contains(&a);
    (seconds || millis || time) && (a - b).abs() <= tolerance
}

/// Leaves out steps as long as the stream still fails.
fn shrink<P: Plugin>(
    redis: &mut Redis,
    setting: Setting,
    mut steps: Vec<Step>,
    until: Instant,
) -> Vec<Step> {
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < steps.len() && Instant::now() < until {
            let mut fewer = steps.clone();
            fewer.drain(at..(at + size).min(steps.len()));
            if compare::<P>(redis, setting, &fewer).is_some() {
                steps = fewer;
            } else {
                at += size;
            }
        }
        size /= 2;
    }
    steps
}
