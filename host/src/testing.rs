//! Stand-ins for unit tests: artifacts without files, plugins without code, engines without
//! clients.

use std::ffi::c_void;
use std::path::PathBuf;
use std::ptr;
use std::sync::Arc;
use std::time::Duration;

use hotshell_plugin_api::abi::{Buffer, Call, HostTable, OUTCOME_REFUSED, Outcome, PluginTable};
use hotshell_plugin_api::schema::{Kind, Schema, TypeDef};
use tokio::sync::mpsc;

use crate::engine::{Command, EngineHandle, Switched};
use crate::generation::{Artifact, Callable, Shape};
use crate::registry::Fresh;

/// How long a test waits for what must happen, on a machine that is busy or stands still for a while.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A generation that can be registered and must not be called.
pub fn fresh(number: u64, plugin: &str, version: &str, schema: u32) -> Fresh {
    let artifact = Artifact {
        path: PathBuf::from(format!("/srv/{plugin}_{version}.so")),
        plugin: plugin.to_owned(),
        version: version.to_owned(),
        digest: format!("sha256:{number:064x}"),
        target: "x86_64-linux-gnu".to_owned(),
        abi_version: 1,
        api_version: "0.1.0".to_owned(),
        schema,
        schema_fingerprint: u64::from(schema),
        build_id: number,
        symbol: "hotshell_plugin_kv".to_owned(),
        size: 1,
    };
    let types = vec![TypeDef { format: schema, ..TypeDef::new(Kind::Struct) }];
    let fingerprint = u64::from(schema);
    let schema = Schema { number: schema, fingerprint, root: 0, session: 0, types };
    let callable = Callable {
        generation: number,
        plugin: plugin.into(),
        version: version.into(),
        digest: artifact.digest.parse().expect("a digest"),
        table: refusing_table(),
        shape: Shape::without_lineage(schema),
        functions: Arc::default(),
    };
    Fresh { artifact, callable, image: None }
}

/// An engine that answers every switch with a pause of 3210 ns, until `stuck` is asked for.
pub fn engine(name: &str) -> (EngineHandle, mpsc::UnboundedReceiver<Command>) {
    let (commands, heard) = mpsc::unbounded_channel();
    let handle = EngineHandle {
        name: name.to_owned(),
        listen: ([127, 0, 0, 1], 6380).into(),
        started_ms: 0,
        counters: Arc::default(),
        commands,
    };
    (handle, heard)
}

/// Answers what an engine is asked, for as long as somebody may ask.
pub async fn answer(mut heard: mpsc::UnboundedReceiver<Command>) {
    let mut from = 1;
    while let Some(command) = heard.recv().await {
        match command {
            Command::Use(switch, tell) => {
                let _ = tell.send(Ok(Switched { pause_ns: 3_210, from, ..Switched::default() }));
                from = if switch.dry_run { from } else { switch.to.generation };
            }
            Command::SelfTest(answer) => _ = answer.send(Ok(())),
            Command::Plugin(args, tell) => drop(tell.send(Ok(args.concat()))),
            Command::Set(_, _, tell) => drop(tell.send(Ok(()))),
            Command::Snapshot(_) => {}
            Command::Stop(tell) => drop(tell.send(())),
        }
    }
}

fn refusing_table() -> PluginTable {
    extern "C" fn attach(_: *const HostTable) -> Outcome {
        Outcome::of(OUTCOME_REFUSED)
    }
    extern "C" fn schema(_: *mut Buffer) -> Outcome {
        Outcome::of(OUTCOME_REFUSED)
    }
    extern "C" fn init(_: *mut Call, _: *mut *mut u8) -> Outcome {
        Outcome::of(OUTCOME_REFUSED)
    }
    extern "C" fn call(_: *mut Call) -> Outcome {
        Outcome::of(OUTCOME_REFUSED)
    }
    extern "C" fn event(_: *mut Call, _: u64) -> Outcome {
        Outcome::of(OUTCOME_REFUSED)
    }
    extern "C" fn extension(_: *const u8, _: usize) -> *const c_void {
        ptr::null()
    }
    PluginTable {
        attach,
        schema,
        init,
        connect: call,
        data: call,
        resume: call,
        disconnect: call,
        tick: call,
        self_test: call,
        panicked: call,
        command: call,
        event,
        shutdown: call,
        drop_state: call,
        extension,
    }
}
