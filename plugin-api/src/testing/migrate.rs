//! A swap between two shapes, as a shell does it: all is prepared, then all is switched.

use core::ptr::NonNull;
use std::sync::Arc;

use crate::ctx::ClientId;
use crate::migrate::change::Change;
use crate::migrate::convert::{Lost, Unfit};
use crate::migrate::returns::Returns;
use crate::migrate::trail::Leg;
use crate::migrate::{drains, trees};
use crate::plugin::{Plugin, Refusal};
use crate::testing::TestServer;
use crate::testing::heap;
use crate::testing::host::Host;

impl<P: Plugin> TestServer<P> {
    /// Turns the root into the shape of the version that comes; sessions follow.
    pub(super) fn migrate(&mut self, change: &Arc<Change>) -> Result<(), Refusal> {
        let before = heap::heap_bytes();
        // A drain that an earlier swap began is over before the next one, unless that is the way back;
        // sessions wait for nobody, unless a function is to make something of them.
        let to = &change.to.schema;
        if !self.host.change.as_ref().is_some_and(|running| drains::may_turn(running, to)) {
            while self.drain_maps(usize::MAX) {}
        }
        let layout = self.host.layout_of(to.fingerprint);
        if !self.host.trail.composes(Some(layout)) {
            while self.drain_sessions(usize::MAX) {}
        }
        self.host.keep_left();
        while drains::has_parked() {
            self.host.keep_left();
        }
        let migrated = self.host.migrate(change);
        let grown = heap::heap_bytes() - before;
        self.host.state_bytes = self.host.state_bytes.saturating_add_signed(grown);
        migrated.map_err(|Unfit| Refusal::new("a default of the new version panicked"))
    }

    /// Converts sessions and entries of large maps that the last swap left for later, about `slots` of
    /// them, as a shell does between two calls. False when nothing is left to do.
    pub fn drain_some(&mut self, slots: usize) -> bool {
        let before = heap::heap_bytes();
        let more = self.drain_maps(slots) || self.drain_sessions(slots);
        self.host.keep_left();
        let grown = heap::heap_bytes() - before;
        self.host.state_bytes = self.host.state_bytes.saturating_add_signed(grown);
        more
    }

    fn drain_maps(&mut self, slots: usize) -> bool {
        let Some(change) = self.host.change.clone() else { return false };
        let mut steps = slots.div_ceil(32);
        let mut more = || {
            steps = steps.saturating_sub(1);
            steps > 0
        };
        // SAFETY: no call runs, and the state is borrowed exclusively.
        let more = unsafe { drains::work(&change, &mut more) || trees::work(&change, more) };
        self.host.keep_left();
        self.host.conversions_panicked += change.take_panicked();
        if !more {
            self.host.change = None;
        }
        more
    }

    fn drain_sessions(&mut self, most: usize) -> bool {
        let today = self.host.layout;
        let stale = self.host.clients.iter().filter(|(_, client)| client.layout != today);
        let stale: Vec<ClientId> = stale.map(|(&id, _)| id).take(most).collect();
        stale.iter().for_each(|&id| self.host.bring(id));
        let more = stale.len() == most;
        if !more {
            self.host.trail.clear();
        }
        more
    }

    /// Sessions that are still in an older shape.
    pub fn sessions_to_convert(&self) -> usize {
        let today = self.host.layout;
        self.host.clients.values().filter(|client| client.layout != today).count()
    }

    /// Entries of large maps and trees that are still in their old shape.
    pub fn entries_to_convert(&self) -> u64 {
        let left = |change| drains::progress(change).entries + trees::progress(change).entries;
        self.host.change.as_ref().map_or(0, left)
    }

    /// Converts all that the last swap left for later.
    pub fn drain(&mut self) {
        while self.drain_some(usize::MAX) {}
    }

    /// Before a client's session is looked at.
    pub(super) fn bring(&mut self, id: ClientId) {
        let before = heap::heap_bytes();
        self.host.bring(id);
        let grown = heap::heap_bytes() - before;
        self.host.state_bytes = self.host.state_bytes.saturating_add_signed(grown);
    }
}

impl Host {
    fn migrate(&mut self, change: &Arc<Change>) -> Result<(), Unfit> {
        // The root's large maps are converted later.
        let lazy = change.converter().lazily(Arc::clone(change));
        debug_assert!(NonNull::new(self.root).is_some(), "init made it");
        let mut returns = Returns::default();
        // SAFETY: the root is a value of the version that is left; no call runs. Images of a test are
        // mapped for good.
        let (leg, waiting) = unsafe {
            while returns.read_on(change, &lazy, self.root, &self.aside, 100) {}
            let leg = Leg::prepare(change)?;
            (leg, change.prepare(&lazy, change.plan.root, self.root, returns)?)
        };
        let earlier = self.change.take();
        let changes = (change, earlier.as_ref());
        // SAFETY: nothing touched the root since; it is reached by the new address only.
        let switched = unsafe { waiting.switch(changes, &lazy, &mut self.aside) };
        self.overtaken += switched.overtaken.len();
        self.root = switched.at.as_ptr();
        let today = self.layout_of(change.to.schema.fingerprint);
        self.trail.leave(self.layout, leg, today);
        self.layout = today;
        self.change = Some(Arc::clone(change));
        Ok(())
    }

    /// Forgets what is set aside of entries, also what drains that run will still find: it is from
    /// before.
    pub(super) fn forget_entries(&mut self) {
        self.aside.forget_entries();
        self.forgotten = self.change.clone();
        self.change.iter().for_each(drains::forget_returning);
    }

    /// Takes what drains have left so far.
    fn keep_left(&mut self) {
        for (change, left) in drains::left() {
            self.overtaken += left.overtaken.len();
            self.set_aside(&change, left.lost);
        }
        self.aside.sweep();
    }

    /// Sets aside what drains of a change found.
    fn set_aside(&mut self, change: &Arc<Change>, lost: Vec<Lost>) {
        let forgotten = self.forgotten.as_ref().is_some_and(|of| Arc::ptr_eq(of, change));
        if !forgotten {
            self.aside.put(change.from.schema.fingerprint, lost);
        }
    }

    fn layout_of(&mut self, fingerprint: u64) -> u32 {
        let known = self.layouts.iter().position(|&layout| layout == fingerprint);
        known.unwrap_or_else(|| {
            self.layouts.push(fingerprint);
            self.layouts.len() - 1
        }) as u32
    }

    /// Brings a client's session to the layout of today.
    pub(super) fn bring(&mut self, id: ClientId) {
        let today = self.layout;
        let Some(client) = self.clients.get_mut(&id) else { return };
        let Some(at) = NonNull::new(client.session) else { return };
        if client.layout == today {
            return;
        }
        // SAFETY: the session is in this layout, and nobody refers to it: it was not asked for since
        // the swap.
        let brought = unsafe { self.trail.bring(client.layout, at, &mut client.aside) };
        (client.session, client.layout) = (brought.at.as_ptr(), today);
        self.overtaken += brought.overtaken.len();
        self.conversions_panicked += brought.panicked;
    }
}
