//! A swap between two shapes, as a shell does it: all is prepared, then all is switched.

use core::ptr::NonNull;

use crate::migrate::change::{Aside, Change, Waiting};
use crate::migrate::convert::{Converter, Unfit};
use crate::plugin::{Plugin, Refusal};
use crate::testing::TestServer;
use crate::testing::heap;
use crate::testing::host::Host;

impl<P: Plugin> TestServer<P> {
    /// Turns root and sessions into the shape of the version that comes.
    pub(super) fn migrate(&mut self, change: &Change) -> Result<(), Refusal> {
        let before = heap::heap_bytes();
        let converter = change.converter();
        let owners: Vec<u64> =
            core::iter::once(0).chain(self.host.clients.keys().copied()).collect();
        let mut prepared: Vec<(u64, Waiting)> = Vec::new();
        for owner in owners {
            // SAFETY: root and sessions are values of the version that is left; no call runs.
            match unsafe { prepare(&self.host, change, &converter, owner) } {
                Ok(waiting) => prepared.push((owner, waiting)),
                Err(Unfit) => {
                    for (_, waiting) in prepared {
                        // SAFETY: this converter prepared it.
                        unsafe { waiting.give_up(&converter) };
                    }
                    return Err(Refusal::new("a default of the new version panicked"));
                }
            }
        }
        for (owner, waiting) in prepared {
            let aside: &mut Aside = &mut self.host.aside;
            // SAFETY: nothing touched the values since; they are reached by the new address only.
            let switched = unsafe { waiting.switch(change, &converter, aside, owner) };
            self.host.overtaken += switched.overtaken.len();
            *place(&mut self.host, owner) = switched.at.as_ptr();
        }
        let grown = heap::heap_bytes() - before;
        self.host.state_bytes = self.host.state_bytes.saturating_add_signed(grown);
        Ok(())
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
