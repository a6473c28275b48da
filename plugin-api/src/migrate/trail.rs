//! [`Trail`]: sessions change their shape when somebody looks at them, however many switches later.
//!
//! Each client carries the id of the layout that its session is in. A switch visits no client: it
//! notes one leg, from the layout that is left to the one that comes. Whoever wants a session first
//! brings it along the legs to the layout of today. A layout that comes back cuts the cycle out: a
//! session that nobody looked at meanwhile is in the right layout again, and was never touched.
//!
//! Invariant: a leg is noted only after all that may fail on it was tried, so a session can always be
//! brought.

use core::ptr::NonNull;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::aside::Aside;
use super::change::{Change, Switched};
use super::convert::{Converter, Instead, Lost, Unfit, restore};
use super::returns::Returns;
use crate::heap;
use crate::schema::Schema;

/// From each layout that was left, the leg by which it was left last.
#[derive(Debug, Default)]
pub struct Trail {
    legs: BTreeMap<u32, (Leg, u32)>,
}

/// The way of sessions from one version to another, with all that it takes.
#[derive(Debug)]
pub struct Leg {
    /// Borrows from the change, so it is dropped before it.
    converter: Converter<'static>,
    change: Arc<Change>,
    /// The image of a session that starts anew.
    start: Vec<u8>,
}

/// A session that was brought to the layout of today.
#[derive(Debug)]
pub struct Brought {
    /// Where it is now.
    pub at: NonNull<u8>,
    /// Parts that came back.
    pub returned: usize,
    /// Parts that could not come back, since something newer is in their place, each with its schema.
    pub overtaken: Vec<(Arc<Schema>, Lost)>,
    /// Defaults and conversions that panicked on the way.
    pub panicked: u64,
}

impl Trail {
    /// No layout was left yet.
    pub const fn new() -> Self {
        Self { legs: BTreeMap::new() }
    }

    /// Notes that the layout of today is `to`, and which leg leads there.
    pub fn leave(&mut self, from: u32, leg: Leg, to: u32) {
        self.legs.remove(&to);
        if from != to {
            self.legs.insert(from, (leg, to));
        }
    }

    /// Whether a switch to the layout `to` may be added while sessions are still on their way: by name they
    /// compose; what a function makes of a session is to be seen before the next version comes. Sessions
    /// that are in that layout already are on no way at all.
    pub fn composes(&self, to: Option<u32>) -> bool {
        let others = self.legs.iter().filter(|(from, _)| Some(**from) != to);
        let mut others = others.map(|(_, (leg, _))| leg);
        !others.any(|leg| leg.change.plan.runs_functions_on_sessions())
    }

    /// Forgets all legs: no session is on its way any more. The images on them are needed no longer.
    pub fn clear(&mut self) {
        self.legs.clear();
    }

    /// Brings the session at `at`, which is in layout `from`, to the layout of today.
    ///
    /// Each leg takes O(parts of a session that change). Runs defaults and conversions of the images
    /// on the way, which see nothing but their value.
    ///
    /// # Safety
    /// `at` is a session in that layout, in a block of the state heap that nobody refers to; the images
    /// of all legs are mapped; `aside` is what its client has set aside.
    pub unsafe fn bring(&self, from: u32, at: NonNull<u8>, aside: &mut Aside) -> Brought {
        let (mut layout, mut at) = (from, at);
        let mut brought = Brought { at, returned: 0, overtaken: Vec::new(), panicked: 0 };
        while let Some((leg, to)) = self.legs.get(&layout) {
            // SAFETY: the caller's promise; the leg leads from this layout.
            let switched = unsafe { leg.take(at, aside) };
            (layout, at) = (*to, switched.at);
            brought.returned += switched.returned;
            let schema = || Arc::clone(&leg.change.to.schema);
            let overtaken = switched.overtaken.into_iter();
            brought.overtaken.extend(overtaken.map(|lost| (schema(), lost)));
            brought.panicked += leg.change.take_panicked();
        }
        brought.at = at;
        brought
    }
}

impl Leg {
    /// Makes all that bringing a session by this change may need. Nothing changes by it.
    ///
    /// # Errors
    /// [`Unfit`] when a default panicked, or when the new version does not tell what a session starts
    /// with and sessions change.
    ///
    /// # Safety
    /// The images on both sides are mapped, and stay so until the leg is dropped.
    pub unsafe fn prepare(change: &Arc<Change>) -> Result<Self, Unfit> {
        let change = Arc::clone(change);
        // SAFETY: the converter borrows from the change, which the `Arc` beside it keeps in its place;
        // it is dropped before that, and lent for the life of the leg only.
        let converter = unsafe {
            core::mem::transmute::<Converter<'_>, Converter<'static>>(change.converter().sparing())
        };
        let mut start = Vec::new();
        if !change.plan.keeps_sessions() {
            let session = change.plan.session;
            let function = change.to.lineage.session.ok_or(Unfit)?;
            // SAFETY: the caller's promise; the lineage says what the function makes.
            unsafe {
                converter.try_defaults(session)?;
                start = converter.image_of_default(function, change.plan.pair(session).new)?;
            }
        }
        Ok(Self { converter, change, start })
    }

    /// The parts that a session at `at` would set aside. Nothing changes by it.
    ///
    /// # Safety
    /// `at` is a session of the version that is left.
    pub unsafe fn look(&self, at: NonNull<u8>) -> usize {
        if self.change.plan.keeps_sessions() {
            return 0;
        }
        // SAFETY: the caller's promise; what is made is given up at once.
        unsafe {
            match self.converter.prepare(self.change.plan.session, at.as_ptr()) {
                Ok(prepared) => {
                    let lost = prepared.lost().len();
                    prepared.abort(&self.converter);
                    lost
                }
                Err(Unfit) => 1,
            }
        }
    }

    /// # Safety
    /// As for [`Trail::bring`], with a session of the version that is left.
    unsafe fn take(&self, at: NonNull<u8>, aside: &mut Aside) -> Switched {
        let change = &self.change;
        if change.plan.keeps_sessions() && aside.is_empty() {
            return Switched { at, returned: 0, overtaken: Vec::new(), shelf: None };
        }
        // SAFETY: the caller's promise.
        unsafe {
            let returns = Returns::of(aside, change.to.schema.fingerprint);
            let session = change.plan.session;
            let waiting = change.prepare(&self.converter, session, at.as_ptr(), returns);
            match waiting {
                Ok(waiting) => waiting.switch((change, None), &self.converter, aside),
                Err(Unfit) => self.start_anew(at, aside),
            }
        }
    }

    /// A session that has no place in the new version, or whose conversion panicked: it is set aside
    /// whole, and a new one starts.
    ///
    /// # Safety
    /// As for [`Leg::take`].
    #[cold]
    unsafe fn start_anew(&self, at: NonNull<u8>, aside: &mut Aside) -> Switched {
        let pair = self.change.plan.pair(self.change.plan.session);
        let (old, new) = (self.converter.old(), self.converter.new_side());
        // SAFETY: the caller's promise. The image of the start is this process's own, so it builds;
        // the old session is dropped by its schema once its image is written.
        unsafe {
            let place = heap::alloc(new.layout(pair.new));
            let built = new.build(pair.new, place.as_ptr(), &mut &self.start[..]);
            built.expect("this process wrote the image");
            let mut image = Vec::new();
            old.write(pair.old, at.as_ptr(), &mut image);
            old.drop_value(pair.old, at.as_ptr());
            heap::free(at, old.layout(pair.old));
            let schema = self.change.to.schema.fingerprint;
            let (path, image_of_start) = (Vec::new(), self.start.clone());
            let instead = Some(Instead { schema, path, ty: pair.new, image: image_of_start });
            let (path, marks) = (Vec::new(), Vec::new());
            let whole = Lost { path, ty: pair.old, image, instead, marks };
            let fingerprint = self.change.to.schema.fingerprint;
            let back = aside.of(fingerprint);
            let shelf = aside.take(fingerprint);
            let asked = back.len();
            let overtaken = restore(new, pair.new, place.as_ptr(), back);
            aside.put(self.change.from.schema.fingerprint, vec![whole]);
            Switched { at: place, returned: asked - overtaken.len(), overtaken, shelf }
        }
    }
}
