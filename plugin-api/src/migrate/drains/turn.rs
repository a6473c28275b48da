//! A swap back in the middle of a drain: nobody waits for its end. What was converted is a source of the
//! way back; what was not is in the right shape already.

use core::ptr::NonNull;
use std::sync::Arc;

use super::{DRAINS, Drain, Finished};
use crate::collections::hash_map::conversion::Conversion;
use crate::collections::hash_map::erased;
use crate::migrate::change::Change;
use crate::migrate::trees;
use crate::schema::Schema;

/// Whether a switch to this schema may come while a change is followed: it is the way back, on which each
/// entry that was not converted is where it belongs. Trees are not turned back: they end first.
pub fn may_turn(change: &Arc<Change>, to: &Schema) -> bool {
    let back = to.fingerprint == change.from.schema.fingerprint;
    back && trees::progress(change).maps == 0 && may_turn_maps(change)
}

fn may_turn_maps(change: &Arc<Change>) -> bool {
    DRAINS.with_borrow(|drains| {
        let mut of = drains.running.iter().filter(|drain| drain.is_of(change));
        // SAFETY: the conversions of living maps, which nobody changes meanwhile.
        of.all(|drain| unsafe { drain.at.as_ref() }.can_turn())
    })
}

/// Whether the conversion of the map at `at` is to be turned back by a swap, and not ended first.
///
/// # Safety
/// `at` is a map.
pub(crate) unsafe fn turns(at: *mut u8) -> bool {
    // SAFETY: the caller's promise.
    let Some(conversion) = (unsafe { erased::conversion(at) }) else { return false };
    // SAFETY: the conversion of a living map.
    let turns = unsafe { conversion.as_ref() }.can_turn();
    turns && super::is_running(conversion)
}

/// The conversion `there` has given its tables to the one that was begun as its way back.
pub(crate) fn turned(there: NonNull<Conversion>) {
    DRAINS.with_borrow_mut(|drains| {
        let Some(at) = drains.running.iter().position(|drain| drain.at == there) else { return };
        let gone = drains.running.remove(at).expect("just found");
        let back = drains.running.iter_mut().find(|drain| drain.turns == Some(there));
        let back = back.expect("a conversion loses its tables to its way back only");
        back.turns = None;
        let back = Arc::clone(&back.held.change);
        drains.leave(gone, &back);
    });
}

/// Turns what still drains for an earlier change where it stands, after a swap back of which the maps took
/// no notice: all their entries are entries of the new version.
pub(crate) fn turn_back(earlier: &Arc<Change>, change: &Arc<Change>) {
    DRAINS.with_borrow_mut(|drains| {
        let held = drains.held(change);
        let mut done = Vec::new();
        for drain in &mut drains.running {
            if !drain.is_of(earlier) {
                continue;
            }
            // SAFETY: the conversion of a living map, which nobody changes meanwhile.
            let conversion = unsafe { drain.at.as_mut() };
            let there = &drain.held.change.plan;
            let turned = drain.entries.turned(&held.converter, there);
            let entries = turned.expect("the way back of a map that stays as it is leaves it so");
            conversion.turn_in_place();
            let at = drain.at;
            let held = std::rc::Rc::clone(&held);
            done.push(core::mem::replace(
                drain,
                Drain {
                    at,
                    held,
                    entries,
                    seed: drain.seed,
                    returning: Default::default(),
                    overtaken: Vec::new(),
                    turns: None,
                },
            ));
        }
        for gone in done {
            let at = gone.at;
            drains.leave(gone, change);
            // SAFETY: as above.
            if unsafe { at.as_ref() }.is_complete() {
                drains.finish(at);
            }
        }
    });
}

impl super::Drains {
    /// Files what a drain leaves that was turned back: what it set aside, under its own change; what was
    /// still to return into it, under the one that turned it.
    fn leave(&mut self, gone: Drain, back: &Arc<Change>) {
        let Drain { held, entries, returning, overtaken, .. } = gone;
        let finished = Finished { lost: entries.lost, overtaken };
        self.finished.push((Arc::clone(&held.change), finished));
        if !returning.is_empty() {
            self.parked.push((Arc::clone(back), returning));
        }
    }
}
