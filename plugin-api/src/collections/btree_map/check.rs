//! The invariants of a [`BTreeMap`], checked; for tests.

use core::ptr;

use super::BTreeMap;
use super::node::{Inner, Leaf, Node};
use crate::state::StateKey;

impl<K: StateKey, V> BTreeMap<K, V> {
    /// Checks every invariant of the tree. O(n).
    ///
    /// # Panics
    /// When one does not hold.
    #[doc(hidden)]
    pub fn check(&self) {
        let (root, height) = self.top();
        if root.is_null() {
            assert_eq!((self.len, height), (0, 0), "an empty map");
            return;
        }
        // While the values change their shape this asks for every leaf.
        self.iter().for_each(drop);
        let mut last = ptr::null_mut();
        let (count, _) = self.check_node(root, height, &mut last);
        assert_eq!(count, self.len, "the length");
        // SAFETY: the last leaf of a living map.
        assert!(unsafe { Leaf::<K, V>::at(last) }.next().is_null(), "the last leaf's next");
        let mut keys = self.keys();
        let Some(mut before) = keys.next() else { return };
        for key in keys {
            assert!(before.key_cmp(key).is_lt(), "the order of keys");
            before = key;
        }
    }

    /// Entries below the node and its first key; `last` is the leaf before.
    fn check_node(&self, node: Node, height: u32, last: &mut Node) -> (usize, *const K) {
        let root = node == self.top().0;
        if height == 0 {
            // SAFETY: a node at this height is a leaf.
            let leaf = unsafe { Leaf::<K, V>::at(node) };
            assert!(leaf.len() >= if root { 1 } else { leaf.least() }, "a leaf's fill");
            assert_eq!(leaf.prev(), *last, "a leaf's previous");
            // SAFETY: the leaf before, unless this is the first.
            assert!(last.is_null() || unsafe { Leaf::<K, V>::at(*last) }.next() == node, "a next");
            *last = node;
            return (leaf.len(), leaf.key(0));
        }
        // SAFETY: a node at this height is an inner node.
        let inner = unsafe { Inner::<K>::at(node) };
        assert_eq!(inner.height(), height, "a node's height");
        assert!(inner.len() >= if root { 2 } else { Inner::<K>::MIN }, "a node's fill");
        let mut first = ptr::null();
        for at in 0..inner.len() {
            let (count, key) = self.check_node(inner.child(at), height - 1, last);
            assert_eq!(count, inner.count(at), "a count");
            if at == 0 {
                first = key;
            } else {
                // SAFETY: both are keys; a separator is a bit copy of a living one.
                let equal = unsafe { (*inner.separator(at)).key_eq(&*key) };
                assert!(equal, "a separator");
            }
        }
        (inner.total(), first)
    }
}
