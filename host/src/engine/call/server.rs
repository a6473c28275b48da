//! The calls that serve no client: on the way up and down, by the clock, for an admin, for the journal.

use hotshell_plugin_api::abi::{Buffer, NO_WAKE, OUTCOME_DONE, OUTCOME_PANICKED, OUTCOME_REFUSED};

use crate::engine::core::Server;
use crate::engine::handle::CallKind;
use crate::error::{Code, Error, Result};
use crate::generation::ReplayFn;
use crate::time::unix_ms;

/// When a tick panicked, the next one comes after this time, milliseconds.
const TICK_RETRY_MS: u64 = 1000;

impl Server {
    /// Repeats the change that a record tells.
    pub(in crate::engine) fn replay(&self, replay: ReplayFn, record: &[u8]) -> Result<()> {
        self.enter(CallKind::Replay);
        self.aim_at_none(std::ptr::null_mut());
        // SAFETY: as in `tick_plugin`; the record outlives the call.
        let outcome = unsafe {
            (*self.call).input = record.as_ptr();
            (*self.call).input_len = record.len();
            replay(self.call)
        };
        if outcome.code == OUTCOME_PANICKED {
            self.undo_effects();
        }
        if outcome.code == OUTCOME_DONE {
            self.leave(0);
            return Ok(());
        }
        let message = self.message();
        self.finish_call(None);
        let hint = "start with the version of the plugin that wrote it";
        Err(Error::new(Code::Data, "the plugin cannot read a record back", message, hint))
    }

    /// Calls `tick`.
    pub(in crate::engine) fn tick_plugin(&self) {
        // The wall clock itself says that the time has come, so the plugin must see it as it is.
        self.clocks.set((0, 0));
        self.refresh_clocks();
        let tick = self.enter(CallKind::Tick).tick;
        self.aim_at_none(std::ptr::null_mut());
        // SAFETY: no client is served, the state root is set; `call` is ours between calls.
        let outcome = unsafe {
            (*self.call).wake_at_ms = NO_WAKE;
            self.core.borrow_mut().state.wake_at_ms = NO_WAKE;
            tick(self.call)
        };
        if outcome.code == OUTCOME_PANICKED {
            self.undo_effects();
            // SAFETY: as above.
            unsafe { (*self.call).wake_at_ms = unix_ms() + TICK_RETRY_MS };
        }
        self.finish_call(None);
    }

    /// Runs an admin verb of the plugin and answers its text.
    pub(in crate::engine) fn plugin_command(&self, args: &[Vec<u8>]) -> Result<Vec<u8>> {
        self.refresh_clocks();
        let command = self.enter(CallKind::Command).command;
        let mut input = Vec::new();
        for arg in args {
            input.extend_from_slice(&(arg.len() as u32).to_le_bytes());
            input.extend_from_slice(arg);
        }
        let mut answer = Buffer::new();
        self.aim_at_none(&mut answer);
        // SAFETY: as in `tick_plugin`; input and answer outlive the call.
        let outcome = unsafe {
            (*self.call).input = input.as_ptr();
            (*self.call).input_len = input.len();
            command(self.call)
        };
        if outcome.code == OUTCOME_PANICKED {
            self.undo_effects();
        }
        let message = self.message();
        self.finish_call(None);
        let verb = String::from_utf8_lossy(args.first().map_or(b"", |a| a)).into_owned();
        match outcome.code {
            OUTCOME_DONE => Ok(answer.as_slice().to_vec()),
            OUTCOME_REFUSED => Err(Error::new(
                Code::Refused,
                format!("the plugin refused '{verb}'"),
                message,
                "see the plugin's documentation for its commands",
            )),
            _ => Err(Error::new(
                Code::Panicked,
                format!("the plugin panicked in '{verb}'"),
                message,
                "the server goes on; the place is in the host's log",
            )),
        }
    }

    /// Lets the plugin look at the live state.
    pub(in crate::engine) fn self_test(&self) -> Result<()> {
        self.refresh_clocks();
        let self_test = self.enter(CallKind::SelfTest).self_test;
        self.aim_at_none(std::ptr::null_mut());
        // SAFETY: as in `tick_plugin`.
        let outcome = unsafe { self_test(self.call) };
        if outcome.code == OUTCOME_PANICKED {
            self.undo_effects();
        }
        let message = self.message();
        self.finish_call(None);
        let hint = "look at the state with the plugin's own commands, or roll back";
        match outcome.code {
            OUTCOME_DONE => Ok(()),
            OUTCOME_REFUSED => {
                let what = "the self-test refused the live state";
                Err(Error::new(Code::Refused, what, message, hint))
            }
            _ => Err(Error::new(Code::Panicked, "the self-test panicked", message, hint)),
        }
    }

    /// Tells the plugin that the server stops.
    pub(in crate::engine) fn shutdown(&self) {
        self.refresh_clocks();
        let shutdown = self.enter(CallKind::Shutdown).shutdown;
        self.aim_at_none(std::ptr::null_mut());
        // SAFETY: as in `tick_plugin`.
        if unsafe { shutdown(self.call) }.code == OUTCOME_PANICKED {
            self.undo_effects();
        }
        self.finish_call(None);
    }

    /// Makes the state root of a server that starts empty.
    pub(in crate::engine) fn init(&self) -> Result<()> {
        let init = self.enter(CallKind::Init).init;
        let mut root = std::ptr::null_mut();
        self.aim_at_none(std::ptr::null_mut());
        // SAFETY: `init` wants no state; the root's place outlives the call.
        let outcome = unsafe { init(self.call, &mut root) };
        let message = self.message();
        let name = {
            let core = &mut *self.core.borrow_mut();
            core.state.root = root;
            format!("{} {}", core.active.plugin, core.active.version)
        };
        self.finish_call(None);
        let next = "correct the plugin or its configuration, then start again";
        match outcome.code {
            OUTCOME_DONE => Ok(()),
            OUTCOME_REFUSED => {
                let what = format!("plugin {name} refused to start");
                Err(Error::new(Code::Refused, what, message, next))
            }
            _ => {
                let what = format!("plugin {name} panicked in init");
                Err(Error::new(Code::Panicked, what, message, next))
            }
        }
    }
}
