//! Ways through the tree: searching, and changes that follow the way back up.

use core::cmp::Ordering;
use core::mem::MaybeUninit;

use super::BTreeMap;
use super::node::{Inner, Leaf, Node};
use crate::state::{Lookup, StateKey};

/// More levels than memory can hold: each inner node but the root has at least four children.
const MAX_HEIGHT: usize = 24;

/// An inner node on the way and the child that was taken.
#[derive(Clone, Copy)]
struct Step {
    node: Node,
    at: usize,
}

/// The way from the root to an entry, or to where it would be. Valid while the map is not changed.
pub(super) struct Path<K, V> {
    steps: [MaybeUninit<Step>; MAX_HEIGHT],
    height: usize,
    pub leaf: Leaf<K, V>,
    pub at: usize,
}

/// The child of `inner` to look for `q` in: the last whose first key is not above `q`.
#[inline]
fn child_for<K: StateKey, Q: Lookup<K> + ?Sized>(inner: Inner<K>, q: &Q) -> usize {
    let (mut low, mut high) = (1, inner.len());
    while low < high {
        let middle = (low + high) / 2;
        // SAFETY: separators 1..len are bit copies of living keys.
        match q.cmp_key(unsafe { &*inner.separator(middle) }) {
            Ordering::Less => high = middle,
            Ordering::Equal => return middle,
            Ordering::Greater => low = middle + 1,
        }
    }
    low - 1
}

/// Where `q` is in the leaf, or where it would be.
#[inline]
fn entry_for<K: StateKey, V, Q>(leaf: Leaf<K, V>, q: &Q) -> Result<usize, usize>
where
    Q: Lookup<K> + ?Sized,
{
    let (mut low, mut high) = (0, leaf.len());
    while low < high {
        let middle = (low + high) / 2;
        // SAFETY: the first `len` keys are initialised.
        match q.cmp_key(unsafe { &*leaf.key(middle) }) {
            Ordering::Less => high = middle,
            Ordering::Equal => return Ok(middle),
            Ordering::Greater => low = middle + 1,
        }
    }
    Err(low)
}

impl<K, V> BTreeMap<K, V> {
    /// Walks from the root to a leaf; `choose` picks the child of each inner node. The map is not
    /// empty.
    #[inline(always)]
    pub(super) fn descend(&self, mut choose: impl FnMut(Inner<K>) -> usize) -> Leaf<K, V> {
        if self.converting != 0 {
            return self.descend_converting(&mut choose);
        }
        let mut node = self.root;
        for _ in 0..self.height {
            // SAFETY: `height` levels of inner nodes lie above the leaves.
            let inner = unsafe { Inner::at(node) };
            node = inner.child(choose(inner));
        }
        // SAFETY: below the inner nodes is a leaf.
        unsafe { Leaf::at(node) }
    }

    /// As [`BTreeMap::descend`], and remembers the way. `at` is left to the caller. In an empty map
    /// the leaf is null.
    #[inline(always)]
    fn walk(&self, mut choose: impl FnMut(Inner<K>) -> usize) -> Path<K, V> {
        let mut steps = [const { MaybeUninit::uninit() }; MAX_HEIGHT];
        let mut level = 0;
        let leaf = self.descend(|inner| {
            let at = choose(inner);
            steps[level] = MaybeUninit::new(Step { node: inner.0, at });
            level += 1;
            at
        });
        Path { steps, height: level, leaf, at: 0 }
    }

    /// The way to the entry of `rank`; `rank == len` leads behind the last one.
    pub(super) fn path_to_rank(&self, rank: usize) -> Path<K, V> {
        let mut left = rank;
        let mut path = self.walk(|inner| child_of_rank(inner, &mut left));
        path.at = left;
        path
    }

    /// The leaf and the slot of the entry of `rank`, in a map that is not empty.
    pub(super) fn slot_of_rank(&self, rank: usize) -> (Leaf<K, V>, usize) {
        let mut left = rank;
        let leaf = self.descend(|inner| child_of_rank(inner, &mut left));
        (leaf, left)
    }
}

/// The child with the entry that has `left` entries before it; makes `left` count from that child on.
fn child_of_rank<K>(inner: Inner<K>, left: &mut usize) -> usize {
    let last = inner.len() - 1;
    let mut at = 0;
    while at < last && *left >= inner.count(at) {
        *left -= inner.count(at);
        at += 1;
    }
    at
}

impl<K: StateKey, V> BTreeMap<K, V> {
    /// The entry of `q`.
    #[inline]
    pub(super) fn find<Q: Lookup<K> + ?Sized>(&self, q: &Q) -> Option<(Leaf<K, V>, usize)> {
        if self.is_empty() {
            return None;
        }
        let leaf = self.descend(|inner| child_for(inner, q));
        Some((leaf, entry_for(leaf, q).ok()?))
    }

    /// The way to the entry of `q`, and whether it is there.
    #[inline]
    pub(super) fn path_to<Q: Lookup<K> + ?Sized>(&self, q: &Q) -> (Path<K, V>, bool) {
        let mut path = self.walk(|inner| child_for(inner, q));
        if path.leaf.0.is_null() {
            return (path, false);
        }
        let found = entry_for(path.leaf, q);
        path.at = found.unwrap_or_else(|at| at);
        (path, found.is_ok())
    }

    /// Rank, leaf and slot of `q` or of where it would be, and whether it is there. The map is not
    /// empty.
    pub(super) fn seek<Q>(&self, q: &Q) -> (usize, Leaf<K, V>, usize, bool)
    where
        Q: Lookup<K> + ?Sized,
    {
        let mut before = 0;
        let leaf = self.descend(|inner| {
            let at = child_for(inner, q);
            before += (0..at).map(|i| inner.count(i)).sum::<usize>();
            at
        });
        let found = entry_for(leaf, q);
        let at = found.unwrap_or_else(|at| at);
        (before + at, leaf, at, found.is_ok())
    }
}

impl<K, V> Path<K, V> {
    fn step(&self, level: usize) -> (Inner<K>, usize) {
        debug_assert!(level < self.height);
        // SAFETY: `walk` wrote the first `height` steps, each of them an inner node.
        unsafe {
            let step = self.steps[level].assume_init();
            (Inner::at(step.node), step.at)
        }
    }

    /// Puts an entry at the end of the way, and says where it ended up.
    pub fn insert(self, map: &mut BTreeMap<K, V>, key: K, value: V) -> (Leaf<K, V>, usize) {
        (0..self.height).for_each(|level| {
            let (inner, at) = self.step(level);
            inner.add_count(at, 1);
        });
        map.len += 1;
        let (mut leaf, at, unit) = (self.leaf, self.at, map.unit());
        let small = self.height == 0 && !leaf.0.is_null();
        if leaf.0.is_null() || small && leaf.len() == leaf.cap() && leaf.cap() < Leaf::<K, V>::CAP {
            leaf = Leaf::grown(unit, small.then_some(leaf));
            map.set_top(leaf.0, 0);
        }
        if leaf.len() < leaf.cap() {
            leaf.insert(at, key, value);
            return (leaf, at);
        }
        let half = split_point(leaf.cap(), at, leaf.prev().is_null(), leaf.next().is_null());
        let right = leaf.split(unit, half);
        let place = if at <= half { (leaf, at) } else { (right, at - half) };
        place.0.insert(place.1, key, value);
        // SAFETY: the separator is the first key of the new leaf.
        unsafe { self.insert_child(map, right.0, right.len(), right.key(0)) };
        place
    }

    /// Puts a new node beside the one the way leads to, and splits the nodes above where needed.
    ///
    /// # Safety
    /// `right` holds `count` entries that were below the way's node; `key` is their first key.
    unsafe fn insert_child(
        &self,
        map: &mut BTreeMap<K, V>,
        mut right: Node,
        mut count: usize,
        mut key: *const K,
    ) {
        for level in (0..self.height).rev() {
            let (inner, at) = self.step(level);
            inner.add_count(at, -(count as isize));
            if inner.len() < Inner::<K>::CAP {
                // SAFETY: the caller's promise, or what the last turn split off.
                unsafe { inner.insert(at + 1, right, count, key) };
                return;
            }
            let last = at + 1 == inner.len();
            let half = split_point(Inner::<K>::CAP, at + 1, false, last);
            let new = inner.split(map.unit(), half);
            let (target, slot) = if at < half { (inner, at + 1) } else { (new, at + 1 - half) };
            // SAFETY: as above. Slot 0 is never taken, so the new node's separator 0 stays.
            unsafe { target.insert(slot, right, count, key) };
            (right, count, key) = (new.0, new.total(), new.separator(0));
        }
        let (old, height) = map.top();
        let root = Inner::new(map.unit(), height + 1);
        // SAFETY: the old root keeps what is not below `right`.
        unsafe {
            root.insert(0, old, map.len - count, core::ptr::null());
            root.insert(1, right, count, key);
        }
        map.set_top(root.0, height + 1);
    }

    /// Moves the entry at the end of the way out.
    pub fn remove(self, map: &mut BTreeMap<K, V>) -> (K, V) {
        (0..self.height).for_each(|level| {
            let (inner, at) = self.step(level);
            inner.add_count(at, -1);
        });
        map.len -= 1;
        let (leaf, at) = (self.leaf, self.at);
        let entry = leaf.remove(at);
        if self.height == 0 {
            if leaf.len() == 0 {
                leaf.free();
                map.set_top(core::ptr::null_mut(), 0);
            }
            return entry;
        }
        let joined = leaf.len() < leaf.least();
        let (parent, child) = self.step(self.height - 1);
        if joined {
            let left = child.saturating_sub(1);
            map.settle_child(parent, left);
            map.settle_child(parent, left + 1);
            even_leaves::<K, V>(parent, left);
        }
        if at == 0 && (child == 0 || !joined) {
            self.set_first_key(leaf.key(0));
        }
        if joined {
            self.even_inners(map);
        }
        entry
    }

    /// Copies the new first key of the way's leaf to where it separates.
    fn set_first_key(&self, key: *const K) {
        let steps = (0..self.height).rev().map(|level| self.step(level));
        if let Some((inner, at)) = { steps }.find(|&(_, at)| at > 0) {
            // SAFETY: all steps below took child 0, so this is the first key below child `at`.
            unsafe { inner.set_separator(at, key) };
        }
    }

    /// Joins or evens out the inner nodes on the way that have too few children, from below.
    fn even_inners(&self, map: &mut BTreeMap<K, V>) {
        for level in (1..self.height).rev() {
            let (inner, _) = self.step(level);
            if inner.len() >= Inner::<K>::MIN {
                return;
            }
            let (parent, at) = self.step(level - 1);
            even_children(parent, at.saturating_sub(1));
        }
        let (top, height) = map.top();
        // SAFETY: the way has a height, so the root is an inner node.
        let root = unsafe { Inner::<K>::at(top) };
        if root.len() == 1 {
            map.set_top(root.child(0), height - 1);
            root.free();
        }
    }
}

/// Where to split a full node: in the middle, but ascending and descending keys leave fuller nodes.
fn split_point(cap: usize, at: usize, first: bool, last: bool) -> usize {
    match at {
        _ if last && at == cap => cap - cap / 3,
        0 if first => cap / 3,
        _ => cap / 2,
    }
}

/// Joins the leaves `left` and `left + 1` of `parent` if they fit into one, or evens them out.
fn even_leaves<K, V>(parent: Inner<K>, left: usize) {
    // SAFETY: these children of the lowest inner node are leaves.
    let (a, b) =
        unsafe { (Leaf::<K, V>::at(parent.child(left)), Leaf::<K, V>::at(parent.child(left + 1))) };
    let moved = a.len();
    if a.len() + b.len() <= a.cap() {
        a.join(b);
        parent.add_count(left, parent.count(left + 1) as isize);
        parent.remove(left + 1);
    } else {
        a.even_out(b);
        let more = a.len() as isize - moved as isize;
        parent.add_count(left, more);
        parent.add_count(left + 1, -more);
        // SAFETY: the first key of the right leaf.
        unsafe { parent.set_separator(left + 1, b.key(0)) };
    }
}

/// As [`even_leaves`], for inner nodes.
fn even_children<K>(parent: Inner<K>, left: usize) {
    // SAFETY: these children of a higher inner node are inner nodes; the parent's separator is the
    // first key below the right one.
    let (a, b) = unsafe {
        let (a, b) = (Inner::<K>::at(parent.child(left)), Inner::at(parent.child(left + 1)));
        b.set_separator(0, parent.separator(left + 1));
        (a, b)
    };
    let before = parent.count(left) as isize;
    if a.len() + b.len() <= Inner::<K>::CAP {
        a.join(b);
        parent.add_count(left, parent.count(left + 1) as isize);
        parent.remove(left + 1);
    } else {
        a.even_out(b);
        let more = a.total() as isize - before;
        parent.add_count(left, more);
        parent.add_count(left + 1, -more);
        // SAFETY: separator 0 of the right node is the first key below it.
        unsafe { parent.set_separator(left + 1, b.separator(0)) };
    }
}
