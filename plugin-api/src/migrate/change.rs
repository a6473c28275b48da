//! [`Change`]: one change of shape, from version to version, and what it sets aside.

use core::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::aside::{Aside, Shelf};
use super::convert::{Converter, Found, Lost, Prepared, Unfit, restore_all, undisturbed};
use super::drains;
use super::lineage::{Functions, Lineage};
use super::plan::{PairIndex, Plan, PlanKind, Refused, Side};
use super::returns::{OfMap, Returns};
use crate::reflect::Owners;
use crate::schema::{Schema, TypeIndex};

/// A version, as far as its state's shape goes.
#[derive(Debug, Clone)]
pub struct Version {
    /// The shape.
    pub schema: Arc<Schema>,
    /// What it knows of the versions before it.
    pub lineage: Arc<Lineage>,
    /// Its image's functions. The image stays mapped while the change is in use.
    pub functions: Arc<Functions>,
    /// What is worked out of the shape, since a switch has no time for it.
    pub owners: Arc<Owners>,
}

/// One change of shape: the plan between two versions, and what it takes to follow it.
#[derive(Debug)]
pub struct Change {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The version that is left.
    pub from: Version,
    /// The version that comes.
    pub to: Version,
    /// Defaults and conversions that panicked since this was last asked.
    panicked: AtomicU64,
}

/// A value that waits for its switch: converted, or to be kept as it is.
#[derive(Debug)]
pub struct Waiting {
    /// `None` when the bytes stay.
    prepared: Option<Prepared>,
    at: *mut u8,
    pair: PairIndex,
    /// What comes back, once it is switched.
    back: Vec<Lost>,
    /// The same, of large maps.
    maps: Vec<OfMap>,
    /// What stays aside: a default that took its place was changed meanwhile.
    overtaken: Vec<Lost>,
}

/// What became of a value that was switched.
#[derive(Debug)]
pub struct Switched {
    /// The value in its new shape, in a block of the state heap.
    pub at: NonNull<u8>,
    /// Parts that came back.
    pub returned: usize,
    /// Parts that could not come back, since something newer is in their place. They are gone from
    /// the aside; whoever switched tells of them.
    pub overtaken: Vec<Lost>,
    /// Where the parts waited that came back: to be cleared when there is time.
    pub shelf: Option<Shelf>,
}

impl Change {
    /// The change from one version to another.
    ///
    /// # Errors
    /// [`Refused`] names the first place that cannot be taken over.
    pub fn between(from: &Version, to: &Version) -> Result<Self, Refused> {
        let plan = Arc::new(Plan::between(from.side(), to.side())?);
        Ok(Self::new(plan, from.clone(), to.clone()))
    }

    /// The change that follows a plan, which was made between these two versions.
    pub const fn new(plan: Arc<Plan>, from: Version, to: Version) -> Self {
        Self { plan, from, to, panicked: AtomicU64::new(0) }
    }

    /// Defaults and conversions that panicked since this was asked before. What each was to make
    /// is set aside, or starts with its default.
    pub fn take_panicked(&self) -> u64 {
        self.panicked.swap(0, Relaxed)
    }

    /// Whether values of both shapes are the same.
    pub fn is_adopt(&self) -> bool {
        self.plan.kind == PlanKind::Adopt
    }

    /// A converter. O(1).
    pub fn converter(&self) -> Converter<'_> {
        let converter = Converter::new(&self.plan, &self.from, &self.to);
        converter.with_lineage(&self.from.lineage).counting(&self.panicked)
    }

    /// Makes the new value of the one at `at` beside it, with what waits aside for it: all of `returns`.
    /// Nothing changes by it.
    ///
    /// # Errors
    /// [`Unfit`] when it has no place, or a default panicked; nothing changed then.
    ///
    /// # Safety
    /// `at` is a value of the pair's old type in a block of the state heap; nobody touches it until
    /// [`Waiting::switch`] or [`Waiting::give_up`].
    pub unsafe fn prepare(
        &self,
        converter: &Converter<'_>,
        pair: PairIndex,
        at: *mut u8,
        returns: Returns,
    ) -> Result<Waiting, Unfit> {
        let keeps = self.plan.pair(pair).how == super::plan::How::Same;
        converter.expect(returns.entries());
        let Returns { others, mut maps, .. } = returns;
        let old = self.plan.pair(pair).old;
        // SAFETY: the caller's promise.
        unsafe {
            let (mut back, mut overtaken, mut found) = (Vec::new(), Vec::new(), Found::default());
            for (_, mut lost) in others {
                let there = converter.find_elements(pair, at, &mut lost.path, &mut found)
                    && undisturbed(converter.old(), old, at, &lost);
                if there { back.push(lost) } else { overtaken.push(lost) }
            }
            for of in maps.iter_mut().filter(|of| !converter.defers_way(pair, at, &of.way)) {
                of.find_elements(converter, pair, at, &mut found);
            }
            let prepared = if keeps { None } else { Some(converter.prepare(pair, at)?) };
            Ok(Waiting { prepared, at, pair, back, maps, overtaken })
        }
    }

    fn new_type(&self, pair: PairIndex) -> TypeIndex {
        self.plan.pair(pair).new
    }
}

impl Waiting {
    /// The new value takes the old one's place. What has no place in it goes aside, what was set
    /// aside from its schema comes back. `earlier` is the change that was still followed, of which this
    /// is the way back. Cannot fail.
    ///
    /// # Safety
    /// The old value is as it was and is not used afterwards; `change` and `converter` prepared it.
    pub unsafe fn switch(
        self,
        (change, earlier): (&Arc<Change>, Option<&Arc<Change>>),
        converter: &Converter<'_>,
        aside: &mut Aside,
    ) -> Switched {
        let ty = change.new_type(self.pair);
        // SAFETY: the caller's promise; after the commit the new value is whole.
        unsafe {
            let (at, lost) = match self.prepared {
                Some(prepared) => prepared.commit(converter),
                None => (NonNull::new_unchecked(self.at), Vec::new()),
            };
            earlier.into_iter().for_each(|earlier| drains::turn_back(earlier, change));
            let shelf = aside.take(change.to.schema.fingerprint);
            let sorted = self.maps.iter().map(|of| of.count as usize);
            let asked = self.back.len() + sorted.sum::<usize>();
            let parts = (self.back, self.maps);
            let mut overtaken = restore_all(change, converter, at.as_ptr(), parts, ty);
            let returned = asked - overtaken.len();
            overtaken.extend(self.overtaken);
            aside.put(change.from.schema.fingerprint, lost);
            Switched { at, returned, overtaken, shelf }
        }
    }

    /// What has no place in the new value.
    pub fn lost(&self) -> &[Lost] {
        self.prepared.as_ref().map_or(&[], Prepared::lost)
    }

    /// The old value stays.
    ///
    /// # Safety
    /// `converter` prepared it.
    pub unsafe fn give_up(self, converter: &Converter<'_>) {
        if let Some(prepared) = self.prepared {
            // SAFETY: the caller's promise.
            unsafe { prepared.abort(converter) };
        }
    }
}

impl Version {
    /// One side of a plan.
    pub fn side(&self) -> Side<'_> {
        Side { schema: &self.schema, lineage: &self.lineage }
    }
}
