//! A switch between two shapes of state: the new root is made beside the old one, then it takes its
//! place; the entries of large maps and the sessions follow, when they are touched and in slices.
//!
//! Invariant: until [`Prepared::switch`] nothing has changed; below it nothing can fail.

use std::ptr::NonNull;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use hotshell_plugin_api::abi::Buffer;
use hotshell_plugin_api::migrate::change::{Change, Version, Waiting};
use hotshell_plugin_api::migrate::convert::{Converter, Lost, Unfit};
use hotshell_plugin_api::migrate::returns::Returns;
use hotshell_plugin_api::migrate::trail::Leg;
use hotshell_plugin_api::migrate::{drains, trees};

use super::core::{Core, Server};
use super::handle::{Switch, Whole};
use crate::error::{Code, Error, Result};
use crate::generation::{Callable, Shape};
use crate::heap;
use crate::limits::{DRAIN_SLICE_NS, DRY_SESSIONS, MEMORY_PATIENCE, READ_PARTS, STOP_ELEMENTS_MAX};
use crate::time::monotonic_ns;
use crate::time::short_duration;

/// What a switch has set aside, and what it could not bring back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Migrated {
    /// Parts that the new version cannot hold.
    pub set_aside: u64,
    /// Parts of an earlier rollback that are there again.
    pub returned: u64,
}

/// The root in its new shape, beside the old one, and all that sessions need to follow.
pub(super) struct Prepared<'a> {
    change: &'a Arc<Change>,
    /// Leaves the root's large maps for later.
    converter: Converter<'a>,
    root: Waiting,
    leg: Leg,
}

/// A switch for which all is ready that could be made so before its stop.
pub(super) struct Ready {
    pub switch: Switch,
    pub change: Arc<Change>,
    pub returns: Returns,
    /// Until when its memory is waited for; `None` before that was announced.
    patience: Option<Instant>,
}

/// A callable generation as one side of a change.
pub(super) fn version(callable: &Callable) -> Version {
    Version {
        schema: callable.shape.schema.clone(),
        lineage: callable.shape.lineage.clone(),
        functions: callable.functions.clone(),
        owners: callable.shape.owners.clone(),
    }
}

impl<'a> Prepared<'a> {
    /// Makes the new root. Nothing changes by it.
    ///
    /// # Errors
    /// `STOP` when lists and maps are too long to be converted at once, `PANICKED` when a default of
    /// the new version panicked.
    pub(super) fn new(
        core: &Core,
        change: &'a Arc<Change>,
        mut returns: Returns,
        allow_stop: bool,
    ) -> Result<Self> {
        let converter = change.converter().lazily(Arc::clone(change));
        let (pair, at) = (change.plan.root, core.state.root);
        // SAFETY: the root is a value of the active generation's schema, and no plugin code runs. What is not
        // read yet would be gone with the switch; as a rule all is.
        unsafe { while returns.read_on(change, &converter, at, &core.state.aside, READ_PARTS) {} }
        let elements = elements(core, &converter, &returns);
        if elements > STOP_ELEMENTS_MAX && !allow_stop {
            return Err(too_long(expected(core, &converter, elements)));
        }
        // SAFETY: as above, until the switch. The images are mapped: a discard waits for all drains.
        let prepared = unsafe {
            Leg::prepare(change)
                .and_then(|leg| Ok((leg, change.prepare(&converter, pair, at, returns)?)))
        };
        let (leg, root) = prepared.map_err(|Unfit| no_default(core))?;
        Ok(Self { change, converter, root, leg })
    }

    /// How many parts a switch would set aside: of the root, and of the first [`DRY_SESSIONS`] sessions;
    /// 0 when that cannot be told without a long stop. And what it would convert at once.
    pub(super) fn look(core: &Core, change: &'a Arc<Change>, returns: Returns) -> (u64, Whole) {
        if change.is_adopt() {
            return (0, Whole::default());
        }
        let converter = change.converter().lazily(Arc::clone(change));
        let elements = elements(core, &converter, &returns);
        let whole = expected(core, &converter, elements);
        let Ok(this) = Self::new(core, change, returns, false) else { return (0, whole) };
        let mut lost = this.root.lost().len();
        let mut after = 0;
        for _ in 0..DRY_SESSIONS {
            let Some(client) = core.state.clients.after(after) else { break };
            // SAFETY: found among the living; no plugin code runs.
            let client = unsafe { client.as_ref() };
            after = client.id;
            let session = NonNull::new(client.session);
            let session = session.filter(|_| client.layout == core.state.root_layout);
            // SAFETY: a session in the layout of the version that would be left.
            lost += session.map_or(0, |session| unsafe { this.leg.look(session) });
        }
        // SAFETY: this converter prepared it.
        unsafe { this.root.give_up(&this.converter) };
        (lost as u64, whole)
    }

    /// The new root takes its place. Cannot fail.
    ///
    /// `encoded` is the new schema as bytes.
    pub(super) fn switch(self, core: &mut Core, encoded: &[u8]) -> Migrated {
        let Self { change, converter, root, leg } = self;
        let set_aside = root.lost().len() as u64;
        let earlier = core.change.take();
        let changes = (change, earlier.as_ref());
        // SAFETY: nothing touched the old root since it was prepared; its place gets the address of
        // the new one now.
        let switched = unsafe { root.switch(changes, &converter, &mut core.state.aside) };
        let schema = &change.to.schema;
        core.overtaken.tell(schema, schema.root, switched.overtaken);
        core.emptied.extend(switched.shelf);
        core.state.root = switched.at.as_ptr();
        let session = &schema.types[schema.session as usize];
        core.state.session_size = session.size as usize;
        core.state.session_align = session.align as usize;
        core.change = Some(Arc::clone(change));
        let (left, today) = (core.state.root_layout, layout_of(core, encoded));
        core.sessions.switched(left, leg, today);
        core.state.root_layout = today;
        core.publish_draining();
        Migrated { set_aside, returned: switched.returned as u64 }
    }
}

impl Ready {
    /// Nothing is read yet.
    pub(super) fn new(core: &Core, switch: Switch) -> Self {
        let (from, to) = (version(&core.active), version(&switch.to));
        let change = Arc::new(Change::new(Arc::clone(&switch.plan), from, to));
        Self { switch, change, returns: Returns::default(), patience: None }
    }

    /// Has the heap's keeper map what the new root's large maps are going to need. True while that is waited
    /// for.
    fn awaits_memory(&mut self, core: &Core) -> bool {
        if self.change.is_adopt() {
            return false;
        }
        let patience = *self.patience.get_or_insert_with(|| {
            let converter = self.change.converter().lazily(Arc::clone(&self.change));
            let (pair, returning) = (self.change.plan.root, self.returns.entries());
            // SAFETY: the root is of the version that is left, and no plugin code runs.
            unsafe {
                converter.announce(pair, core.state.root, returning);
                converter.announce_returns(pair, core.state.root, &self.returns);
            }
            Instant::now() + MEMORY_PATIENCE
        });
        heap::is_awaited() && Instant::now() < patience
    }

    /// Reads some of what returns. False when all is read.
    pub(super) fn read_on(&mut self, core: &mut Core) -> bool {
        core.take_left();
        if drains::has_parked() {
            return true;
        }
        if self.change.is_adopt() {
            return false;
        }
        let (converter, root) = (self.change.converter(), core.state.root);
        // SAFETY: the root is of the version that is left, and no plugin code runs. Between two slices
        // a client may give a map up: its parts then go to the one that has its seed, or are put back
        // one by one.
        unsafe {
            self.returns.read_on(&self.change, &converter, root, &core.state.aside, READ_PARTS)
        }
    }
}

impl Core {
    /// Tells how much is still to be converted.
    fn publish_draining(&self) {
        let entries = self.change.as_ref().map_or(0, |change| {
            (drains::progress(change).entries + trees::progress(change).entries).max(1)
        });
        let sessions = self.sessions.not_in(self.state.root_layout);
        self.counters.draining.store(entries + sessions, Relaxed);
    }
}

impl Server {
    /// Converts entries and sessions that the last switch left for later, for one slice. False when
    /// none is left.
    ///
    /// Between two calls of the plugin only, as all of the engine's tasks are.
    pub(super) fn drain_slice(&self) -> bool {
        let core = &mut *self.core.borrow_mut();
        let end = monotonic_ns() + DRAIN_SLICE_NS;
        let time_is_left = || monotonic_ns() < end;
        core.clear_emptied(time_is_left);
        let more = match core.change.clone() {
            None => core.drain_sessions(time_is_left) || !core.emptied.is_empty(),
            Some(change) => {
                core.drain_maps(&change, time_is_left);
                true
            }
        };
        core.publish_draining();
        core.counters.unwatch();
        more
    }

    /// Converts all that is left, slice by slice; clients are served in between.
    pub(super) async fn drained(self: &Rc<Self>) {
        while self.drain_slice() {
            tokio::task::yield_now().await;
        }
    }

    /// Does, slice by slice, what must be over before this switch: converts the entries of large maps, unless
    /// it is the way back, and sessions that a function converts; reads what returns with it, and has the
    /// memory mapped that it takes. Other sessions go on from where they are.
    pub(super) async fn ready(self: &Rc<Self>, switch: Switch) -> Ready {
        let mut ready = Ready::new(&self.core.borrow(), switch);
        loop {
            let waits = self.core.borrow().waits(&ready.switch);
            if waits {
                self.drain_slice();
            } else {
                let core = &mut *self.core.borrow_mut();
                if !ready.read_on(core) && !ready.awaits_memory(core) {
                    return ready;
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Core {
    /// Forgets what is set aside of entries of maps, also what drains that run will still find: it is
    /// from before.
    pub(super) fn forget_entries(&mut self) {
        self.state.aside.forget_entries();
        self.forgotten = self.change.clone();
        self.change.iter().for_each(drains::forget_returning);
    }

    /// Sets aside what drains of a change found.
    fn set_aside(&mut self, change: &Arc<Change>, lost: Vec<Lost>) {
        let forgotten = self.forgotten.as_ref().is_some_and(|of| Arc::ptr_eq(of, change));
        if !forgotten {
            self.state.aside.put(change.from.schema.fingerprint, lost);
        }
    }

    /// Gives back the memory in which parts waited that have returned.
    fn clear_emptied(&mut self, mut more: impl FnMut() -> bool) {
        while let Some(shelf) = self.emptied.last_mut() {
            if shelf.clear_some(&mut more) {
                return;
            }
            self.emptied.pop();
        }
    }

    /// Takes what drains have left so far.
    fn take_left(&mut self) {
        for (change, left) in drains::left() {
            let schema = &change.to.schema;
            self.overtaken.tell(schema, schema.root, left.overtaken);
            self.set_aside(&change, left.lost);
        }
        self.state.aside.sweep();
    }

    /// Whether something must be over before this switch.
    fn waits(&self, switch: &Switch) -> bool {
        let Shape { schema, encoded, .. } = &switch.to.shape;
        let entries = self.change.as_ref().is_some_and(|change| !drains::may_turn(change, schema));
        let mut layouts = self.state.layouts.iter();
        let layout = layouts.position(|layout| layout.as_slice() == &**encoded);
        entries || !self.sessions.composes(layout.map(|layout| layout as u32))
    }

    fn drain_maps(&mut self, change: &Arc<Change>, mut more: impl FnMut() -> bool) {
        // SAFETY: no plugin code runs, so nobody holds a reference to an entry; the images of both
        // sides are mapped, since a discard waits for the end of a drain.
        let more = unsafe { drains::work(change, &mut more) || trees::work(change, more) };
        self.take_left();
        self.count_panicked(change.take_panicked());
        if !more {
            self.change = None;
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

/// Elements and entries that a switch of the root converts at once.
fn elements(core: &Core, converter: &Converter<'_>, returns: &Returns) -> u64 {
    let (pair, at) = (converter.root(), core.state.root);
    // SAFETY: the root is a value of the active generation's schema, and no plugin code runs.
    unsafe { converter.elements(pair, at) + converter.elements_of_returns(pair, at, returns) }
}

/// About how long so many take: some are tried.
fn expected(core: &Core, converter: &Converter<'_>, elements: u64) -> Whole {
    let begun = monotonic_ns();
    // SAFETY: as in `elements`.
    let tried = unsafe { converter.try_some(converter.root(), core.state.root) } as u64;
    let taken = monotonic_ns() - begun;
    Whole { elements, expected_ns: (taken * elements).checked_div(tried).unwrap_or(0) }
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
fn too_long(Whole { elements, expected_ns }: Whole) -> Error {
    let takes = match expected_ns {
        0 => String::new(),
        ns => format!(", for about {}", short_duration(ns)),
    };
    Error::new(
        Code::Stop,
        "the state is too large to be converted at once",
        format!(
            "{elements} elements would be converted while nobody is served{takes}; the most that \
             is done without being asked for is {STOP_ELEMENTS_MAX}"
        ),
        "--allow-stop if that stop is acceptable; `--dry-run` shows which fields are to blame",
    )
}
