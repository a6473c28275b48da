//! Goal: the engine keeps its promises to clients, whatever the plugin and the peers do.
//! Method: a small plugin linked into the test, a real engine, real sockets on port 0.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotshell::engine::{self, Counters, EngineConfig, EngineHandle, Switch};
use hotshell::error::{Code, Result};
use hotshell::generation::{Callable, Shape};
use hotshell::limits::Limits;
use hotshell_plugin_api::abi::OUTCOME_DONE;
use hotshell_plugin_api::collections::Vec as StateVec;
use hotshell_plugin_api::export;
use hotshell_plugin_api::migrate::lineage::Lineage;
use hotshell_plugin_api::migrate::plan::Plan;
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::schema::Schema;

const PATIENCE: Duration = Duration::from_secs(30);

/// A line protocol; each line is a request and gets one line. `V` tells two versions apart.
struct Lines<const V: u32>;

impl<const V: u32> Plugin for Lines<V> {
    /// Ids of the clients that wait.
    type State = StateVec<u64>;
    /// Requests of this connection.
    type Session = u64;

    fn init(ctx: &mut InitCtx<'_>) -> core::result::Result<Self::State, Refusal> {
        match ctx.config("init") {
            Some("refuse") => Err(Refusal::new("asked to refuse")),
            Some("panic") => panic!("asked to panic"),
            _ => Ok(StateVec::new()),
        }
    }

    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let Some(end) = unread.iter().position(|&b| b == b'\n') else { return Flow::NeedMore };
        let line = core::str::from_utf8(&unread[..end]).unwrap_or("?");
        let consumed = end + 1;
        if line == "early" {
            panic!("before begin");
        }
        ctx.begin(consumed);
        *ctx.session += 1;
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb {
            "version" => writeln!(ctx.out, "v{V}").unwrap(),
            "count" => writeln!(ctx.out, "{}", ctx.session).unwrap(),
            "id" => writeln!(ctx.out, "{}", ctx.client()).unwrap(),
            "late" => {
                ctx.out.put(b"half a rep");
                for id in ctx.shell.clients().collect::<Vec<_>>() {
                    ctx.shell.send(id, b"must not be seen\n");
                }
                panic!("after begin");
            }
            "wait" => {
                ctx.state.push(ctx.shell_client());
                return Flow::Blocked;
            }
            "wake" => {
                let waiting: Vec<u64> = ctx.state.drain(..).collect();
                let woken = waiting.iter().filter(|&&id| ctx.shell.resume(id)).count();
                writeln!(ctx.out, "woken {woken}").unwrap();
            }
            "all" => {
                let ids: Vec<u64> = ctx.shell.clients().collect();
                let sent = ctx.shell.send_many(&ids, format!("{rest}\n").as_bytes());
                writeln!(ctx.out, "sent {sent}").unwrap();
            }
            "kick" => {
                let ok = ctx.shell.close(rest.parse().unwrap_or(0));
                writeln!(ctx.out, "kicked {ok}").unwrap();
            }
            "big" => {
                let bytes = vec![b'x'; rest.parse().unwrap_or(0)];
                ctx.out.put(&bytes);
                ctx.out.put(b"\n");
            }
            "zero" => return Flow::Done(0),
            "stop" => ctx.shell.stop(),
            "quit" => {
                ctx.out.put(b"bye\n");
                return Flow::Close;
            }
            _ => writeln!(ctx.out, "{line} ok").unwrap(),
        }
        Flow::Done(consumed)
    }

    fn resume(ctx: &mut Ctx<'_, Self>) -> Flow {
        ctx.out.put(b"resumed\n");
        Flow::Done(0)
    }

    fn disconnect(ctx: &mut Ctx<'_, Self>) {
        let me = ctx.shell_client();
        ctx.state.retain(|&id| id != me);
        ctx.shell.count("disconnects", 1);
    }

    fn panicked(ctx: &mut Ctx<'_, Self>, message: &str) -> Flow {
        writeln!(ctx.out, "error {message}").unwrap();
        Flow::Done(0)
    }

    fn command(
        ctx: &mut CommandCtx<'_, Self>,
        args: &[&[u8]],
    ) -> core::result::Result<(), Refusal> {
        match args {
            [b"waiting"] => writeln!(ctx.out, "{}", ctx.state.len()).map_err(Refusal::from),
            [b"boom"] => panic!("in a command"),
            _ => Err(Refusal::new("only 'waiting' and 'boom' are known")),
        }
    }
}

trait ShellClient {
    fn shell_client(&self) -> u64;
}

impl<const V: u32> ShellClient for Ctx<'_, Lines<V>> {
    fn shell_client(&self) -> u64 {
        self.client()
    }
}

fn callable<P: Plugin>(generation: u64, version: &str) -> Callable {
    let table = export::table::<P>();
    // SAFETY: the table is this binary's own, and the host's table is a static.
    let attached = unsafe { (table.attach)(engine::host_table()) };
    assert_eq!(attached.code, OUTCOME_DONE);
    // The plugin's hook would send this test's own panics to a log that nobody reads.
    drop(std::panic::take_hook());
    let (lineage, functions) = Lineage::of::<P::State, P::Session>();
    Callable {
        generation,
        plugin: "lines".into(),
        version: version.into(),
        digest: Default::default(),
        table,
        shape: Shape::new(Schema::of::<P::State, P::Session>(), lineage),
        functions: Arc::new(functions),
    }
}

struct Host {
    engine: EngineHandle,
    stop: tokio::sync::mpsc::UnboundedReceiver<()>,
    runtime: tokio::runtime::Runtime,
}

impl Host {
    fn start() -> Self {
        Self::with(Limits::default(), &[]).expect("the engine starts")
    }

    fn with(limits: Limits, config: &[(&str, &str)]) -> Result<Self> {
        let (stop, stopped) = tokio::sync::mpsc::unbounded_channel();
        let plugin: BTreeMap<String, String> =
            config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let listen = "127.0.0.1:0".parse().expect("an address");
        let (name, overtaken) = ("test".into(), std::env::temp_dir().join("overtaken.jsonl"));
        let config = EngineConfig { name, listen, limits, plugin, data: None, overtaken, stop };
        let engine = engine::start(config, callable::<Lines<1>>(1, "1.0.0"))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Ok(Self { engine, stop: stopped, runtime })
    }

    fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.engine.listen).expect("the engine listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, buffered: Vec::new() }
    }

    fn switch<P: Plugin>(&self, generation: u64) -> Result<engine::Switched> {
        let from = callable::<Lines<1>>(1, "1.0.0");
        let to = callable::<P>(generation, &format!("{generation}.0.0"));
        let plan = Plan::between(from.shape.side(), to.shape.side()).expect("there is a plan");
        let plan = Arc::new(plan);
        let switch = Switch { to, plan, allow_stop: false, dry_run: false };
        self.runtime.block_on(self.engine.switch(switch))
    }

    fn command(&self, args: &[&str]) -> Result<Vec<u8>> {
        let args = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        self.runtime.block_on(self.engine.plugin_command(args))
    }

    /// Waits until a condition on the counters holds.
    fn until(&self, what: &str, condition: impl Fn(&Counters) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(&self.engine.counters) {
            assert!(Instant::now() < deadline, "in vain: {what}: {:?}", self.engine.counters);
            std::thread::yield_now();
        }
    }
}

struct Client {
    stream: TcpStream,
    buffered: Vec<u8>,
}

impl Client {
    fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("the connection is open");
    }

    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.buffered.iter().position(|&b| b == b'\n') {
                let rest = self.buffered.split_off(end + 1);
                let mut line = std::mem::replace(&mut self.buffered, rest);
                line.pop();
                return String::from_utf8(line).unwrap();
            }
            let mut chunk = [0; 4096];
            let n = self.stream.read(&mut chunk).expect("a line arrives in time");
            assert!(n > 0, "closed while a line was expected; got {:?}", self.buffered);
            self.buffered.extend_from_slice(&chunk[..n]);
        }
    }

    fn ask(&mut self, text: &str) -> String {
        self.send(&format!("{text}\n"));
        self.line()
    }

    fn expect_end(&mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => assert_eq!(rest, b"", "nothing more arrives before the end"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

#[test]
fn requests_are_answered_in_order_however_they_are_split() {
    let host = Host::start();
    let mut client = host.connect();
    let requests: String = (0..200).map(|i| format!("r{i}\n")).collect();
    for cut in [1, 2, 3, 7, 64, requests.len()] {
        for part in requests.as_bytes().chunks(cut) {
            client.stream.write_all(part).unwrap();
        }
        for i in 0..200 {
            assert_eq!(client.line(), format!("r{i} ok"), "cut into parts of {cut}");
        }
    }
}

#[test]
fn a_swap_keeps_sessions_half_read_requests_and_blocked_clients() {
    let host = Host::start();
    let (mut counted, mut half, mut blocked) = (host.connect(), host.connect(), host.connect());
    assert_eq!(counted.ask("version"), "v1");
    blocked.send("wait\nversion\n");
    host.until("the client is blocked", |c| Counters::get(&c.calls) >= 2);
    half.send("vers");
    host.until("half a request is read", |c| Counters::get(&c.bytes_in) >= 8 + 13 + 4);

    let switched = host.switch::<Lines<2>>(2).expect("the schema is the same");
    assert_eq!(switched.from, 1);

    half.send("ion\n");
    assert_eq!(half.line(), "v2");
    assert_eq!(counted.ask("count"), "2", "the session is the same");
    assert_eq!(counted.ask("wake"), "woken 1");
    assert_eq!(blocked.line(), "resumed");
    assert_eq!(blocked.line(), "v2", "what it sent while it was blocked is answered afterwards");
    assert_eq!(Counters::get(&host.engine.counters.generation), 2);
    assert_eq!(Counters::get(&host.engine.counters.swaps), 1);
}

#[test]
fn a_state_of_another_shape_is_converted_between_two_calls() {
    struct Narrow;
    impl Plugin for Narrow {
        type State = StateVec<u32>;
        type Session = u32;
        fn init(_: &mut InitCtx<'_>) -> core::result::Result<Self::State, Refusal> {
            Ok(StateVec::new())
        }
        fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
            let Some(line) = framing::line(unread) else { return Flow::NeedMore };
            ctx.begin(line.consumed);
            *ctx.session += 1;
            writeln!(ctx.out, "{:?} {}", ctx.state, ctx.session).unwrap();
            Flow::Done(line.consumed)
        }
    }
    let host = Host::start();
    let (mut busy, mut waiting) = (host.connect(), host.connect());
    assert_eq!((busy.ask("a"), busy.ask("b")), ("a ok".to_owned(), "b ok".to_owned()));
    waiting.send("wait\n");
    busy.send("half a li");
    host.until("the client waits", |c| Counters::get(&c.calls) == 4);
    host.switch::<Narrow>(2).expect("narrower numbers hold these");
    let id = waiting_id(&mut busy);
    assert_eq!(id, "[2] 3", "state and session in their new shape, the half request completed");
    assert_eq!(host.connect().ask("x"), "[2] 1", "new sessions have the new shape");
    drop(waiting);
    host.until("a session of the new shape is freed", |c| Counters::get(&c.clients) == 1);
    assert_eq!(busy.ask("x"), "[2] 4");
}

/// Completes the request that was half sent.
fn waiting_id(client: &mut Client) -> String {
    client.send("ne\n");
    client.line()
}

#[test]
fn a_panic_after_begin_costs_one_request_and_no_connection() {
    let host = Host::start();
    let (mut client, mut other) = (host.connect(), host.connect());
    assert_eq!(other.ask("x"), "x ok");
    client.send("a\nlate\nb\n");
    assert_eq!(client.line(), "a ok", "earlier replies of the batch stay");
    assert_eq!(client.line(), "error after begin", "the half reply is cut");
    assert_eq!(client.line(), "b ok", "later requests are answered");
    assert_eq!(other.ask("y"), "y ok", "what the call wrote to others is cut");
    host.until("the panic is counted", |c| Counters::get(&c.panics) == 1);
}

#[test]
fn a_panic_before_begin_closes_that_client_only() {
    let host = Host::start();
    let (mut client, mut other) = (host.connect(), host.connect());
    client.send("a\nearly\n");
    assert_eq!(client.line(), "a ok");
    client.expect_end();
    assert_eq!(other.ask("x"), "x ok");
}

#[test]
fn a_plugin_that_consumes_nothing_loses_that_client_only() {
    let host = Host::start();
    let (mut client, mut other) = (host.connect(), host.connect());
    client.send("zero\n");
    client.expect_end();
    assert_eq!(other.ask("x"), "x ok");
}

#[test]
fn close_sends_what_was_written_first() {
    let host = Host::start();
    let mut client = host.connect();
    client.send("a\nquit\nnever\n");
    assert_eq!(client.line(), "a ok");
    assert_eq!(client.line(), "bye");
    client.expect_end();
    host.until("the client is gone", |c| Counters::get(&c.clients) == 0);
}

#[test]
fn a_client_can_close_another_and_write_to_all() {
    let host = Host::start();
    let (mut one, mut two) = (host.connect(), host.connect());
    let id = two.ask("id");
    assert_eq!(one.ask("x"), "x ok");
    one.send("all hello\n");
    assert_eq!(one.line(), "hello");
    assert_eq!(one.line(), "sent 2");
    assert_eq!(two.line(), "hello");
    assert_eq!(one.ask(&format!("kick {id}")), "kicked true");
    two.expect_end();
    assert_eq!(one.ask(&format!("kick {id}")), "kicked false");
}

#[test]
fn half_close_is_answered_before_the_end() {
    let host = Host::start();
    let mut client = host.connect();
    client.send("a\nb\nhalf");
    client.stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.line(), "a ok");
    assert_eq!(client.line(), "b ok");
    client.expect_end();
    let mut empty = host.connect();
    empty.stream.shutdown(Shutdown::Write).unwrap();
    empty.expect_end();
}

#[test]
fn a_blocked_client_that_leaves_is_forgotten() {
    let host = Host::start();
    let mut waiting = host.connect();
    waiting.send("wait\n");
    host.until("it waits", |c| Counters::get(&c.calls) == 1);
    assert_eq!(host.command(&["waiting"]).unwrap(), b"1\n");
    drop(waiting);
    host.until("it is gone", |c| Counters::get(&c.clients) == 0);
    assert_eq!(host.command(&["waiting"]).unwrap(), b"0\n");
    assert_eq!(host.engine.counters.plugin(), [("disconnects".to_owned(), 1)]);
}

#[test]
fn a_client_that_does_not_read_is_not_read_and_keeps_its_replies() {
    let limits = Limits { soft_unsent_bytes: 64 << 10, ..Limits::default() };
    let host = Host::with(limits, &[]).unwrap();
    let mut client = host.connect();
    let mut writer = client.stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || {
        for _ in 0..200 {
            writer.write_all(b"big 100000\n").unwrap();
        }
        writer.write_all(b"done\n").unwrap();
    });
    let mut other = host.connect();
    assert_eq!(other.ask("x"), "x ok", "others are served meanwhile");
    for _ in 0..200 {
        assert_eq!(client.line().len(), 100_000);
    }
    assert_eq!(client.line(), "done ok");
    sender.join().unwrap();
}

#[test]
fn a_client_over_the_hard_limit_of_unsent_output_is_closed() {
    let limits = Limits { max_unsent_bytes: 1 << 20, ..Limits::default() };
    let host = Host::with(limits, &[]).unwrap();
    let mut client = host.connect();
    client.send("big 50000000\n");
    host.until("it is closed", |c| Counters::get(&c.closed_slow) == 1);
    host.until("it is gone", |c| Counters::get(&c.clients) == 0);
    assert_eq!(host.connect().ask("x"), "x ok");
}

#[test]
fn room_for_large_replies_is_kept_while_it_is_used_and_then_given_back() {
    let host = Host::start();
    let mut client = host.connect();
    client.ask("x");
    let idle = Counters::get(&host.engine.counters.state_bytes);
    client.send("big 1000000\n");
    assert_eq!(client.line().len(), 1_000_000);
    host.until("the room is kept", |c| Counters::get(&c.state_bytes) > idle + 1_000_000);
    host.until("it is given back", |c| Counters::get(&c.state_bytes) < idle + 100_000);
    client.send("big 1000000\n");
    assert_eq!(client.line().len(), 1_000_000);
    drop(client);
    host.until("it goes with its client", |c| Counters::get(&c.state_bytes) < idle + 100_000);
}

#[test]
fn room_that_all_clients_keep_is_limited() {
    let host = Host::start();
    let mut clients: Vec<Client> = (0..40).map(|_| host.connect()).collect();
    let idle = Counters::get(&host.engine.counters.state_bytes);
    let mut reply = vec![0; 2_000_001];
    for client in &mut clients {
        client.send("big 2000000\n");
        client.stream.read_exact(&mut reply).expect("the whole reply");
    }
    assert_eq!(clients[0].ask("y"), "y ok");
    let peak = Counters::get(&host.engine.counters.state_bytes_peak) - idle;
    assert!(peak < (32 + 4) << 20, "32 MiB are kept at most, beside one reply: {peak}");
}

#[test]
fn a_client_over_the_limit_of_unread_input_is_closed() {
    let limits = Limits { max_unread_bytes: 1 << 20, ..Limits::default() };
    let host = Host::with(limits, &[]).unwrap();
    let mut client = host.connect();
    let endless = vec![b'x'; 4 << 20];
    // The engine may close while we still write.
    let _ = client.stream.write_all(&endless);
    host.until("it is gone", |c| Counters::get(&c.clients) == 0);
    assert_eq!(Counters::get(&host.engine.counters.closed_unread), 1);
}

#[test]
fn clients_over_the_limit_are_turned_away() {
    let limits = Limits { max_clients: 2, ..Limits::default() };
    let host = Host::with(limits, &[]).unwrap();
    let (mut one, mut two) = (host.connect(), host.connect());
    assert_eq!((one.ask("x"), two.ask("y")), ("x ok".to_owned(), "y ok".to_owned()));
    host.connect().expect_end();
    drop(two);
    host.until("one is gone", |c| Counters::get(&c.clients) == 1);
    assert_eq!(host.connect().ask("z"), "z ok");
    assert_eq!(Counters::get(&host.engine.counters.rejected), 1);
}

#[test]
fn a_huge_pipeline_does_not_starve_the_others() {
    let host = Host::start();
    let mut greedy = host.connect();
    let mut writer = greedy.stream.try_clone().unwrap();
    let requests = "r\n".repeat(500_000);
    let sender = std::thread::spawn(move || writer.write_all(requests.as_bytes()).unwrap());
    assert_eq!(greedy.line(), "r ok");
    let mut other = host.connect();
    assert_eq!(other.ask("x"), "x ok");
    let calls = Counters::get(&host.engine.counters.calls);
    assert!(calls < 500_000, "answered in the middle of the pipeline, after {calls} calls");
    for _ in 1..500_000 {
        assert_eq!(greedy.line(), "r ok");
    }
    sender.join().unwrap();
}

#[test]
fn admin_commands_of_the_plugin_answer_refuse_and_may_panic() {
    let host = Host::start();
    let error = host.command(&["nonsense"]).expect_err("unknown");
    assert_eq!((error.code, &*error.message), (Code::Refused, "the plugin refused 'nonsense'"));
    assert_eq!(error.detail, "only 'waiting' and 'boom' are known");
    let error = host.command(&["boom"]).expect_err("it panics");
    assert_eq!((error.code, &*error.detail), (Code::Panicked, "in a command"));
    assert_eq!(host.connect().ask("x"), "x ok");
}

#[test]
fn an_init_that_refuses_or_panics_is_told_to_whoever_starts() {
    for (how, code, detail) in
        [("refuse", Code::Refused, "asked to refuse"), ("panic", Code::Panicked, "asked to panic")]
    {
        let error = Host::with(Limits::default(), &[("init", how)]).err().expect("no start");
        assert_eq!((error.code, &*error.detail), (code, detail));
    }
}

#[test]
fn a_port_in_use_is_named() {
    let host = Host::start();
    let (stop, _) = tokio::sync::mpsc::unbounded_channel();
    let listen = host.engine.listen;
    let config = EngineConfig {
        name: "second".into(),
        listen,
        limits: Limits::default(),
        plugin: BTreeMap::new(),
        data: None,
        overtaken: std::env::temp_dir().join("overtaken.jsonl"),
        stop,
    };
    let error = engine::start(config, callable::<Lines<1>>(1, "1.0.0")).expect_err("in use");
    assert_eq!(error.message, format!("cannot listen on {listen}"));
    assert!(error.hint.contains(&format!("sport = :{}", listen.port())), "{}", error.hint);
}

#[test]
fn a_stop_answers_what_arrived_and_closes() {
    let mut host = Host::start();
    let mut client = host.connect();
    client.send("a\nbig 3000000\nb\n");
    assert_eq!(client.line(), "a ok");
    client.send("stop\n");
    host.runtime.block_on(host.stop.recv()).expect("the plugin asked for a stop");
    let engine = host.engine.clone();
    let runtime = host.runtime;
    let stopping = std::thread::spawn(move || runtime.block_on(engine.stop()).unwrap());
    assert_eq!(client.line().len(), 3_000_000);
    assert_eq!(client.line(), "b ok");
    client.expect_end();
    stopping.join().unwrap();
    assert!(TcpStream::connect(host.engine.listen).is_err(), "nobody listens any more");
}

#[test]
fn a_thousand_swaps_under_load_lose_and_reorder_nothing() {
    let host = Host::start();
    let address = host.engine.listen;
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let done = Arc::clone(&done);
            std::thread::spawn(move || {
                let stream = TcpStream::connect(address).unwrap();
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                let mut client = Client { stream, buffered: Vec::new() };
                let mut number = 0;
                while !done.load(std::sync::atomic::Ordering::Relaxed) {
                    let batch: String = (number..number + 8).map(|i| format!("n{i}\n")).collect();
                    let (first, second) = batch.split_at(batch.len() / 2);
                    client.send(first);
                    client.send(second);
                    for i in number..number + 8 {
                        assert_eq!(client.line(), format!("n{i} ok"));
                    }
                    number += 8;
                }
                assert_eq!(client.ask("count"), format!("{}", number + 1));
                number
            })
        })
        .collect();
    for generation in 2..1002 {
        if generation % 2 == 0 {
            host.switch::<Lines<2>>(generation).unwrap();
        } else {
            host.switch::<Lines<1>>(generation).unwrap();
        }
    }
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    let answered: u64 = clients.into_iter().map(|client| client.join().unwrap()).sum();
    assert!(answered > 0);
    assert_eq!(Counters::get(&host.engine.counters.swaps), 1000);
    assert_eq!(Counters::get(&host.engine.counters.connections), 4);
}
