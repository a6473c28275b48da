//! What was set aside comes back when its schema does.

use core::alloc::Layout;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};
use std::sync::Arc;

use super::{Converter, Instead, Lost, Step};
use crate::collections::hash_map::conversion::Conversion;
use crate::collections::{btree_map, hash_map, vec, vec_deque};
use crate::heap;
use crate::migrate::change::Change;
use crate::migrate::drains;
use crate::migrate::returns::OfMap;
use crate::reflect::{Reflect, variant_at};
use crate::schema::{Field, Kind, TypeDef, TypeIndex};

/// Puts parts that were lost from this schema back into the value at `at`, which was just converted
/// to it. Answers those that could not: an entry whose key exists by now (the live one wins), and
/// parts of what is no longer there. What belongs into a map that is converted later is given to its
/// [drain](crate::migrate::drains), which tells at its end what could not. O(parts), and O(n) for each
/// entry of a tree.
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
    for lost in lost {
        // SAFETY: the caller's promise; nobody refers to the map's entries.
        unsafe {
            if let Some((map, depth)) = draining(reflect, ty, at, &lost) {
                drains::hand_over(map, lost, depth);
            } else if !put_back(reflect, ty, at, &lost.path, &lost) {
                left.push(lost);
            }
        }
    }
    left
}

/// Parts from which a map that needs no conversion gets one all the same, so that they return later.
const LATER_FROM: u64 = 64;

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
            let drain = map.and_then(|(ty, map)| drain_for(change, reflect, (ty, map), &of));
            match drain {
                Some(conversion) => drains::hand_over_all(conversion, of),
                None => left.extend(restore(reflect, ty, at, of.into_lost())),
            }
        }
        left
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
            // A rest looks for its entry, which in such a map nobody is going to touch.
            None if of.count < LATER_FROM || of.entries < of.count => None,
            None => drains::await_returns(change, ty, map, of.entries as usize),
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

/// # Safety
/// `at` is raw memory of the type's layout; the image was written under the same schema.
unsafe fn build(reflect: &Reflect<'_>, ty: TypeIndex, at: *mut u8, image: &[u8]) {
    // SAFETY: the caller's promise.
    let built = unsafe { reflect.build(ty, at, &mut &image[..]) };
    built.expect("this process wrote the image");
}

/// The place at the end of a path. Its type is known to whoever has the path.
///
/// # Safety
/// As for [`restore`].
unsafe fn walk(
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
/// As for [`restore`].
pub(super) unsafe fn walk_to(
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
            Step::Item(_) => None,
            Step::Key(key) => {
                let value = *def.args.get(1)?;
                find(reflect, ty, at, key).map(|place| (value, place))
            }
        }
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

/// The value behind the key with this image, in the map or tree at `at`.
///
/// # Safety
/// As for [`restore`].
unsafe fn find(
    reflect: &Reflect<'_>,
    map: TypeIndex,
    at: *mut u8,
    image: &[u8],
) -> Option<*mut u8> {
    let ty = reflect.def(map).args[0];
    // SAFETY: the caller's promise.
    unsafe {
        let key = Block::of(reflect, ty, image);
        let found = find_key(reflect, map, at, key.at);
        reflect.drop_value(ty, key.at);
        found
    }
}

/// The value behind a key in the map or tree at `at`.
///
/// # Safety
/// As for [`restore`]; `key` is one of the map's.
unsafe fn find_key(
    reflect: &Reflect<'_>,
    map: TypeIndex,
    at: *mut u8,
    key: *mut u8,
) -> Option<*mut u8> {
    let def = reflect.def(map);
    let (ty, pair) = (def.args[0], reflect.pair(def));
    // SAFETY: the caller's promise.
    unsafe {
        if def.kind == Kind::BTreeMap {
            let mut found = None;
            btree_map::erased::each(at, pair, &mut |k, v| {
                if found.is_none() && reflect.compare_keys(ty, k, key).is_eq() {
                    found = Some(v);
                }
            });
            return found;
        }
        let mut eq = |slot: *mut u8| reflect.compare_keys(ty, slot, key).is_eq();
        let hash = reflect.hash_of(ty, key, hash_map::erased::seed(at));
        let slot = hash_map::erased::find(at, hash, &mut eq);
        slot.map(|slot| slot.add(pair.value_at()))
    }
}

/// Puts an entry back whose key has this image. False when the key is there: the live one wins.
///
/// # Safety
/// As for [`restore`], with a map or tree at `at`.
unsafe fn insert(
    reflect: &Reflect<'_>,
    map: TypeIndex,
    at: *mut u8,
    image: &[u8],
    lost: &Lost,
) -> bool {
    let def = reflect.def(map);
    let ty = def.args[0];
    // SAFETY: the caller's promise.
    unsafe {
        let key = Block::of(reflect, ty, image);
        if find_key(reflect, map, at, key.at).is_some() {
            reflect.drop_value(ty, key.at);
            return false;
        }
        match def.kind {
            Kind::BTreeMap => insert_into_tree(reflect, def, at, key.at, lost),
            _ => insert_into_map(reflect, def, at, key.at, lost),
        }
    }
    true
}

/// # Safety
/// As for [`insert`]; the key moves in, and is not in the map yet.
unsafe fn insert_into_map(
    reflect: &Reflect<'_>,
    def: &TypeDef,
    at: *mut u8,
    key: *mut u8,
    lost: &Lost,
) {
    let (ty, pair) = (def.args[0], reflect.pair(def));
    // SAFETY: the caller's promise; the slot is written whole.
    unsafe {
        hash_map::erased::prepare(at);
        let seed = hash_map::erased::seed(at);
        let hash_of = |key| reflect.hash_of(ty, key, seed);
        let slot = hash_map::erased::insert(at, pair, hash_of(key), hash_of);
        ptr::copy_nonoverlapping(key, slot, pair.key.size());
        build(reflect, lost.ty, slot.add(pair.value_at()), &lost.image);
    }
}

/// # Safety
/// As for [`insert_into_map`], with a tree.
unsafe fn insert_into_tree(
    reflect: &Reflect<'_>,
    def: &TypeDef,
    at: *mut u8,
    key: *mut u8,
    lost: &Lost,
) {
    let (ty, pair) = (def.args[0], reflect.pair(def));
    // SAFETY: the caller's promise; entries move bit by bit, then the old nodes go.
    unsafe {
        let value = Block::of(reflect, lost.ty, &lost.image);
        let mut entries = Vec::new();
        btree_map::erased::each(at, pair, &mut |k, v| entries.push((k, v)));
        let place = entries.partition_point(|&(k, _)| reflect.compare_keys(ty, k, key).is_lt());
        entries.insert(place, (key, value.at));
        let mut header = [0_u64; 4];
        let new = header.as_mut_ptr().cast::<u8>();
        let mut tree = btree_map::erased::Builder::new(new, pair, entries.len());
        for (k, v) in entries {
            let (key_place, value_place) = tree.next();
            ptr::copy_nonoverlapping(k, key_place, pair.key.size());
            ptr::copy_nonoverlapping(v, value_place, pair.value.size());
        }
        tree.finish();
        btree_map::erased::free(at, pair);
        ptr::copy_nonoverlapping(new, at, size_of_val(&header));
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
