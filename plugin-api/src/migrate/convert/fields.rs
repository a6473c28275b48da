//! Structs and enum variants, field by field.

use super::journal::Spent;
use super::{Converter, Instead, Step, Unfit, Work};
use crate::heap;
use crate::migrate::lineage::{DefaultFn, FunctionIndex};
use crate::migrate::plan::{Arm, Fields, Move, Removed};
use crate::schema::{Kind, TypeIndex};

/// What has the fields: a struct, or the variant of an enum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub ty: TypeIndex,
    /// The variant's position, 0 for a struct.
    pub variant: u32,
}

impl Converter<'_> {
    /// # Safety
    /// As for [`Converter::convert`]; the new value is zeroed.
    pub(super) unsafe fn fields(
        &self,
        fields: &Fields,
        owner: Owner,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> Result<(), Unfit> {
        // SAFETY: the caller's promise; the plan's offsets are those of the two types.
        unsafe {
            for step in &fields.moves {
                self.move_field(step, from, to, work)?;
            }
            for fill in &fields.fills {
                self.default(fill.default, fill.new, to.add(fill.to as usize), work)?;
            }
            for removed in &fields.removed {
                let at = from.add(removed.from as usize);
                let field = Step::Field(removed.from);
                let many = work.in_map || work.in_entry || self.sparing;
                if !(many && self.is_default(owner, removed, at)) {
                    work.within(field, |work| self.lose(removed.old, at, work));
                }
                work.journal.spent.push(Spent::Value(removed.old, at));
            }
        }
        Ok(())
    }

    /// # Safety
    /// As for [`Converter::fields`].
    unsafe fn move_field(
        &self,
        step: &Move,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> Result<(), Unfit> {
        // SAFETY: the caller's promise.
        let (from, to) = unsafe { (from.add(step.from as usize), to.add(step.to as usize)) };
        let mark = work.journal.mark();
        let field = Step::Field(step.from);
        let moved = work.within(field, |work| {
            work.into(Step::Field(step.to), |work| {
                // SAFETY: as above.
                unsafe { self.convert(step.pair, from, to, work) }
            })
        });
        let (Err(Unfit), Some(fallback), false) = (moved, step.fallback, work.in_entry) else {
            return moved;
        };
        let pair = self.plan.pair(step.pair);
        // SAFETY: what the attempt made is not used; the field is raw memory again.
        unsafe {
            work.journal.revert(&self.new.reflect, &mark);
            self.default(fallback, pair.new, to, work)?;
            let mut image = Vec::new();
            self.new.reflect.write(pair.new, to, &mut image);
            work.within(Step::Field(step.from), |work| {
                self.lose(pair.old, from, work);
                let mut path = work.new_path.clone();
                path.push(Step::Field(step.to));
                let lost = work.journal.lost.last_mut().expect("it was just lost");
                let schema = self.new.reflect.schema().fingerprint;
                lost.instead = Some(Instead { schema, path, ty: pair.new, image });
            });
            work.journal.spent.push(Spent::Value(pair.old, from));
        }
        Ok(())
    }

    /// # Safety
    /// As for [`Converter::fields`].
    pub(super) unsafe fn variant(
        &self,
        arms: &[Arm],
        ty: TypeIndex,
        from: *mut u8,
        to: *mut u8,
        work: &mut Work<'_>,
    ) -> Result<(), Unfit> {
        // SAFETY: an enum's first byte is its tag, on both sides.
        unsafe {
            let tag = from.read();
            let arm = arms.iter().find(|arm| arm.old == tag).ok_or(Unfit)?;
            let new = arm.new.as_ref().ok_or(Unfit)?;
            to.write(new.tag);
            work.within(Step::Variant(tag), |work| {
                let new_step = Step::Variant(new.tag);
                let owner = Owner { ty, variant: u32::from(tag) };
                work.into(new_step, |work| self.fields(&new.fields, owner, from, to, work))
            })
        }
    }

    /// Whether a field that is left behind holds what it would start with on the way back. Of a large
    /// map's entries, only those that differ are worth keeping a part of.
    ///
    /// # Safety
    /// `at` is the field, a value of the old type.
    unsafe fn is_default(&self, owner: Owner, removed: &Removed, at: *mut u8) -> bool {
        let mut defaults = self.defaults.borrow_mut();
        let known = defaults.entry((owner, removed.from)).or_insert_with(|| {
            let function = self.default_of(owner, removed.from, removed.old)?;
            // SAFETY: the lineage says that this function makes a value of this type.
            unsafe { self.default_image(function, removed.old) }
        });
        let Some(default) = known else { return false };
        let mut image = Vec::with_capacity(default.len());
        // SAFETY: the caller's promise.
        unsafe { self.old.reflect.write(removed.old, at, &mut image) };
        image == *default
    }

    /// The function of the old image that makes the default of the field at an offset.
    fn default_of(&self, owner: Owner, offset: u32, ty: TypeIndex) -> Option<FunctionIndex> {
        let def = self.old.reflect.def(owner.ty);
        let fields = match def.kind {
            Kind::Enum => &def.variants.get(owner.variant as usize)?.fields,
            _ => &def.fields,
        };
        let position = fields.iter().rposition(|field| field.offset <= offset)?;
        let field = &fields[position];
        if field.offset == offset && field.ty == ty {
            return self.lineage?.default_of(owner.ty, owner.variant, position as u32);
        }
        let inner = Owner { ty: field.ty, variant: 0 };
        (field.ty != owner.ty).then(|| self.default_of(inner, offset - field.offset, ty)).flatten()
    }

    /// # Safety
    /// The function of the old image makes values of this type.
    unsafe fn default_image(&self, function: FunctionIndex, ty: TypeIndex) -> Option<Vec<u8>> {
        let layout = self.old.reflect.layout(ty);
        let block = heap::alloc(layout);
        // SAFETY: the caller's promise; the old image is mapped as long as the converter is used.
        unsafe {
            let at = *self.old.functions.0.get(function as usize)?;
            let made = core::mem::transmute::<usize, DefaultFn>(at)(block.as_ptr());
            let image = made.then(|| {
                let mut image = Vec::new();
                self.old.reflect.write(ty, block.as_ptr(), &mut image);
                self.old.reflect.drop_value(ty, block.as_ptr());
                image
            });
            heap::free(block, layout);
            image
        }
    }
}
