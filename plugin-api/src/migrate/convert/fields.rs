//! Structs and enum variants, field by field.

use super::journal::Spent;
use super::{Converter, Step, Unfit, Work};
use crate::migrate::plan::{Arm, Fields, Move};

impl Converter<'_> {
    /// # Safety
    /// As for [`Converter::convert`]; the new value is zeroed.
    pub(super) unsafe fn fields(
        &self,
        fields: &Fields,
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
                work.within(field, |work| self.lose(removed.old, at, work));
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
                lost.instead = Some((path, pair.new, image));
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
                work.into(new_step, |work| self.fields(&new.fields, from, to, work))
            })
        }
    }
}
