//! A real engine and its clients.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hotshell::engine::{self, Counters, EngineConfig, EngineHandle, Switch};
use hotshell::error::Result;
use hotshell::generation::{Callable, Shape};
use hotshell::limits::Limits;
use hotshell_plugin_api::abi::OUTCOME_DONE;
use hotshell_plugin_api::export;
use hotshell_plugin_api::migrate::lineage::Lineage;
use hotshell_plugin_api::migrate::plan::Plan;
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::schema::Schema;

use crate::plugin::Lines;

/// How long a test waits for what must happen.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// The plugin linked in, as the loader would hand it over.
pub fn callable<P: Plugin>(generation: u64, version: &str) -> Callable {
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

/// A running engine.
pub struct Host {
    pub engine: EngineHandle,
    pub stop: tokio::sync::mpsc::UnboundedReceiver<()>,
    pub runtime: tokio::runtime::Runtime,
}

impl Host {
    pub fn start() -> Self {
        Self::with(Limits::default(), &[]).expect("the engine starts")
    }

    pub fn with(limits: Limits, config: &[(&str, &str)]) -> Result<Self> {
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

    pub fn connect(&self) -> Client {
        let stream = TcpStream::connect(self.engine.listen).expect("the engine listens");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream, buffered: Vec::new() }
    }

    pub fn switch<P: Plugin>(&self, generation: u64) -> Result<engine::Switched> {
        let from = callable::<Lines<1>>(1, "1.0.0");
        let to = callable::<P>(generation, &format!("{generation}.0.0"));
        let plan = Plan::between(from.shape.side(), to.shape.side()).expect("there is a plan");
        let plan = Arc::new(plan);
        let switch = Switch { to, plan, allow_stop: false, dry_run: false };
        self.runtime.block_on(self.engine.switch(switch))
    }

    pub fn command(&self, args: &[&str]) -> Result<Vec<u8>> {
        let args = args.iter().map(|arg| arg.as_bytes().to_vec()).collect();
        self.runtime.block_on(self.engine.plugin_command(args))
    }

    /// Waits until a condition on the counters holds.
    pub fn until(&self, what: &str, condition: impl Fn(&Counters) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(&self.engine.counters) {
            assert!(Instant::now() < deadline, "in vain: {what}: {:?}", self.engine.counters);
            std::thread::yield_now();
        }
    }
}

/// A connection to it.
pub struct Client {
    pub stream: TcpStream,
    pub buffered: Vec<u8>,
}

impl Client {
    pub fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).expect("the connection is open");
    }

    pub fn line(&mut self) -> String {
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

    pub fn ask(&mut self, text: &str) -> String {
        self.send(&format!("{text}\n"));
        self.line()
    }

    pub fn expect_end(&mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => assert_eq!(rest, b"", "nothing more arrives before the end"),
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}
