//! A switch between two shapes of state: all is prepared, then all is switched; the entries of large
//! maps follow in slices, between calls.
//!
//! Invariant: until [`Prepared::switch`] nothing has changed; below it nothing can fail.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hotshell_plugin_api::abi::Buffer;
use hotshell_plugin_api::migrate::change::{Change, Version, Waiting};
use hotshell_plugin_api::migrate::convert::{Converter, Unfit};
use hotshell_plugin_api::migrate::drains;
use hotshell_plugin_api::migrate::plan::PairIndex;

use super::core::{Core, Server, monotonic_ns};
use crate::error::{Code, Error, Result};
use crate::generation::Callable;
use crate::limits::{DRAIN_SLICE_NS, STOP_ELEMENTS_MAX};

/// What a switch has set aside, and what it could not bring back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Migrated {
    /// Parts that the new version cannot hold.
    pub set_aside: u64,
    /// Parts of an earlier rollback that are there again.
    pub returned: u64,
}

/// Root and sessions in their new shape, beside the old ones.
pub(super) struct Prepared<'a> {
    change: &'a Arc<Change>,
    /// For sessions.
    whole: Converter<'a>,
    /// For the root, whose large maps are converted later.
    lazy: Converter<'a>,
    /// By owner: 0 for the root, else a client's id.
    waiting: Vec<(u64, Waiting)>,
}

/// A callable generation as one side of a change.
pub(super) fn version(callable: &Callable) -> Version {
    Version {
        schema: callable.shape.schema.clone(),
        lineage: callable.shape.lineage.clone(),
        functions: callable.functions.clone(),
    }
}

impl<'a> Prepared<'a> {
    /// Makes the new values. Nothing changes by it.
    ///
    /// # Errors
    /// `STOP` when lists and maps are too long to be converted at once, `PANICKED` when a default of
    /// the new version panicked.
    pub(super) fn new(core: &Core, change: &'a Arc<Change>, allow_stop: bool) -> Result<Self> {
        let lazy = change.converter().lazily(Arc::clone(change));
        let mut this = Self { change, whole: change.converter(), lazy, waiting: Vec::new() };
        let root = change.plan.root;
        // SAFETY: the root is a value of the active generation's schema, and no plugin code runs.
        let elements = unsafe { this.lazy.elements(root, core.state.root) };
        if elements > STOP_ELEMENTS_MAX && !allow_stop {
            return Err(too_long(elements));
        }
        match this.prepare_all(core) {
            Ok(()) => Ok(this),
            Err(Unfit) => {
                this.give_up();
                Err(no_default(core))
            }
        }
    }

    fn prepare_all(&mut self, core: &Core) -> std::result::Result<(), Unfit> {
        let plan = &self.change.plan;
        self.prepare(core, 0, plan.root, core.state.root)?;
        if plan.keeps_sessions() && core.aside.is_empty() {
            // Their bytes serve as they are, and nothing waits to come back to them.
            return Ok(());
        }
        let mut after = 0;
        while let Some(client) = core.state.clients.after(after) {
            // SAFETY: found among the living; no plugin code runs.
            let client = unsafe { client.as_ref() };
            after = client.id;
            if client.connected {
                self.prepare(core, client.id, plan.session, client.session)?;
            }
        }
        Ok(())
    }

    /// How many parts a switch would set aside; 0 when that cannot be told without a long stop.
    pub(super) fn look(core: &Core, change: &'a Arc<Change>) -> u64 {
        if change.is_adopt() {
            return 0;
        }
        let Ok(this) = Self::new(core, change, false) else { return 0 };
        let lost = this.waiting.iter().map(|(_, waiting)| waiting.lost().len() as u64).sum();
        this.give_up();
        lost
    }

    fn prepare(
        &mut self,
        core: &Core,
        owner: u64,
        pair: PairIndex,
        at: *mut u8,
    ) -> std::result::Result<(), Unfit> {
        // SAFETY: root and sessions are values of the active generation's schema; until the switch
        // no plugin code runs.
        let waiting =
            unsafe { self.change.prepare(self.converter(owner), pair, at, &core.aside, owner) }?;
        self.waiting.push((owner, waiting));
        Ok(())
    }

    fn converter(&self, owner: u64) -> &Converter<'a> {
        if owner == 0 { &self.lazy } else { &self.whole }
    }

    fn give_up(mut self) {
        for (owner, waiting) in std::mem::take(&mut self.waiting) {
            // SAFETY: this converter prepared it.
            unsafe { waiting.give_up(self.converter(owner)) };
        }
    }

    /// The new values take their places. Cannot fail.
    pub(super) fn switch(mut self, core: &mut Core) -> Migrated {
        let mut migrated = Migrated::default();
        for (owner, waiting) in std::mem::take(&mut self.waiting) {
            migrated.set_aside += waiting.lost().len() as u64;
            let converter = self.converter(owner);
            // SAFETY: nothing touched the old value since it was prepared; its place gets the address
            // of the new one now.
            let switched =
                unsafe { waiting.switch(self.change, converter, &mut core.aside, owner) };
            migrated.returned += switched.returned as u64;
            for lost in &switched.overtaken {
                tracing::warn!(owner, "use: a part that was set aside cannot return: {lost}");
            }
            match core.state.clients.find(owner) {
                // SAFETY: found among the living; no plugin code runs.
                Some(mut client) => unsafe { client.as_mut().session = switched.at.as_ptr() },
                None => core.state.root = switched.at.as_ptr(),
            }
        }
        let schema = &self.change.to.schema;
        let session = &schema.types[schema.session as usize];
        core.state.session_size = session.size as usize;
        core.state.session_align = session.align as usize;
        let left = drains::progress(self.change).entries;
        core.counters.draining.store(left, Relaxed);
        core.change = Some(Arc::clone(self.change));
        core.state.root_layout = layout_of(core, &schema.encode());
        migrated
    }
}

impl Server {
    /// Converts entries that the last switch left for later, for one slice. False when none is left.
    ///
    /// Between two calls of the plugin only, as all of the engine's tasks are.
    pub(super) fn drain_slice(&self) -> bool {
        let core = &mut *self.core.borrow_mut();
        let Some(change) = core.change.clone() else { return false };
        let end = monotonic_ns() + DRAIN_SLICE_NS;
        // SAFETY: no plugin code runs, so nobody holds a reference to an entry; the images of both
        // sides are mapped, since `settle` comes before a discard.
        let more = unsafe { drains::work(&change, || monotonic_ns() < end) };
        let lost = drains::finished(&change);
        core.aside.put(change.from.schema.fingerprint, 0, lost);
        let left = if more { drains::progress(&change).entries.max(1) } else { 0 };
        core.counters.draining.store(left, Relaxed);
        core.counters.unwatch();
        if !more {
            core.change = None;
        }
        more
    }

    /// Converts all that is left, slice by slice; clients are served in between.
    pub(super) async fn drained(self: &Rc<Self>) {
        while self.drain_slice() {
            tokio::task::yield_now().await;
        }
    }
}

/// Drains after each switch that left something for later.
pub(super) async fn drain(server: Rc<Server>) {
    loop {
        server.drain.notified().await;
        server.drained().await;
        server.publish();
    }
}

/// The id of a layout, which is a new one when no state was ever written in it.
fn layout_of(core: &mut Core, encoded: &[u8]) -> u32 {
    let layouts = &mut core.state.layouts;
    let known = layouts.iter().position(|layout| layout.as_slice() == encoded);
    known.unwrap_or_else(|| {
        let mut layout = Buffer::new();
        layout.extend_from_slice(encoded);
        layouts.push(layout);
        layouts.len() - 1
    }) as u32
}

#[cold]
fn no_default(core: &Core) -> Error {
    Error::new(
        Code::Panicked,
        "the state was not converted",
        format!(
            "a default of the new version panicked; {} {} serves on",
            core.active.plugin, core.active.version
        ),
        "the place is in the host's log; correct the version and load it again",
    )
}

#[cold]
fn too_long(elements: u64) -> Error {
    Error::new(
        Code::Stop,
        "the state is too large to be converted at once",
        format!(
            "{elements} elements would be converted while nobody is served; the most that is done \
             without being asked for is {STOP_ELEMENTS_MAX}"
        ),
        "--allow-stop if that stop is acceptable; `--dry-run` shows which fields are to blame",
    )
}
