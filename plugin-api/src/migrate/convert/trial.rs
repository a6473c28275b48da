//! Trying what a later conversion will call, so that it is known beforehand that it can be called.

use core::alloc::Layout;

use super::journal::Journal;
use super::{Converter, Unfit, Work};
use crate::heap;
use crate::migrate::lineage::FunctionIndex;
use crate::migrate::plan::{Fields, How, PairIndex};
use crate::schema::TypeIndex;

impl Converter<'_> {
    /// Makes every default that the conversion of a value of this pair may need, and drops it again.
    /// O(types). A default depends on nothing, so one that could be made will be made again.
    ///
    /// # Errors
    /// [`Unfit`] when one panicked.
    ///
    /// # Safety
    /// The images are mapped.
    pub unsafe fn try_defaults(&self, pair: PairIndex) -> Result<(), Unfit> {
        for pair in self.plan.reach(pair) {
            // SAFETY: the caller's promise.
            unsafe {
                match &self.plan.pair(pair).how {
                    How::Struct(fields) => self.try_fields(fields)?,
                    How::Enum(arms) => {
                        for to in arms.iter().filter_map(|arm| arm.new.as_ref()) {
                            self.try_fields(&to.fields)?;
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    /// # Safety
    /// As for [`Converter::try_defaults`].
    unsafe fn try_fields(&self, fields: &Fields) -> Result<(), Unfit> {
        let fills = fields.fills.iter().map(|fill| (fill.default, fill.new));
        let fallback =
            |m: &crate::migrate::plan::Move| Some((m.fallback?, self.plan.pair(m.pair).new));
        for (function, ty) in fills.chain(fields.moves.iter().filter_map(fallback)) {
            // SAFETY: the caller's promise; the plan has the function for this type.
            unsafe { self.image_of_default(function, ty) }?;
        }
        Ok(())
    }

    /// The image of what a default of the new version makes.
    ///
    /// # Errors
    /// [`Unfit`] when it panicked.
    ///
    /// # Safety
    /// The function makes values of this type of the new schema, and the image is mapped.
    pub(crate) unsafe fn image_of_default(
        &self,
        function: FunctionIndex,
        ty: TypeIndex,
    ) -> Result<Vec<u8>, Unfit> {
        let layout: Layout = self.new.reflect.layout(ty);
        let block = heap::alloc(layout);
        let mut journal = Journal::default();
        let mut work = Work::new(&mut journal);
        let mut image = Vec::new();
        // SAFETY: the caller's promise; the value is dropped by its schema, then its block is freed.
        unsafe {
            let made = self.default(function, ty, block.as_ptr(), &mut work);
            if made.is_ok() {
                self.new.reflect.write(ty, block.as_ptr(), &mut image);
                self.new.reflect.drop_value(ty, block.as_ptr());
            }
            heap::free(block, layout);
            made.map(|()| image)
        }
    }
}
