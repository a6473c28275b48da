//! How many nodes Redis' radix tree of a stream has, which XINFO tells.
//!
//! Such a tree (`rax.c`) has a node where keys part, one for each run of bytes that does not part, and
//! one at the end of each key. All keys are ids, 16 bytes with the highest first.

use super::Id;

/// Bytes of a key.
const LEN: i32 = 16;
/// The depth of what is above the root.
const ABOVE: i32 = -1;

/// The nodes of a tree with these keys, which are sorted. O(keys).
pub fn nodes(keys: impl Iterator<Item = Id>) -> u64 {
    // Depths at which the keys part that lead to the last one, and how far that one goes along.
    let mut open: Vec<i32> = Vec::new();
    let (mut nodes, mut last) = (0, None);
    for key in keys {
        if let Some(last) = last {
            let depth = shared(last, key);
            let parent = open.last().map_or(depth, |&top| top.max(depth));
            nodes += below(parent, LEN);
            while let Some(top) = open.pop_if(|top| *top > depth) {
                let parent = open.last().map_or(depth, |&next| next.max(depth));
                nodes += below(parent, top);
            }
            if open.last() != Some(&depth) {
                open.push(depth);
            }
        }
        last = Some(key);
    }
    if last.is_none() {
        return 1;
    }
    nodes += below(open.last().copied().unwrap_or(ABOVE), LEN);
    while let Some(top) = open.pop() {
        nodes += below(open.last().copied().unwrap_or(ABOVE), top);
    }
    nodes
}

/// A node at a depth, and one for the bytes between it and its parent if there are any.
fn below(parent: i32, depth: i32) -> u64 {
    1 + u64::from(depth > parent + 1)
}

/// How many bytes two ids have in common at the front.
fn shared(a: Id, b: Id) -> i32 {
    let key = |id: Id| u128::from(id.ms) << 64 | u128::from(id.seq);
    ((key(a) ^ key(b)).leading_zeros() / 8) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_counted_as_redis_counts_them() {
        let count = |ids: &[(u64, u64)]| nodes(ids.iter().map(|&(ms, seq)| Id { ms, seq }));
        assert_eq!(count(&[]), 1);
        assert_eq!(count(&[(1, 0)]), 2, "its bytes, its end");
        assert_eq!(count(&[(1, 0), (1, 1)]), 4, "what they share, where they part, two ends");
        assert_eq!(count(&[(1, 0), (2, 0)]), 6, "each has bytes behind that");
        assert_eq!(count(&[(1, 0), (1, 1), (1, 2), (2, 0)]), 9);
    }
}
