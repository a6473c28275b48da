//! Ways down a value, step by step.

use super::entry::find;
use crate::collections::{vec, vec_deque};
use crate::migrate::convert::Step;
use crate::reflect::{Reflect, variant_at};
use crate::schema::{Field, Kind, TypeIndex};

/// The place at the end of a path. Its type is known to whoever has the path.
///
/// # Safety
/// As for [`restore`](super::restore()).
pub(super) unsafe fn walk(
    reflect: &Reflect<'_>,
    ty: TypeIndex,
    at: *mut u8,
    path: &[Step],
) -> Option<*mut u8> {
    let Some((last, way)) = path.split_last() else { return Some(at) };
    // SAFETY: the caller's promise.
    unsafe {
        let (ty, at) = walk_to(reflect, ty, at, way, last)?;
        match last {
            // Wherever a field lies in nested structs, its offset says where.
            Step::Field(offset) => Some(at.add(*offset as usize)),
            _ => step(reflect, ty, at, last).map(|(_, at)| at),
        }
    }
}

/// Walks a path; the type at its end is one that `next` can be taken from.
///
/// # Safety
/// As for [`restore`](super::restore()).
pub(in crate::migrate::convert) unsafe fn walk_to(
    reflect: &Reflect<'_>,
    ty: TypeIndex,
    at: *mut u8,
    way: &[Step],
    next: &Step,
) -> Option<(TypeIndex, *mut u8)> {
    let (mut ty, mut at) = (ty, at);
    for (i, taken) in way.iter().enumerate() {
        let next = way.get(i + 1).unwrap_or(next);
        // SAFETY: the caller's promise; each step ends at a value of the type it answers.
        (ty, at) = unsafe { step(reflect, ty, at, taken)? };
        while !next.leads_from(reflect.def(ty)) {
            // A field of a struct that was taken apart is named by its offset alone.
            let first = reflect.def(ty).fields.iter().find(|field| field.offset == 0)?;
            ty = first.ty;
        }
    }
    Some((ty, at))
}

/// # Safety
/// `at` is a value of type `ty`.
unsafe fn step(
    reflect: &Reflect<'_>,
    ty: TypeIndex,
    at: *mut u8,
    step: &Step,
) -> Option<(TypeIndex, *mut u8)> {
    let def = reflect.def(ty);
    let inner = def.args.first().copied();
    // SAFETY: the caller's promise; each kind says what lies at `at`.
    unsafe {
        match step {
            Step::Field(offset) => {
                let fields = match def.kind {
                    Kind::Enum => &variant_at(def, at)?.fields,
                    _ => &def.fields,
                };
                field_at(reflect, fields, at, *offset)
            }
            Step::Variant(tag) => (at.read() == *tag).then_some((ty, at)),
            Step::Some if at.read() == 1 => Some((inner?, at.add(reflect.layout(inner?).align()))),
            Step::Some => None,
            Step::Boxed => Some((inner?, at.cast::<*mut u8>().read())),
            Step::Item(i) if def.kind == Kind::Array => {
                Some((inner?, at.add(*i as usize * reflect.layout(inner?).size())))
            }
            Step::There { at: i, of } => list_item(reflect, ty, at, (*i as usize, *of as usize)),
            Step::Item(_) | Step::Element { .. } => None,
            Step::Key(key) => {
                let value = *def.args.get(1)?;
                find(reflect, ty, at, key).map(|place| (value, place))
            }
        }
    }
}

/// An element of a list, if that has so many.
///
/// # Safety
/// `at` is a list of this type.
unsafe fn list_item(
    reflect: &Reflect<'_>,
    list: TypeIndex,
    at: *mut u8,
    (i, of): (usize, usize),
) -> Option<(TypeIndex, *mut u8)> {
    let def = reflect.def(list);
    let element = *def.args.first()?;
    let layout = reflect.layout(element);
    // SAFETY: the caller's promise; the position is below the length.
    unsafe {
        let (len, place) = match def.kind {
            Kind::Vec => {
                let (items, len) = vec::erased::content(at);
                (len, items.wrapping_add(i * layout.size()))
            }
            Kind::VecDeque if i < vec_deque::erased::len(at) => {
                (vec_deque::erased::len(at), vec_deque::erased::slot(at, layout, i))
            }
            _ => return None,
        };
        (i < len && len == of).then_some((element, place))
    }
}

/// # Safety
/// The fields lie at their offsets from `at`.
unsafe fn field_at(
    reflect: &Reflect<'_>,
    fields: &[Field],
    at: *mut u8,
    offset: u32,
) -> Option<(TypeIndex, *mut u8)> {
    let field = fields.iter().rfind(|field| field.offset <= offset)?;
    // SAFETY: the caller's promise.
    let place = unsafe { at.add(field.offset as usize) };
    if field.offset == offset {
        return Some((field.ty, place));
    }
    let inside = &reflect.def(field.ty).fields;
    // SAFETY: a struct within a struct.
    unsafe { field_at(reflect, inside, place, offset - field.offset) }
}
