//! [`Converter`]: follows a plan, value by value.
//!
//! A conversion is a transaction. The new value is made beside the old one, whose bytes stay as they
//! are until [`Prepared::commit`]; until then [`Prepared::abort`] leaves no trace. What is below an
//! unchanged part is never visited: its bytes move, and with them the ownership of what they own.
//!
//! Invariant: nothing in here depends on what an author wrote but the defaults and conversions of the
//! image, which catch their own panics; one that panics makes its value one that does not fit.

mod effort;
mod elements;
mod fields;
mod journal;
mod lost;
mod maps;
mod mover;
mod number;
mod prepared;
mod restore;
mod sample;
mod sequence;
mod trial;
mod work;

use core::ptr::{self, NonNull};
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::heap;
use crate::migrate::change::{Change, Version};
use crate::migrate::lineage::{ConvertFn, DefaultFn, FunctionIndex, Functions, Lineage};
use crate::migrate::plan::{How, Image, PairIndex, Plan};
use crate::reflect::Reflect;
use crate::schema::TypeIndex;

use fields::Owner;
use journal::{Fresh, Journal, Spent};
use work::Work;

pub(crate) use elements::Found;
pub(crate) use maps::Known;
pub(crate) use mover::EntryMover;
pub(crate) use restore::KeyBlock;

pub use lost::{Instead, Lost, Step};
pub use prepared::Prepared;
pub(crate) use restore::restore_all;
pub use restore::{restore, undisturbed};

/// Everything that a conversion needs to know.
#[derive(Debug)]
pub struct Converter<'a> {
    plan: &'a Plan,
    old: Half<'a>,
    new: Half<'a>,
    /// Where large maps may convert later: the change, which outlives what it began.
    lazy: Option<Arc<Change>>,
    /// Entries that may return into such a map, at most.
    expected: Cell<usize>,
    /// What the old version knows of its fields' defaults.
    lineage: Option<&'a Lineage>,
    /// Images of such defaults.
    defaults: RefCell<Defaults>,
    /// There are many values like this one: what holds its default leaves nothing behind.
    sparing: bool,
    /// Where functions that panic are counted.
    panicked: Option<&'a AtomicU64>,
}

/// Images of defaults by what has the field and its offset; `None` where there is none.
type Defaults = HashMap<(Owner, u32), Option<Vec<u8>>>;

#[derive(Debug)]
struct Half<'a> {
    reflect: Reflect<'a>,
    functions: &'a Functions,
}

/// The value has no place in the new type, or a function of an image panicked over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unfit;

impl<'a> Converter<'a> {
    /// A converter for `plan`, which was made between these two versions. Their images stay mapped as
    /// long as the converter is used. O(1).
    pub fn new(plan: &'a Plan, from: &'a Version, to: &'a Version) -> Self {
        let half = |version: &'a Version| Half {
            reflect: Reflect::with(&version.schema, &version.owners),
            functions: &version.functions,
        };
        let (old, new) = (half(from), half(to));
        Self {
            plan,
            old,
            new,
            lazy: None,
            expected: Cell::new(0),
            lineage: None,
            defaults: RefCell::default(),
            sparing: false,
            panicked: None,
        }
    }

    /// Counts defaults and conversions that panic.
    #[must_use]
    pub fn counting(self, panicked: &'a AtomicU64) -> Self {
        Self { panicked: Some(panicked), ..self }
    }

    /// Sets no field aside that holds its default, wherever it is: for values of which there are many.
    #[must_use]
    pub fn sparing(self) -> Self {
        Self { sparing: true, ..self }
    }

    /// Knows the old version's defaults, so that a field of a map's entry that holds its default leaves
    /// nothing behind.
    #[must_use]
    pub fn with_lineage(self, lineage: &'a Lineage) -> Self {
        Self { lineage: Some(lineage), ..self }
    }

    /// Leaves the entries of large hash maps, outside of other maps and lists, to the
    /// [drains](crate::migrate::drains) of this thread. `change` is the one that this is the converter of.
    #[must_use]
    pub fn lazily(self, change: Arc<Change>) -> Self {
        Self { lazy: Some(change), ..self }
    }

    /// Says how many entries may return into a map that is converted later, at most.
    pub(crate) fn expect(&self, entries: usize) {
        self.expected.set(entries);
    }

    /// The pair of the two roots.
    pub const fn root(&self) -> PairIndex {
        self.plan.root
    }

    /// The old schema, to be followed.
    pub fn old(&self) -> &Reflect<'a> {
        &self.old.reflect
    }

    /// The new schema, to be followed.
    pub fn new_side(&self) -> &Reflect<'a> {
        &self.new.reflect
    }

    /// Makes the new value of the old one at `from`, in a block of its own. O(parts that change).
    ///
    /// # Errors
    /// [`Unfit`] when it has no place and there is no default to start with; nothing changed then.
    ///
    /// # Safety
    /// `from` is a value of the pair's old type, in the state heap, and nobody touches it before the
    /// answer is committed or aborted.
    pub unsafe fn prepare(&self, pair: PairIndex, from: *mut u8) -> Result<Prepared, Unfit> {
        let mut journal = Journal::default();
        let layout = self.new.reflect.layout(self.plan.pair(pair).new);
        let at = heap::alloc(layout);
        let mut work = Work::new(&mut journal);
        // SAFETY: the caller's promise; the block has the new type's layout.
        match unsafe { self.convert(pair, from, at.as_ptr(), &mut work) } {
            Ok(()) => Ok(Prepared { at, from, pair, journal }),
            Err(unfit) => {
                // SAFETY: nothing of the new value is used any more.
                unsafe {
                    journal.revert(&self.new.reflect, &Default::default());
                    heap::free(at, layout);
                }
                Err(unfit)
            }
        }
    }

    /// # Safety
    /// `from` is a value of the old type, `to` raw memory of the new type's layout, zeroed or not.
    unsafe fn convert(
        &self,
        pair: PairIndex,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> Result<(), Unfit> {
        let plan = self.plan.pair(pair);
        let inner = |inner: &PairIndex| self.plan.pair(*inner);
        // SAFETY: the caller's promise; where each part lies is what the plan was made from.
        unsafe {
            match &plan.how {
                How::Same => {
                    ptr::copy_nonoverlapping(from, to, plan.old_size.size as usize);
                    Ok(())
                }
                How::Number { from: a, to: b } => number::convert(*a, from, *b, to),
                How::Struct(fields) => {
                    ptr::write_bytes(to, 0, plan.new_size.size as usize);
                    self.fields(fields, Owner { ty: plan.old, variant: 0 }, from, to, work)
                }
                How::Enum(arms) => {
                    ptr::write_bytes(to, 0, plan.new_size.size as usize);
                    self.variant(arms, plan.old, from, to, work)
                }
                How::IntoOption(value) => {
                    ptr::write_bytes(to, 0, plan.new_size.size as usize);
                    to.write(1);
                    let at = to.add(inner(value).new_size.align as usize);
                    work.into(Step::Some, |work| self.convert(*value, from, at, work))
                }
                How::OutOfOption(value) if from.read() == 1 => {
                    let at = from.add(inner(value).old_size.align as usize);
                    work.within(Step::Some, |work| self.convert(*value, at, to, work))
                }
                How::OutOfOption(_) => Err(Unfit),
                How::Option(value) => {
                    ptr::write_bytes(to, 0, plan.new_size.size as usize);
                    if from.read() == 0 {
                        return Ok(());
                    }
                    to.write(1);
                    let (a, b) = (inner(value).old_size.align, inner(value).new_size.align);
                    let (a, b) = (from.add(a as usize), to.add(b as usize));
                    work.both(Step::Some, |work| self.convert(*value, a, b, work))
                }
                How::IntoBox(value) => {
                    let block = self.fresh_block(inner(value).new, work);
                    to.cast::<*mut u8>().write(block);
                    work.into(Step::Boxed, |work| self.convert(*value, from, block, work))
                }
                How::OutOfBox(value) => {
                    let block = from.cast::<*mut u8>().read();
                    let done = |work: &mut Work<'_>| self.convert(*value, block, to, work);
                    work.within(Step::Boxed, done)?;
                    self.spent_block(inner(value).old, block, work);
                    Ok(())
                }
                How::Box(value) => {
                    let old = from.cast::<*mut u8>().read();
                    let new = self.fresh_block(inner(value).new, work);
                    to.cast::<*mut u8>().write(new);
                    work.both(Step::Boxed, |work| self.convert(*value, old, new, work))?;
                    self.spent_block(inner(value).old, old, work);
                    Ok(())
                }
                How::Array { element, count } => self.array(*element, *count, from, to, work),
                How::Vec(element) => self.vec(*element, from, to, work),
                How::VecDeque(element) => self.vec_deque(*element, from, to, work),
                How::HashMap(_) => self.hash_map(plan, from, to, work),
                How::BTreeMap(_) => self.btree_map(plan, from, to, work),
                How::Function { image, index } => {
                    self.by_function(*image, *index, from, to)?;
                    work.journal.fresh.push(Fresh::Value(plan.new, to));
                    work.journal.spent.push(Spent::Value(plan.old, from));
                    Ok(())
                }
            }
        }
    }

    /// Converts a part that may be absent, an element or an entry's value: sets it aside where it does
    /// not fit. False then. Inside of it nothing may be absent.
    ///
    /// # Safety
    /// As for [`Converter::convert`].
    unsafe fn convert_or_lose(
        &self,
        pair: PairIndex,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> bool {
        let (mark, old) = (work.journal.mark(), self.plan.pair(pair).old);
        let outer = core::mem::replace(&mut work.in_entry, true);
        // SAFETY: the caller's promise.
        let fits = unsafe { self.convert(pair, from, to, work) }.is_ok();
        work.in_entry = outer;
        if !fits {
            // SAFETY: what the attempt made is not used.
            unsafe {
                work.journal.revert(&self.new.reflect, &mark);
                self.lose(old, from, work);
            }
            work.journal.spent.push(Spent::Value(old, from));
        }
        fits
    }

    /// # Safety
    /// As for [`Converter::convert`].
    unsafe fn by_function(
        &self,
        image: Image,
        index: FunctionIndex,
        from: *const u8,
        to: *mut u8,
    ) -> Result<(), Unfit> {
        let functions = match image {
            Image::Old => self.old.functions,
            Image::New => self.new.functions,
        };
        // SAFETY: the plan was made from this image's lineage, whose numbers name functions of this
        // type; the image is mapped; the function leaves the old value alone and catches its panics.
        unsafe {
            let at = functions.0[index as usize];
            let function = core::mem::transmute::<usize, ConvertFn>(at);
            if function(from, to) { Ok(()) } else { Err(self.panicked()) }
        }
    }

    /// Writes a default of the new image.
    ///
    /// # Safety
    /// `to` is raw memory of the layout of the field that the default is of.
    unsafe fn default(
        &self,
        index: FunctionIndex,
        new: TypeIndex,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> Result<(), Unfit> {
        // SAFETY: as in `by_function`.
        let made = unsafe {
            let at = self.new.functions.0[index as usize];
            core::mem::transmute::<usize, DefaultFn>(at)(to)
        };
        if !made {
            return Err(self.panicked());
        }
        work.journal.fresh.push(Fresh::Value(new, to));
        Ok(())
    }

    #[cold]
    fn panicked(&self) -> Unfit {
        if let Some(count) = self.panicked {
            count.fetch_add(1, Relaxed);
        }
        Unfit
    }

    fn fresh_block(&self, new: TypeIndex, work: &mut Work<'_>) -> *mut u8 {
        let layout = self.new.reflect.layout(new);
        let block = heap::alloc(layout);
        work.journal.fresh.push(Fresh::Block(block, layout));
        block.as_ptr()
    }

    fn spent_block(&self, old: TypeIndex, block: *mut u8, work: &mut Work<'_>) {
        let block = NonNull::new(block).expect("a box is never null");
        work.journal.spent.push(Spent::Block(block, self.old.reflect.layout(old)));
    }
}
