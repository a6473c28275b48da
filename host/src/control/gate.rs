//! Who may load or switch now: one load at a time in the host, one switch at a time per server.
//!
//! A second asker is told who holds the gate. `rollback` never waits for a load into its server:
//! it cancels it. The slots of servers are apart, so that an engine that is stuck in a call keeps
//! nobody from working on the other servers.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use serde::Serialize;

use crate::error::{Code, Error, Result};

/// A piece of work that holds the gate.
#[derive(Debug, Clone, Serialize)]
pub struct Work {
    /// The verb.
    pub verb: &'static str,
    /// Its file or generation; empty when there is none.
    pub what: String,
    /// The server it works on.
    pub server: String,
    /// Who asked: `admin pid 123`.
    pub by: String,
    /// Since when.
    #[serde(serialize_with = "crate::time::serialize")]
    pub since: Timestamp,
}

impl Work {
    fn title(&self) -> String {
        format!("{} {}", self.verb, self.what).trim_end().to_owned()
    }

    fn busy(&self, asked: &Work, hint: &str) -> Error {
        let seconds = Timestamp::now().duration_since(self.since).as_secs();
        let message = format!("cannot {} on server '{}' now", asked.title(), asked.server);
        let detail = format!(
            "`{}` on server '{}', asked by {}, is under way since {} ({seconds} s)",
            self.title(),
            self.server,
            self.by,
            crate::time::text(self.since)
        );
        Error::new(Code::Busy, message, detail, hint)
    }
}

#[derive(Debug)]
struct Loading {
    work: Work,
    cancel: Arc<AtomicBool>,
    cancelled_by: Option<String>,
}

#[derive(Debug, Default)]
struct Slots {
    loading: Option<Loading>,
    switching: BTreeMap<String, Work>,
}

/// The gate of a host. Control thread only.
#[derive(Debug, Clone, Default)]
pub struct Gate(Rc<RefCell<Slots>>);

/// The right to load; given back when dropped.
#[derive(Debug)]
pub struct LoadPass {
    gate: Gate,
    /// Rises when a rollback cancels this load.
    pub cancel: Arc<AtomicBool>,
}

/// The right to switch one server; given back when dropped.
#[derive(Debug)]
pub struct SwitchPass {
    gate: Gate,
    server: String,
}

const WAIT: &str = "wait for it; `status` shows when it is over";
const WAIT_OR_CANCEL: &str = "wait for it, or `rollback`, which cancels a load";

impl Gate {
    /// The right to load into a server.
    ///
    /// # Errors
    /// `BUSY` while any load, or a switch of that server, is under way.
    pub fn load(&self, work: Work) -> Result<LoadPass> {
        let mut slots = self.0.borrow_mut();
        if let Some(loading) = &slots.loading {
            return Err(loading.work.busy(&work, WAIT_OR_CANCEL));
        }
        slots.not_switching(&work)?;
        let cancel = Arc::new(AtomicBool::new(false));
        slots.loading = Some(Loading { work, cancel: cancel.clone(), cancelled_by: None });
        Ok(LoadPass { gate: self.clone(), cancel })
    }

    /// The right to switch a server.
    ///
    /// # Errors
    /// `BUSY` while a load into, or a switch of, that server is under way.
    pub fn switch(&self, work: Work) -> Result<SwitchPass> {
        let mut slots = self.0.borrow_mut();
        if let Some(loading) = slots.loading.as_ref().filter(|l| l.work.server == work.server) {
            return Err(loading.work.busy(&work, WAIT_OR_CANCEL));
        }
        slots.begin_switch(self, work)
    }

    /// The right to switch a server back; cancels a load into it.
    ///
    /// # Errors
    /// `BUSY` while a switch of that server is under way.
    pub fn roll_back(&self, work: Work) -> Result<SwitchPass> {
        let mut slots = self.0.borrow_mut();
        slots.not_switching(&work)?;
        if let Some(loading) = slots.loading.as_mut().filter(|l| l.work.server == work.server) {
            loading.cancel.store(true, Ordering::Relaxed);
            loading.cancelled_by = Some(work.by.clone());
        }
        slots.begin_switch(self, work)
    }

    /// Whether the engine of a server may be on its way to another generation.
    pub fn is_switching(&self, server: &str) -> bool {
        self.0.borrow().switching.contains_key(server)
    }

    /// Cancels whatever load is under way: the host stops.
    pub fn cancel_all(&self, by: &str) {
        if let Some(loading) = self.0.borrow_mut().loading.as_mut() {
            loading.cancel.store(true, Ordering::Relaxed);
            loading.cancelled_by = Some(by.to_owned());
        }
    }

    /// What is under way on a server.
    pub fn work_on(&self, server: &str) -> Option<Work> {
        let slots = self.0.borrow();
        let loading = slots.loading.as_ref().map(|l| &l.work).filter(|w| w.server == server);
        slots.switching.get(server).or(loading).cloned()
    }
}

impl Slots {
    fn not_switching(&self, work: &Work) -> Result<()> {
        let holder = self.switching.get(&work.server);
        holder.map_or(Ok(()), |holder| Err(holder.busy(work, WAIT)))
    }

    fn begin_switch(&mut self, gate: &Gate, work: Work) -> Result<SwitchPass> {
        self.not_switching(&work)?;
        let server = work.server.clone();
        self.switching.insert(server.clone(), work);
        Ok(SwitchPass { gate: gate.clone(), server })
    }
}

impl LoadPass {
    /// Whether the load may still count.
    ///
    /// # Errors
    /// `CANCELLED`, with who cancelled it.
    pub fn go_on(&self) -> Result<()> {
        let slots = self.gate.0.borrow();
        let loading = slots.loading.as_ref().expect("the pass holds the slot until it is dropped");
        let Some(by) = &loading.cancelled_by else { return Ok(()) };
        let message = format!("`{}` was cancelled, nothing changed", loading.work.title());
        let detail = format!("{by} asked for something that does not wait for a load");
        Err(Error::new(Code::Cancelled, message, detail, "run it again if it is still wanted"))
    }

    /// Turns the right to load into the right to switch, without a gap.
    ///
    /// # Errors
    /// `CANCELLED`.
    pub fn into_switch(self) -> Result<SwitchPass> {
        self.go_on()?;
        let mut slots = self.gate.0.borrow_mut();
        let loading = slots.loading.as_ref().expect("the pass holds the slot until it is dropped");
        let work = loading.work.clone();
        slots.begin_switch(&self.gate, work)
    }
}

impl Drop for LoadPass {
    fn drop(&mut self) {
        self.gate.0.borrow_mut().loading = None;
    }
}

impl Drop for SwitchPass {
    fn drop(&mut self) {
        self.gate.0.borrow_mut().switching.remove(&self.server);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(verb: &'static str, server: &str) -> Work {
        let (what, by) = ("/srv/kv.so".to_owned(), "admin pid 7".to_owned());
        Work { verb, what, server: server.to_owned(), by, since: Timestamp::now() }
    }

    #[test]
    fn a_second_asker_is_told_who_holds_the_gate() {
        let gate = Gate::default();
        let pass = gate.load(work("swap", "main")).expect("free");
        let refusal = gate.load(work("load", "other")).expect_err("one load at a time");
        assert_eq!(refusal.code, Code::Busy);
        assert!(
            refusal.detail.starts_with("`swap /srv/kv.so` on server 'main', asked by admin pid 7")
        );
        assert_eq!(gate.switch(work("use", "main")).expect_err("busy").code, Code::Busy);
        drop(gate.switch(work("use", "other")).expect("another server is free"));
        drop(pass);
        drop(gate.load(work("load", "other")).expect("free again"));
    }

    #[test]
    fn a_rollback_cancels_the_load_into_its_server_and_no_other() {
        let gate = Gate::default();
        let pass = gate.load(work("swap", "main")).expect("free");
        drop(gate.roll_back(work("rollback", "other")).expect("never waits for a load"));
        pass.go_on().expect("a load into another server goes on");
        let back = gate.roll_back(work("rollback", "main")).expect("never waits for a load");
        assert!(pass.cancel.load(Ordering::Relaxed));
        assert_eq!(pass.into_switch().expect_err("cancelled").code, Code::Cancelled);
        assert_eq!(gate.roll_back(work("rollback", "main")).expect_err("one").code, Code::Busy);
        drop(back);
        drop(gate.switch(work("use", "main")).expect("free again"));
    }

    #[test]
    fn a_load_becomes_a_switch_without_a_gap() {
        let gate = Gate::default();
        let pass = gate.load(work("swap", "main")).expect("free");
        let switch = pass.into_switch().expect("not cancelled");
        assert_eq!(gate.work_on("main").expect("held").verb, "swap");
        drop(gate.load(work("load", "other")).expect("the load is over"));
        assert_eq!(gate.load(work("load", "main")).expect_err("switching").code, Code::Busy);
        drop(switch);
        assert!(gate.work_on("main").is_none());
    }
}
