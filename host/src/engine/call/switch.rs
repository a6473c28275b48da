//! The switch to another generation, between two calls.

use std::sync::atomic::Ordering::Relaxed;

use crate::engine::core::Server;
use crate::engine::handle::{Counters, Switch, Switched, Whole};
use crate::engine::migrate::{Migrated, Prepared, Ready};
use crate::engine::snapshot::Snapshots;
use crate::engine::stopwatch::faults;
use crate::error::Result;
use crate::time::monotonic_ns;

impl Server {
    /// Makes another generation the active one.
    ///
    /// # Errors
    /// The state cannot be turned into the new shape now; nothing has changed then.
    pub(in crate::engine) fn switch(&self, ready: Ready) -> Result<Switched> {
        let dry_run = ready.switch.dry_run;
        let (switched, panicked) = self.take_over(ready)?;
        if dry_run {
            return Ok(switched);
        }
        self.note_switch(switched.pause_ns, panicked);
        self.drain.notify_one();
        self.tick_plugin();
        self.publish();
        Ok(switched)
    }

    /// The switch itself, without a call of the new code; and how many of its defaults and conversions
    /// panicked.
    ///
    /// The stop is what lies between the two clock readings: this thread is between two calls when it
    /// starts, and the next call is the new code's.
    ///
    /// # Errors
    /// As for [`Server::switch`].
    pub(in crate::engine) fn take_over(&self, ready: Ready) -> Result<(Switched, u64)> {
        let core = &mut *self.core.borrow_mut();
        let begun = monotonic_ns();
        let from = core.state.generation;
        let Ready { switch: Switch { to, allow_stop, dry_run, .. }, change, returns, .. } = ready;
        if dry_run {
            let (set_aside, whole) = Prepared::look(core, &change, returns);
            return Ok((Switched { from, set_aside, whole, ..Switched::default() }, 0));
        }
        let (prepared, before) = match change.is_adopt() {
            true => (None, None),
            false => {
                let before = faults();
                (Some(Prepared::new(core, &change, returns, allow_stop)?), Some(before))
            }
        };
        // ---- point of no return: nothing below can fail ----
        let migrated = prepared.map(|prepared| prepared.switch(core, &to.shape.encoded));
        core.state.generation = to.generation;
        self.layout.set(core.state.root_layout);
        let old = std::mem::replace(&mut core.active, to);
        let pause_ns = monotonic_ns() - begun;
        let faults = before.map_or(0, |before| faults() - before);
        drop(old);
        let Migrated { set_aside, returned } = migrated.unwrap_or_default();
        let whole = Whole::default();
        let switched = Switched { pause_ns, faults, from, set_aside, returned, whole };
        Ok((switched, change.take_panicked()))
    }

    /// Counts a switch, begins to count anew what the generation does, and tells the journal.
    fn note_switch(&self, pause_ns: u64, panicked: u64) {
        let core = &mut *self.core.borrow_mut();
        core.state.counters.swaps += 1;
        let counters = &core.counters;
        let cpu_ns = counters.cpu_now_ns();
        counters.before.take(&counters.now, cpu_ns);
        let unwatched = counters.calls_unwatched.swap(0, Relaxed);
        let watched = Counters::get(&counters.before.calls).saturating_sub(unwatched);
        counters.before.calls.store(watched, Relaxed);
        Counters::add(&counters.cpu_at_switch_ns, cpu_ns);
        let max = Counters::get(&counters.swap_pause_ns_max).max(pause_ns);
        counters.swap_pause_ns_last.store(pause_ns, Relaxed);
        counters.swap_pause_ns_max.store(max, Relaxed);
        core.count_panicked(panicked);
        let replayed = std::mem::replace(&mut core.replays, core.active.replay().is_some());
        if core.replays && !replayed {
            // What came before is in no journal.
            core.snapshots.as_mut().into_iter().for_each(Snapshots::want);
        }
        let origin = core.active.origin();
        core.journal.as_mut().into_iter().for_each(|journal| journal.switched(origin));
    }
}
