//! What was set aside comes back when its schema does.

mod block;
mod entry;
mod way;

use core::ptr::{self, NonNull};
use std::sync::Arc;

use super::{Converter, Instead, Lost, Step};
use crate::collections::hash_map::conversion::Conversion;
use crate::collections::{hash_map, vec, vec_deque};
use crate::migrate::change::Change;
use crate::migrate::returns::OfMap;
use crate::migrate::{drains, trees};
use crate::reflect::Reflect;
use crate::schema::{Kind, TypeIndex};

use block::build;
use entry::{insert, insert_all};
use way::walk;

pub(crate) use block::KeyBlock;
pub(super) use entry::find;
pub(super) use way::walk_to;

/// Puts parts that were lost from this schema back into the value at `at`, which was just converted
/// to it. Answers those that could not: an entry whose key exists by now (the live one wins), and
/// parts of what is no longer there. What belongs into a map that is converted later is given to its
/// [drain](crate::migrate::drains), which tells at its end what could not. O(parts), and O(n) for each
/// tree to which entries return.
///
/// # Safety
/// `at` is a value of type `ty`, used by nobody else. The images were written under this schema.
pub unsafe fn restore(
    reflect: &Reflect<'_>,
    ty: TypeIndex,
    at: *mut u8,
    lost: Vec<Lost>,
) -> Vec<Lost> {
    let mut left = Vec::new();
    // Whole elements come last: until then the others are where they were found.
    let (elements, others): (Vec<_>, Vec<_>) = lost.into_iter().partition(Lost::is_element);
    let mut parts = others.into_iter().chain(elements).peekable();
    while let Some(lost) = parts.next() {
        // SAFETY: the caller's promise; nobody refers to the map's entries.
        unsafe {
            if let Some((map, depth)) = draining(reflect, ty, at, &lost) {
                drains::hand_over(map, lost, depth);
            } else if let Some((tree, place)) = tree_of(reflect, ty, at, &lost) {
                let mut entries = vec![lost];
                while let Some(next) = parts.next_if(|next| next.is_beside(&entries[0])) {
                    entries.push(next);
                }
                left.extend(insert_all(reflect, tree, place, entries));
            } else if !put_back(reflect, ty, at, &lost.path, &lost) {
                left.push(lost);
            }
        }
    }
    left
}

/// [`restore`] of all that returns with a switch. Maps get in one step what was sorted for them: O(maps and
/// other parts).
///
/// # Safety
/// As for [`restore`]; the value is that of the converter's new side which `change` leads to, in the
/// state that drains may work on.
pub(crate) unsafe fn restore_all(
    change: &Arc<Change>,
    converter: &Converter<'_>,
    at: *mut u8,
    (others, maps): (Vec<Lost>, Vec<OfMap>),
    ty: TypeIndex,
) -> Vec<Lost> {
    let reflect = converter.new_side();
    // SAFETY: the caller's promise.
    unsafe {
        let mut left = restore(reflect, ty, at, others);
        for of in maps {
            let map = walk_to(reflect, ty, at, &of.way, &Step::Key(Vec::new()));
            if let Err(of) = hand_over(change, reflect, map, of) {
                left.extend(restore(reflect, ty, at, of.into_lost()));
            }
        }
        left
    }
}

/// Gives what returns to a map to whoever converts that; answers it when nobody does.
///
/// # Safety
/// As for [`restore_all`], with a map of this type.
unsafe fn hand_over(
    change: &Arc<Change>,
    reflect: &Reflect<'_>,
    map: Option<(TypeIndex, *mut u8)>,
    of: OfMap,
) -> Result<(), OfMap> {
    let Some((ty, map)) = map else { return Err(of) };
    // SAFETY: the caller's promise.
    unsafe {
        if reflect.def(ty).kind == Kind::BTreeMap {
            return trees::hand_over(map, of);
        }
        match drain_for(change, reflect, (ty, map), &of) {
            Some(conversion) => {
                drains::hand_over_all(conversion, of);
                Ok(())
            }
            None => Err(of),
        }
    }
}

/// The conversion that takes what returns to a map, if it is still the one that this was sorted for.
///
/// # Safety
/// As for [`restore_all`], with a map of this type.
unsafe fn drain_for(
    change: &Arc<Change>,
    reflect: &Reflect<'_>,
    (ty, map): (TypeIndex, *mut u8),
    of: &OfMap,
) -> Option<NonNull<Conversion>> {
    // SAFETY: the caller's promise.
    unsafe {
        if reflect.def(ty).kind != Kind::HashMap || hash_map::erased::seed(map) != of.seed {
            return None;
        }
        let running = hash_map::erased::conversion(map).filter(|at| drains::is_running(*at));
        match running {
            Some(at) => Some(at).filter(|at| at.as_ref().has_room(of.entries)),
            None if of.wants_drain() => drains::await_returns(change, ty, map, of.entries as usize),
            None => None,
        }
    }
}

/// The conversion of the map that a part was lost below, if one is under way, and which step of its path
/// is the key there.
///
/// # Safety
/// As for [`restore`].
unsafe fn draining(
    reflect: &Reflect<'_>,
    ty: TypeIndex,
    at: *mut u8,
    lost: &Lost,
) -> Option<(NonNull<Conversion>, usize)> {
    let depth = lost.path.iter().position(|step| matches!(step, Step::Key(_)))?;
    // SAFETY: the caller's promise.
    unsafe {
        let (ty, map) = walk_to(reflect, ty, at, &lost.path[..depth], &lost.path[depth])?;
        let is_map = reflect.def(ty).kind == Kind::HashMap;
        let conversion = is_map.then(|| hash_map::erased::conversion(map)).flatten()?;
        let takes = drains::is_running(conversion) && conversion.as_ref().has_room(1);
        takes.then_some((conversion, depth))
    }
}

/// The tree that a part was an entry of.
///
/// # Safety
/// As for [`restore`].
unsafe fn tree_of(
    reflect: &Reflect<'_>,
    ty: TypeIndex,
    at: *mut u8,
    lost: &Lost,
) -> Option<(TypeIndex, *mut u8)> {
    let (last, way) = lost.path.split_last().filter(|(last, _)| matches!(last, Step::Key(_)))?;
    // SAFETY: the caller's promise.
    let found = unsafe { walk_to(reflect, ty, at, way, last) };
    found.filter(|(ty, _)| reflect.def(*ty).kind == Kind::BTreeMap)
}

/// Puts a part back into the value at `at`, by what is left of its path. False when it has no place.
///
/// # Safety
/// As for [`restore`].
pub(crate) unsafe fn rejoin(
    reflect: &Reflect<'_>,
    ty: TypeIndex,
    at: *mut u8,
    way: &[Step],
    lost: &Lost,
) -> bool {
    // SAFETY: the caller's promise.
    unsafe { put_back(reflect, ty, at, way, lost) }
}

/// Whether a default that was put in the place of a lost part is still there, in the value at `at`
/// of the schema that is left. True for parts that have no place at all; false where a third version
/// was between: what became of the default there is not known, so the live value wins.
///
/// # Safety
/// As for [`restore`], with the other schema.
pub unsafe fn undisturbed(reflect: &Reflect<'_>, ty: TypeIndex, at: *mut u8, lost: &Lost) -> bool {
    let Some(Instead { schema, path, ty: kind, image }) = &lost.instead else { return true };
    if *schema != reflect.schema().fingerprint {
        return false;
    }
    // SAFETY: the caller's promise.
    unsafe {
        let Some(place) = walk(reflect, ty, at, path) else { return false };
        let mut now = Vec::new();
        reflect.write(*kind, place, &mut now);
        now == *image
    }
}

/// # Safety
/// As for [`restore`].
unsafe fn put_back(
    reflect: &Reflect<'_>,
    ty: TypeIndex,
    at: *mut u8,
    path: &[Step],
    lost: &Lost,
) -> bool {
    let Some((last, way)) = path.split_last() else {
        // SAFETY: the caller's promise. The whole value gives way to the one that was set aside.
        unsafe {
            reflect.drop_value(ty, at);
            build(reflect, ty, at, &lost.image);
        }
        return true;
    };
    // SAFETY: the caller's promise.
    unsafe {
        match last {
            Step::Key(key) => {
                let Some((map, place)) = walk_to(reflect, ty, at, way, last) else { return false };
                if reflect.def(map).kind == Kind::BTreeMap {
                    return insert_all(reflect, map, place, vec![lost.clone()]).is_empty();
                }
                insert(reflect, map, place, key, lost)
            }
            Step::Item(_) => {
                let Some((list, place)) = walk_to(reflect, ty, at, way, last) else { return false };
                append(reflect, list, place, lost)
            }
            _ => {
                let Some(place) = walk(reflect, ty, at, path) else { return false };
                reflect.drop_value(lost.ty, place);
                build(reflect, lost.ty, place, &lost.image);
                true
            }
        }
    }
}

/// Puts an element at the end of a list, or back to its place in an array.
///
/// # Safety
/// As for [`restore`].
unsafe fn append(reflect: &Reflect<'_>, list: TypeIndex, at: *mut u8, lost: &Lost) -> bool {
    let element = reflect.layout(lost.ty);
    // SAFETY: the caller's promise; the place is written whole.
    unsafe {
        match reflect.def(list).kind {
            Kind::Vec => {
                let place = vec::erased::push(at, element);
                build(reflect, lost.ty, place, &lost.image);
            }
            Kind::VecDeque => {
                let len = vec_deque::erased::len(at);
                let mut header = [0_u64; 5];
                let new = header.as_mut_ptr().cast::<u8>();
                let mut queue = vec_deque::erased::Builder::new(new, element, len + 1);
                let mut i = 0;
                vec_deque::erased::each(at, element, |item| {
                    ptr::copy_nonoverlapping(item, queue.slot(i), element.size());
                    i += 1;
                });
                build(reflect, lost.ty, queue.slot(len), &lost.image);
                queue.finish(len + 1);
                vec_deque::erased::free(at, element);
                ptr::copy_nonoverlapping(new, at, size_of_val(&header));
            }
            _ => return false,
        }
    }
    true
}
