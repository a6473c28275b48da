//! Lists: one [`chunk`] while small, then many. Values of other types count as empty here.

use core::ops::Range;

use hotshell_plugin_api::collections::{Box, Bytes, VecDeque};
use hotshell_plugin_api::state;

pub use crate::chunk::End;
use crate::chunk::{self, LIMIT};
use crate::element::Element;
use crate::value::Value;

/// A large list.
#[state]
#[derive(Debug)]
pub struct List {
    /// Its elements, head first. No chunk is empty.
    chunks: VecDeque<Bytes>,
    /// How many elements there are.
    len: u64,
}

impl List {
    /// How many elements it has. O(1).
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many blocks of memory it is made of.
    pub(crate) fn chunks(&self) -> usize {
        self.chunks.len()
    }

    /// These blocks, head first.
    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Bytes> {
        self.chunks.iter()
    }

    /// A copy. O(n).
    pub fn copy(&self) -> Self {
        Self { chunks: self.chunks.iter().cloned().collect(), len: self.len }
    }

    /// Frees about `n` elements at the tail.
    pub(crate) fn crumble(&mut self, n: usize) {
        let most = self.len.saturating_sub(n as u64);
        while self.len > most {
            let Some(last) = self.chunks.pop_back() else { return };
            self.len -= chunk::len(&last) as u64;
        }
    }

    fn push(&mut self, end: End, element: Element<'_>) {
        let at = if end == End::Head { self.chunks.front_mut() } else { self.chunks.back_mut() };
        match at {
            Some(chunk) if chunk::has_room(chunk, element) => chunk::push(chunk, end, element),
            _ => {
                let mut chunk = Bytes::new();
                chunk::push(&mut chunk, end, element);
                match end {
                    End::Head => self.chunks.push_front(chunk),
                    End::Tail => self.chunks.push_back(chunk),
                }
            }
        }
        self.len += 1;
    }

    fn pop<T>(&mut self, end: End, show: impl FnOnce(Element<'_>) -> T) -> Option<T> {
        let at = if end == End::Head { self.chunks.front_mut() } else { self.chunks.back_mut() };
        let chunk = at?;
        let shown = chunk::pop(chunk, end, show);
        if chunk.is_empty() {
            match end {
                End::Head => self.chunks.pop_front(),
                End::Tail => self.chunks.pop_back(),
            };
        }
        self.len -= 1;
        shown
    }

    /// The chunk that has the element with this index, and its index there. O(chunks to the nearer end).
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len() {
            return None;
        }
        let (mut before, mut behind) = (0, self.len());
        if index < behind / 2 {
            for (at, chunk) in self.chunks.iter().enumerate() {
                let len = chunk::len(chunk);
                if index < before + len {
                    return Some((at, index - before));
                }
                before += len;
            }
        }
        for (at, chunk) in self.chunks.iter().enumerate().rev() {
            behind -= chunk::len(chunk);
            if index >= behind {
                return Some((at, index - behind));
            }
        }
        None
    }

    fn splice(&mut self, index: usize, removed: usize, element: Option<Element<'_>>) {
        let Some((at, index)) = self.locate(index) else { return };
        let chunk = &mut self.chunks[at];
        chunk::splice(chunk, index..index + removed, element);
        self.len = self.len - removed as u64 + u64::from(element.is_some());
        if chunk.is_empty() {
            self.chunks.remove(at);
        } else if chunk.len() > LIMIT && chunk::len(chunk) > 1 {
            let rest = chunk::split_off(chunk, chunk::len(chunk) / 2);
            self.chunks.insert(at + 1, rest);
        }
    }

    fn keep(&mut self, range: Range<usize>) {
        while let Some(last) = self.chunks.back_mut() {
            let before = self.len as usize - chunk::len(last);
            if before < range.end {
                chunk::keep(last, 0..range.end - before);
                break;
            }
            self.len = before as u64;
            self.chunks.pop_back();
        }
        let mut skipped = 0;
        while let Some(first) = self.chunks.front_mut() {
            let len = chunk::len(first);
            if skipped + len > range.start {
                chunk::keep(first, range.start - skipped..len);
                break;
            }
            skipped += len;
            self.chunks.pop_front();
        }
        self.len = range.len() as u64;
    }
}

/// Adds an element at an end. O(1).
pub fn push(list: &mut Value, end: End, element: &[u8]) {
    let element = chunk::item(element);
    if let Value::ListPack(_, pack) = list {
        if chunk::has_room(pack, element) {
            return chunk::push(pack, end, element);
        }
        unpack(list);
    }
    if let Value::List(_, list) = list {
        list.push(end, element);
    }
}

fn unpack(list: &mut Value) {
    let Value::ListPack(head, pack) = list else { return };
    let mut many = List { len: chunk::len(pack) as u64, ..List::default() };
    if !pack.is_empty() {
        many.chunks.push_back(core::mem::take(pack));
    }
    *list = Value::List(*head, Box::new(many));
}

/// Takes an element off an end. O(1).
pub fn pop(list: &mut Value, end: End) -> Option<Bytes> {
    pop_shown(list, end, |element| element.to_bytes())
}

/// Takes an element off an end, after it was shown. O(1).
pub fn pop_shown<T>(list: &mut Value, end: End, show: impl FnOnce(Element<'_>) -> T) -> Option<T> {
    match list {
        Value::ListPack(_, pack) => chunk::pop(pack, end, show),
        Value::List(_, list) => list.pop(end, show),
        _ => None,
    }
}

/// All elements, from both ends.
pub fn iter(list: &Value) -> impl DoubleEndedIterator<Item = Element<'_>> {
    let (pack, many) = match list {
        Value::ListPack(_, pack) => (Some(pack), None),
        Value::List(_, list) => (None, Some(list.chunks.iter())),
        _ => (None, None),
    };
    pack.into_iter().chain(many.into_iter().flatten()).flat_map(|chunk| chunk::iter(chunk))
}

/// Shows the elements of these indices. O(chunks to the nearer end + shown).
pub fn each<'a>(list: &'a Value, range: Range<usize>, show: impl FnMut(Element<'a>)) {
    match list {
        Value::ListPack(_, pack) => {
            chunk::iter(pack).skip(range.start).take(range.len()).for_each(show);
        }
        Value::List(_, list) => {
            let Some((at, index)) = list.locate(range.start) else { return };
            let chunks = list.chunks.range(at..).flat_map(|chunk| chunk::iter(chunk));
            chunks.skip(index).take(range.len()).for_each(show);
        }
        _ => {}
    }
}

/// The element with this index. O(chunks to the nearer end).
pub fn get(list: &Value, index: usize) -> Option<Element<'_>> {
    let mut found = None;
    each(list, index..index + 1, |element| found = Some(element));
    found
}

/// Replaces the element with this index; false when there is none. O(chunks to the nearer end).
pub fn set(list: &mut Value, index: usize, element: &[u8]) -> bool {
    let there = index < list.len();
    if there {
        splice(list, index, 1, Some(chunk::item(element)));
    }
    there
}

/// Inserts an element before the one with this index, or behind all. O(chunks to the nearer end).
pub fn insert(list: &mut Value, index: usize, element: &[u8]) {
    if index >= list.len() {
        return push(list, End::Tail, element);
    }
    splice(list, index, 0, Some(chunk::item(element)));
}

fn splice(list: &mut Value, index: usize, removed: usize, element: Option<Element<'_>>) {
    if let Value::ListPack(_, pack) = list {
        if element.is_none_or(|element| chunk::has_room(pack, element)) {
            return chunk::splice(pack, index..index + removed, element);
        }
        unpack(list);
    }
    if let Value::List(_, list) = list {
        list.splice(index, removed, element);
    }
}

/// Keeps the elements of these indices only. O(removed).
pub fn keep(list: &mut Value, range: Range<usize>) {
    match list {
        Value::ListPack(_, pack) => chunk::keep(pack, range),
        Value::List(_, list) => list.keep(range),
        _ => {}
    }
}

/// Removes elements that equal this one, at most so many, from this end on; answers how many. O(n).
pub fn remove_equal(list: &mut Value, element: &[u8], most: usize, from: End) -> usize {
    let element = chunk::item(element);
    let mut left = most;
    let mut clean = |chunk: &mut Bytes| {
        let mut found: Vec<usize> = chunk::iter(chunk)
            .enumerate()
            .filter_map(|(at, other)| (other == element).then_some(at))
            .collect();
        match from {
            End::Head => found.truncate(left),
            End::Tail => drop(found.drain(..found.len().saturating_sub(left))),
        }
        found.iter().rev().for_each(|&at| chunk::splice(chunk, at..at + 1, None));
        left -= found.len();
        found.len() as u64
    };
    match list {
        Value::ListPack(_, pack) => {
            clean(pack);
        }
        Value::List(_, list) => {
            let removed: u64 = match from {
                End::Head => list.chunks.iter_mut().map(clean).sum(),
                End::Tail => list.chunks.iter_mut().rev().map(clean).sum(),
            };
            list.chunks.retain(|chunk| !chunk.is_empty());
            list.len -= removed;
        }
        _ => {}
    }
    most - left
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    struct Random(u64);

    impl Random {
        fn below(&mut self, n: usize) -> usize {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ((u128::from(self.0) * n as u128) >> 64) as usize
        }

        fn element(&mut self) -> Vec<u8> {
            match self.below(8) {
                0 => vec![b'x'; self.below(3 * LIMIT)],
                1 => self.below(1 << 40).to_string().into_bytes(),
                _ => format!("element:{}", self.below(50)).into_bytes(),
            }
        }
    }

    fn same(list: &Value, model: &VecDeque<Vec<u8>>) {
        assert_eq!(list.len(), model.len());
        let shown = |element: Element<'_>| element.to_bytes().to_vec();
        assert!(iter(list).map(shown).eq(model.iter().cloned()));
        assert!(iter(list).rev().map(shown).eq(model.iter().rev().cloned()));
    }

    fn change(list: &mut Value, model: &mut VecDeque<Vec<u8>>, random: &mut Random) {
        let (at, element) = (random.below(model.len() + 1), random.element());
        match random.below(12) {
            0..4 => {
                push(list, End::Tail, &element);
                model.push_back(element);
            }
            4..7 => {
                push(list, End::Head, &element);
                model.push_front(element);
            }
            7 => assert_eq!(pop(list, End::Head).map(|e| e.to_vec()), model.pop_front()),
            8 => assert_eq!(pop(list, End::Tail).map(|e| e.to_vec()), model.pop_back()),
            9 => {
                insert(list, at, &element);
                model.insert(at, element);
            }
            10 if at < model.len() => {
                assert!(set(list, at, &element));
                model[at] = element;
            }
            _ if random.below(20) == 0 => {
                let to = at + random.below(model.len() - at + 1);
                keep(list, at..to);
                *model = model.drain(at..to).collect();
            }
            _ => {
                let (most, end) = (random.below(4) + 1, random.below(2));
                let equal = |e: &&Vec<u8>| **e == element;
                let removed = model.iter().filter(equal).count().min(most);
                let from = if end == 0 { End::Head } else { End::Tail };
                assert_eq!(remove_equal(list, &element, most, from), removed);
                for _ in 0..removed {
                    let at = match from {
                        End::Head => model.iter().position(|e| *e == element),
                        End::Tail => model.iter().rposition(|e| *e == element),
                    };
                    at.and_then(|at| model.remove(at));
                }
            }
        }
    }

    #[test]
    fn random_changes_agree_with_a_deque_whatever_the_size() {
        for seed in 0..40 {
            let (mut list, mut model) = (Value::list(), VecDeque::new());
            let mut random = Random(seed);
            for step in 0..1_500 {
                change(&mut list, &mut model, &mut random);
                if step % 50 == 0 {
                    same(&list, &model);
                    let at = random.below(model.len() + 1);
                    let found = get(&list, at).map(|element| element.to_bytes().to_vec());
                    assert_eq!(found.as_ref(), model.get(at), "seed {seed}, step {step}");
                    same(&list.copy(), &model);
                }
            }
            same(&list, &model);
        }
    }
}
