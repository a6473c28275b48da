//! A value on the state heap behind one owning pointer.

use core::alloc::Layout;
use core::cmp::Ordering;
use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::ptr::NonNull;

use abi_stable::StableAbi;

use crate::collections::hash::KeyHasher;
use crate::heap;
use crate::schema::{Kind, SchemaBuilder, TypeDef, mix};
use crate::state::{StateKey, StateType};

/// Format number of [`Box`]; raised with its layout.
pub const FORMAT: u32 = 1;

/// A value on the state heap, as std's `Box`: one pointer, never null.
///
/// The block has the layout of `T`; a `T` of no bytes has no block. The value belongs to the unit that
/// holds the box.
#[repr(C)]
#[derive(StableAbi)]
pub struct Box<T> {
    ptr: NonNull<T>,
    owns: PhantomData<T>,
}

// SAFETY: an owning pointer to a state type on the state heap.
unsafe impl<T: StateType> StateType for Box<T> {
    const FINGERPRINT: u64 = mix(mix(Kind::Box as u64, FORMAT as u64), T::FINGERPRINT);
    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        let value = schema.add::<T>();
        TypeDef::collection(Kind::Box, FORMAT, vec![value])
    }
}

// SAFETY: the value's own hash, equality and order.
unsafe impl<K: StateKey> StateKey for Box<K> {
    fn hash_into(&self, hasher: &mut KeyHasher) {
        StateKey::hash_into(&**self, hasher);
    }
    fn key_eq(&self, other: &Self) -> bool {
        (**self).key_eq(other)
    }
    fn key_cmp(&self, other: &Self) -> Ordering {
        (**self).key_cmp(other)
    }
}

impl<T> Box<T> {
    /// Moves `value` to the state heap.
    pub fn new(value: T) -> Self {
        let ptr = heap::alloc(Layout::new::<T>()).cast::<T>();
        // SAFETY: the block has the layout of `T`.
        unsafe { ptr.write(value) };
        Self { ptr, owns: PhantomData }
    }

    /// Moves the value out and frees its block.
    pub fn into_inner(self) -> T {
        let this = ManuallyDrop::new(self);
        // SAFETY: the value is moved out once; the block came from `new` with this layout, and
        // `ManuallyDrop` keeps `drop` from doing either again.
        unsafe {
            let value = this.ptr.read();
            heap::free(this.ptr.cast(), Layout::new::<T>());
            value
        }
    }
}

impl<T> Drop for Box<T> {
    fn drop(&mut self) {
        /// Frees the block also when the value's drop panics.
        struct Block<T>(NonNull<T>);
        impl<T> Drop for Block<T> {
            fn drop(&mut self) {
                // SAFETY: the block came from `new` with this layout and is owned here alone.
                unsafe { heap::free(self.0.cast(), Layout::new::<T>()) };
            }
        }
        let block = Block(self.ptr);
        // SAFETY: the box owns a valid value and is never used again.
        unsafe { block.0.drop_in_place() };
    }
}

impl<T> Deref for Box<T> {
    type Target = T;
    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the box owns a valid value.
        unsafe { self.ptr.as_ref() }
    }
}

impl<T> DerefMut for Box<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the box owns a valid value and is borrowed exclusively.
        unsafe { self.ptr.as_mut() }
    }
}

impl<T> AsRef<T> for Box<T> {
    fn as_ref(&self) -> &T {
        self
    }
}

impl<T> AsMut<T> for Box<T> {
    fn as_mut(&mut self) -> &mut T {
        self
    }
}

impl<T> From<T> for Box<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Default> Default for Box<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Clone> Clone for Box<T> {
    fn clone(&self) -> Self {
        Self::new((**self).clone())
    }
}

impl<T: fmt::Debug> fmt::Debug for Box<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Display> fmt::Display for Box<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: PartialEq> PartialEq for Box<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Box<T> {}

impl<T: PartialOrd> PartialOrd for Box<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (**self).partial_cmp(&**other)
    }
}

impl<T: Ord> Ord for Box<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        (**self).cmp(&**other)
    }
}
