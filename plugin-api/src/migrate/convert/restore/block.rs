//! Values that are made of their images, in blocks of their own.

use core::alloc::Layout;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

use crate::heap;
use crate::reflect::Reflect;
use crate::schema::TypeIndex;

/// Makes the value of an image.
///
/// # Safety
/// `at` is raw memory of the type's layout; the image was written under the same schema.
pub(super) unsafe fn build(reflect: &Reflect<'_>, ty: TypeIndex, at: *mut u8, image: &[u8]) {
    // SAFETY: the caller's promise.
    let built = unsafe { reflect.build(ty, at, &mut &image[..]) };
    built.expect("this process wrote the image");
}

/// A value in a block of its own while it is looked at.
struct Block {
    at: *mut u8,
    layout: Layout,
}

impl Block {
    /// # Safety
    /// As for [`build`].
    unsafe fn of(reflect: &Reflect<'_>, ty: TypeIndex, image: &[u8]) -> Self {
        let layout = reflect.layout(ty);
        let at = heap::alloc(layout).as_ptr();
        // SAFETY: the caller's promise.
        unsafe { build(reflect, ty, at, image) };
        Self { at, layout }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        if let Some(at) = NonNull::new(self.at) {
            // SAFETY: taken with this layout; the content was moved out or dropped.
            unsafe { heap::free(at, self.layout) };
        }
    }
}

/// A key in a block of its own, dropped with it.
pub(crate) struct KeyBlock<'r> {
    reflect: &'r Reflect<'r>,
    ty: TypeIndex,
    block: Block,
}

impl<'r> KeyBlock<'r> {
    /// # Safety
    /// The image is that of a value of this type.
    pub unsafe fn new(reflect: &'r Reflect<'r>, ty: TypeIndex, image: &[u8]) -> Self {
        // SAFETY: the caller's promise.
        Self { reflect, ty, block: unsafe { Block::of(reflect, ty, image) } }
    }

    pub fn at(&self) -> *mut u8 {
        self.block.at
    }

    /// Moves the key to raw memory.
    ///
    /// # Safety
    /// `to` has room for it.
    pub unsafe fn move_to(self, to: *mut u8) {
        let this = ManuallyDrop::new(self);
        // SAFETY: the caller's promise; the block is read once, and freed without its content.
        unsafe {
            ptr::copy_nonoverlapping(this.block.at, to, this.block.layout.size());
            drop(ptr::read(&raw const this.block));
        }
    }
}

impl Drop for KeyBlock<'_> {
    fn drop(&mut self) {
        // SAFETY: the block holds the key.
        unsafe { self.reflect.drop_value(self.ty, self.block.at) }
    }
}
