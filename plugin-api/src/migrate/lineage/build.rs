//! [`LineageBuilder`]: collects what `#[state]` types say of themselves, with their functions.

use core::marker::PhantomData;
use core::panic::AssertUnwindSafe;
use core::ptr::NonNull;
use std::panic::catch_unwind;

use super::{Conversion, FieldDefault, FunctionIndex, Functions, Lineage, Place, Rename};
use crate::schema::{SchemaBuilder, TypeIndex};
use crate::state::StateType;

/// Collects a [`Lineage`] while [`StateType::lineage`] is asked of every type.
#[derive(Debug, Default)]
pub struct LineageBuilder {
    schema: SchemaBuilder,
    own: TypeIndex,
    lineage: Lineage,
    functions: Functions,
}

impl Lineage {
    /// The lineage of a plugin with this state root and session, and the functions of this image.
    ///
    /// O(types), the older ones included.
    pub fn of<Root: StateType, Session: StateType + Default>() -> (Self, Functions) {
        let mut builder = LineageBuilder::default();
        builder.schema.add::<Root>();
        builder.schema.add::<Session>();
        // Older types that conversions name are added at the end, and asked as well.
        while let Some(lineage) = builder.schema.lineage_of(builder.own) {
            lineage(&mut builder);
            builder.own += 1;
        }
        builder.session_starts_with(Session::default);
        let LineageBuilder { schema, mut lineage, functions, .. } = builder;
        lineage.types = schema.finish();
        lineage.functions = functions.0.len() as u32;
        (lineage, functions)
    }
}

impl LineageBuilder {
    /// This type was called `was` in an older version.
    pub fn type_was(&mut self, was: &str) {
        self.rename(Place::Type(self.own), was);
    }

    /// The variant at this position was called `was`.
    pub fn variant_was(&mut self, variant: u32, was: &str) {
        self.rename(Place::Variant(self.own, variant), was);
    }

    /// The field at this position was called `was`. A struct counts as variant 0.
    pub fn field_was(&mut self, variant: u32, field: u32, was: &str) {
        self.rename(Place::Field(self.own, variant, field), was);
    }

    /// What a new field at this position starts with: the answer of `value`, a function item or a
    /// closure that captures nothing.
    pub fn field_starts_with<T, F>(&mut self, variant: u32, field: u32, value: F)
    where
        T: StateType,
        F: Fn() -> T + Copy + 'static,
    {
        let _ = value;
        let function = self.function(write_default::<T, F> as *const () as usize);
        self.lineage.defaults.push(FieldDefault { ty: self.own, variant, field, function });
    }

    fn session_starts_with<T: StateType, F: Fn() -> T + Copy + 'static>(&mut self, value: F) {
        let _ = value;
        let function = self.function(write_default::<T, F> as *const () as usize);
        self.lineage.session = Some(function);
    }

    /// This type comes from `Old` by `up`, and goes back by `back`. Function items, or closures
    /// that capture nothing.
    pub fn conversion<Old, New, Up, Back>(&mut self, up: Up, back: Back)
    where
        Old: StateType,
        New: StateType,
        Up: Fn(&Old) -> New + Copy + 'static,
        Back: Fn(&New) -> Old + Copy + 'static,
    {
        let _ = back;
        self.one_way::<Old, New, Up>(up);
        let back = self.function(convert::<New, Old, Back> as *const () as usize);
        self.lineage.conversions.last_mut().expect("just pushed").back = Some(back);
    }

    /// This type comes from `Old` by `up`, and there is no way back.
    pub fn one_way<Old, New, Up>(&mut self, up: Up)
    where
        Old: StateType,
        New: StateType,
        Up: Fn(&Old) -> New + Copy + 'static,
    {
        let _ = up;
        let up = self.function(convert::<Old, New, Up> as *const () as usize);
        let (old, new) = (self.schema.add::<Old>(), self.own);
        self.lineage.conversions.push(Conversion { old, new, up, back: None });
    }

    fn rename(&mut self, place: Place, was: &str) {
        self.lineage.renames.push(Rename { place, was: was.to_owned() });
    }

    fn function(&mut self, address: usize) -> FunctionIndex {
        self.functions.0.push(address);
        self.functions.0.len() as FunctionIndex - 1
    }
}

/// The one value of a function type without data, such as a function item's.
struct Code<F>(PhantomData<F>);

impl<F: Copy> Code<F> {
    const NO_DATA: () = assert!(size_of::<F>() == 0, "a conversion or default captures nothing");

    fn get() -> F {
        let () = Self::NO_DATA;
        // SAFETY: a value of no bytes is read from anywhere that is aligned, and the builder was
        // handed one, so the type has values; it is `Copy`.
        unsafe { NonNull::<F>::dangling().read() }
    }
}

/// A [`DefaultFn`](super::DefaultFn).
unsafe extern "C" fn write_default<T, F: Fn() -> T + Copy>(to: *mut u8) -> bool {
    let made = caught(Code::<F>::get());
    // SAFETY: the caller passes memory of the field's size and alignment.
    made.is_some_and(|value| unsafe { place(to, value) })
}

/// A [`ConvertFn`](super::ConvertFn).
unsafe extern "C" fn convert<A, B, F: Fn(&A) -> B + Copy>(from: *const u8, to: *mut u8) -> bool {
    // SAFETY: the caller passes a value of the type that the plan found this function for.
    let from = unsafe { &*from.cast::<A>() };
    let made = caught(|| Code::<F>::get()(from));
    // SAFETY: the caller passes memory of the new type's size and alignment.
    made.is_some_and(|value| unsafe { place(to, value) })
}

/// # Safety
/// `to` is memory of the size and alignment of `T`.
unsafe fn place<T>(to: *mut u8, value: T) -> bool {
    // SAFETY: the caller's promise.
    unsafe { to.cast::<T>().write(value) };
    true
}

/// Invariant: a plugin's panic never crosses the boundary. The hook has told its text already.
fn caught<T>(body: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(value) => Some(value),
        Err(payload) => {
            // A payload's own drop may panic: then it leaks.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
            dropped.unwrap_or_else(core::mem::forget);
            None
        }
    }
}
