//! A swap between two shapes, as a shell does it: all is prepared, then all is switched.

use core::ptr::NonNull;
use std::sync::Arc;

use crate::migrate::change::{Aside, Change, Waiting};
use crate::migrate::convert::{Converter, Unfit};
use crate::migrate::drains;
use crate::plugin::{Plugin, Refusal};
use crate::testing::TestServer;
use crate::testing::heap;
use crate::testing::host::Host;

impl<P: Plugin> TestServer<P> {
    /// Turns root and sessions into the shape of the version that comes.
    pub(super) fn migrate(&mut self, change: &Arc<Change>) -> Result<(), Refusal> {
        let before = heap::heap_bytes();
        // By name or by function: a drain that an earlier swap began is over before the next one.
        self.drain();
        // Sessions are converted whole, the root's large maps later.
        let whole = change.converter();
        let lazy = change.converter().lazily(Arc::clone(change));
        let of = |owner: u64| if owner == 0 { &lazy } else { &whole };
        let owners: Vec<u64> =
            core::iter::once(0).chain(self.host.clients.keys().copied()).collect();
        let mut prepared: Vec<(u64, Waiting)> = Vec::new();
        for owner in owners {
            // SAFETY: root and sessions are values of the version that is left; no call runs.
            match unsafe { prepare(&self.host, change, of(owner), owner) } {
                Ok(waiting) => prepared.push((owner, waiting)),
                Err(Unfit) => {
                    for (owner, waiting) in prepared {
                        // SAFETY: this converter prepared it.
                        unsafe { waiting.give_up(of(owner)) };
                    }
                    return Err(Refusal::new("a default of the new version panicked"));
                }
            }
        }
        for (owner, waiting) in prepared {
            let aside: &mut Aside = &mut self.host.aside;
            // SAFETY: nothing touched the values since; they are reached by the new address only.
            let switched = unsafe { waiting.switch(change, of(owner), aside, owner) };
            self.host.overtaken += switched.overtaken.len();
            *place(&mut self.host, owner) = switched.at.as_ptr();
        }
        self.host.change = Some(Arc::clone(change));
        let grown = heap::heap_bytes() - before;
        self.host.state_bytes = self.host.state_bytes.saturating_add_signed(grown);
        Ok(())
    }

    /// Converts entries of large maps that the last swap left for later, about `slots` of them, as a
    /// shell does between two calls. False when nothing is left to do.
    pub fn drain_some(&mut self, slots: usize) -> bool {
        let Some(change) = self.host.change.clone() else { return false };
        let before = heap::heap_bytes();
        let mut steps = slots.div_ceil(128);
        // SAFETY: no call runs, and the state is borrowed exclusively.
        let more = unsafe {
            drains::work(&change, || {
                steps = steps.saturating_sub(1);
                steps > 0
            })
        };
        let lost = drains::finished(&change);
        self.host.aside.put(change.from.schema.fingerprint, 0, lost);
        let grown = heap::heap_bytes() - before;
        self.host.state_bytes = self.host.state_bytes.saturating_add_signed(grown);
        more
    }

    /// Entries of large maps that are still in their old shape.
    pub fn entries_to_convert(&self) -> u64 {
        self.host.change.as_ref().map_or(0, |change| drains::progress(change).entries)
    }

    /// Converts all that the last swap left for later.
    pub fn drain(&mut self) {
        while self.drain_some(usize::MAX) {}
    }
}

/// # Safety
/// Root and sessions are values of the version that the change leaves.
unsafe fn prepare(
    host: &Host,
    change: &Change,
    converter: &Converter<'_>,
    owner: u64,
) -> Result<Waiting, Unfit> {
    let (pair, at) = match host.clients.get(&owner) {
        Some(client) => (change.plan.session, client.session),
        None => (change.plan.root, host.root),
    };
    debug_assert!(NonNull::new(at).is_some(), "init and connect made them");
    // SAFETY: the caller's promise.
    unsafe { change.prepare(converter, pair, at, &host.aside, owner) }
}

fn place(host: &mut Host, owner: u64) -> &mut *mut u8 {
    match host.clients.get_mut(&owner) {
        Some(client) => &mut client.session,
        None => &mut host.root,
    }
}
