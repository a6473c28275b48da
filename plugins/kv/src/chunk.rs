//! Parts of lists: elements one after the other in one block of memory, to be taken from both ends.
//!
//! Layout: the number of elements and where they start (two bytes each, little-endian), free room, and
//! the elements. No elements: no bytes. An element is a head, its content, and its size without this
//! last part, so that it can be read backwards: one byte below 255, otherwise four bytes and a 255.
//!
//! | head | content |
//! |---|---|
//! | `0x00` to `0x7f` | none: it is the integer |
//! | `0x80` to `0xef` | so many bytes, less `0x80` |
//! | `0xf0` to `0xf7` | an integer of 1 to 8 bytes, signed, little-endian |
//! | `0xff` | a length in four bytes, and as many bytes |

use core::ops::Range;

use hotshell_plugin_api::collections::Bytes;

use crate::element::Element;
use crate::number::parse_i64;

/// The end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The left end.
    Head = 0,
    /// The right end.
    Tail = 1,
}

/// Bytes of a chunk, at most, unless it is one element. A size class of the heap.
pub const LIMIT: usize = 4096;
/// Length of the count and the start.
const FRONT: usize = 4;
const SHORT: u8 = 0x80;
const INTEGER: u8 = 0xf0;
const LONG: u8 = 0xff;
/// Longest content behind a head of one byte.
const MOST_SHORT: usize = (INTEGER - SHORT) as usize - 1;
/// Marks a size of four bytes.
const WIDE: u8 = 255;

/// The elements of a chunk, from both ends.
#[derive(Debug, Clone)]
pub struct Iter<'a> {
    bytes: &'a [u8],
    start: usize,
    end: usize,
}

/// An element as it is kept: what is the decimal form of an integer is one.
pub fn item(text: &[u8]) -> Element<'_> {
    parse_i64(text).map_or(Element::Bytes(text), Element::Int)
}

/// How many elements a chunk has. O(1).
#[inline]
pub fn len(chunk: &[u8]) -> usize {
    match chunk {
        [low, high, ..] => u16::from_le_bytes([*low, *high]) as usize,
        _ => 0,
    }
}

fn start(chunk: &[u8]) -> usize {
    match chunk {
        [_, _, low, high, ..] => u16::from_le_bytes([*low, *high]) as usize,
        _ => FRONT,
    }
}

fn set_front(chunk: &mut Bytes, len: usize, start: usize) {
    chunk[..2].copy_from_slice(&(len as u16).to_le_bytes());
    chunk[2..FRONT].copy_from_slice(&(start as u16).to_le_bytes());
}

/// The elements.
#[inline]
pub fn iter(chunk: &[u8]) -> Iter<'_> {
    Iter { bytes: chunk, start: start(chunk), end: chunk.len() }
}

/// Whether an element can be added.
pub fn has_room(chunk: &[u8], element: Element<'_>) -> bool {
    let used = chunk.len().saturating_sub(start(chunk));
    len(chunk) == 0 || FRONT + used + size(element) <= LIMIT
}

/// Bytes of head and content.
fn inner_size(element: Element<'_>) -> usize {
    match element {
        Element::Int(0..=0x7f) => 1,
        Element::Int(n) => 1 + width(n),
        Element::Bytes(bytes) if bytes.len() <= MOST_SHORT => 1 + bytes.len(),
        Element::Bytes(bytes) => 5 + bytes.len(),
        Element::Score(_) => 0,
    }
}

/// Bytes that an element takes.
fn size(element: Element<'_>) -> usize {
    let inner = inner_size(element);
    inner + if inner < WIDE as usize { 1 } else { 5 }
}

/// The fewest bytes that hold a signed integer.
fn width(n: i64) -> usize {
    let unsigned = if n < 0 { !n } else { n };
    (64 - unsigned.leading_zeros() as usize) / 8 + 1
}

fn write(to: &mut [u8], element: Element<'_>) {
    let inner = inner_size(element);
    match element {
        Element::Int(n @ 0..=0x7f) => to[0] = n as u8,
        Element::Int(n) => {
            to[0] = INTEGER + width(n) as u8 - 1;
            to[1..inner].copy_from_slice(&n.to_le_bytes()[..inner - 1]);
        }
        Element::Bytes(bytes) if bytes.len() <= MOST_SHORT => {
            to[0] = SHORT + bytes.len() as u8;
            to[1..inner].copy_from_slice(bytes);
        }
        Element::Bytes(bytes) => {
            to[0] = LONG;
            to[1..5].copy_from_slice(&(bytes.len() as u32).to_le_bytes());
            to[5..inner].copy_from_slice(bytes);
        }
        Element::Score(_) => {}
    }
    if inner < WIDE as usize {
        to[inner] = inner as u8;
    } else {
        to[inner..inner + 4].copy_from_slice(&(inner as u32).to_le_bytes());
        to[inner + 4] = WIDE;
    }
}

/// The element that begins at `at`, and where it ends.
#[inline]
fn read(bytes: &[u8], at: usize) -> Option<(Element<'_>, usize)> {
    let (element, end) = match *bytes.get(at)? {
        n @ ..SHORT => (Element::Int(i64::from(n)), at + 1),
        head @ SHORT..INTEGER => {
            let end = at + 1 + (head - SHORT) as usize;
            (Element::Bytes(bytes.get(at + 1..end)?), end)
        }
        LONG => {
            let len = u32::from_le_bytes(bytes.get(at + 1..at + 5)?.try_into().ok()?) as usize;
            (Element::Bytes(bytes.get(at + 5..at + 5 + len)?), at + 5 + len)
        }
        head => {
            let end = at + 2 + (head - INTEGER) as usize;
            let content = bytes.get(at + 1..end)?;
            let negative = content.last()? & 0x80 != 0;
            let mut wide = [if negative { 0xff } else { 0 }; 8];
            wide.get_mut(..content.len())?.copy_from_slice(content);
            (Element::Int(i64::from_le_bytes(wide)), end)
        }
    };
    Some((element, end + if end - at < WIDE as usize { 1 } else { 5 }))
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.start >= self.end {
            return None;
        }
        let (element, end) = read(self.bytes, self.start)?;
        self.start = end;
        Some(element)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.start >= self.end {
            return None;
        }
        let inner = match self.bytes[self.end - 1] {
            WIDE => {
                let size = self.bytes.get(self.end - 5..self.end - 1)?;
                4 + u32::from_le_bytes(size.try_into().ok()?) as usize
            }
            inner => inner as usize,
        };
        self.end = self.end.checked_sub(inner + 1)?;
        Some(read(self.bytes, self.end)?.0)
    }
}

/// Adds an element at an end. O(1) amortized.
pub fn push(chunk: &mut Bytes, end: End, element: Element<'_>) {
    let more = size(element);
    let first = chunk.is_empty();
    if first {
        chunk.resize(FRONT, 0);
        set_front(chunk, 0, FRONT);
    }
    let count = len(chunk) + 1;
    if first || end == End::Tail {
        make_room_behind(chunk, more);
        let at = chunk.len();
        chunk.resize(at + more, 0);
        write(&mut chunk[at..], element);
        let start = start(chunk);
        return set_front(chunk, count, start);
    }
    if start(chunk) - FRONT < more {
        make_room_before(chunk, more);
    }
    let at = start(chunk) - more;
    write(&mut chunk[at..], element);
    set_front(chunk, count, at);
}

/// The next capacity for so many bytes: an eighth more, so that pushes are cheap, in steps of the heap.
fn roomy(bytes: usize) -> usize {
    let more = (bytes + bytes / 8).next_multiple_of(16);
    if bytes <= LIMIT { more.min(LIMIT) } else { bytes }
}

fn make_room_behind(chunk: &mut Bytes, more: usize) {
    let (at, len) = (start(chunk), chunk.len());
    if len + more <= chunk.capacity() {
        return;
    }
    // Room that pops have left in front serves first, if it lasts for a while.
    if at - FRONT >= more.max(len / 8) {
        chunk.copy_within(at.., FRONT);
        chunk.truncate(len - (at - FRONT));
        let count = self::len(chunk);
        set_front(chunk, count, FRONT);
    } else {
        chunk.reserve_exact(roomy(len + more) - len);
    }
}

fn make_room_before(chunk: &mut Bytes, more: usize) {
    let (at, len) = (start(chunk), chunk.len());
    let used = len - at;
    let whole = roomy(FRONT + more + used).max(len);
    chunk.reserve_exact(whole - len);
    chunk.resize(whole, 0);
    chunk.copy_within(at..len, whole - used);
    let count = self::len(chunk);
    set_front(chunk, count, whole - used);
}

/// Takes the element at an end, after it was shown. O(1).
pub fn pop<T>(chunk: &mut Bytes, end: End, show: impl FnOnce(Element<'_>) -> T) -> Option<T> {
    let mut left = iter(chunk);
    let shown = show(if end == End::Head { left.next() } else { left.next_back() }?);
    let (start, end, count) = (left.start, left.end, len(chunk) - 1);
    if count == 0 {
        *chunk = Bytes::new();
    } else {
        chunk.truncate(end);
        set_front(chunk, count, start);
    }
    Some(shown)
}

/// Where the elements of these indices stand. O(n).
fn place(chunk: &[u8], range: &Range<usize>) -> Range<usize> {
    let mut all = iter(chunk);
    all.by_ref().take(range.start).for_each(drop);
    let start = all.start;
    all.by_ref().take(range.len()).for_each(drop);
    start..all.start
}

/// Replaces elements by another one, or by none. O(n).
pub fn splice(chunk: &mut Bytes, range: Range<usize>, element: Option<Element<'_>>) {
    let place = place(chunk, &range);
    let count = len(chunk) - range.len() + usize::from(element.is_some());
    if count == 0 {
        *chunk = Bytes::new();
        return;
    }
    let (old, new) = (place.len(), element.map_or(0, size));
    let len = chunk.len();
    if new > old {
        chunk.reserve_exact(new - old);
        chunk.resize(len + new - old, 0);
    }
    chunk.copy_within(place.end..len, place.start + new);
    chunk.truncate(len + new - old);
    if let Some(element) = element {
        write(&mut chunk[place.start..], element);
    }
    let start = start(chunk);
    set_front(chunk, count, start);
}

/// Keeps the elements of these indices only. O(n).
pub fn keep(chunk: &mut Bytes, range: Range<usize>) {
    if range.is_empty() {
        *chunk = Bytes::new();
    } else if range.len() < len(chunk) {
        let place = place(chunk, &range);
        chunk.truncate(place.end);
        set_front(chunk, range.len(), place.start);
    }
}

/// Takes the elements from this index on out, into another chunk. O(n).
pub fn split_off(chunk: &mut Bytes, at: usize) -> Bytes {
    let mut rest = Bytes::new();
    iter(chunk).skip(at).for_each(|element| push(&mut rest, End::Tail, element));
    keep(chunk, 0..at);
    rest
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Elements of all forms, and those at the edges between them.
    fn texts() -> Vec<Vec<u8>> {
        let numbers = [0, 1, 127, 128, -1, -128, -129, 32_767, 32_768, 1 << 40, i64::MAX, i64::MIN];
        let mut texts: Vec<Vec<u8>> = numbers.iter().map(|n| n.to_string().into_bytes()).collect();
        texts.extend([0, 1, 111, 112, 249, 250, 251, 252, 300].map(|len| vec![b'x'; len]));
        texts.extend([b"007".to_vec(), b"-0".to_vec(), b" 1".to_vec()]);
        texts
    }

    fn shown(chunk: &Bytes) -> Vec<Vec<u8>> {
        iter(chunk).map(|element| element.to_bytes().to_vec()).collect()
    }

    #[test]
    fn elements_are_read_back_from_both_ends() {
        for ends in [[End::Tail, End::Tail], [End::Head, End::Head], [End::Head, End::Tail]] {
            let (mut chunk, mut model) = (Bytes::new(), VecDeque::new());
            for (n, text) in texts().into_iter().enumerate() {
                push(&mut chunk, ends[n % 2], item(&text));
                match ends[n % 2] {
                    End::Head => model.push_front(text),
                    End::Tail => model.push_back(text),
                }
                assert!(shown(&chunk).iter().eq(&model));
                let back: Vec<_> = iter(&chunk).rev().map(|e| e.to_bytes().to_vec()).collect();
                assert!(back.iter().eq(model.iter().rev()));
            }
            for n in 0..model.len() {
                let end = if n % 3 == 0 { End::Head } else { End::Tail };
                let wanted = if n % 3 == 0 { model.pop_front() } else { model.pop_back() };
                assert_eq!(pop(&mut chunk, end, |e| e.to_bytes().to_vec()), wanted);
                assert_eq!((len(&chunk), shown(&chunk)), (model.len(), model.clone().into()));
            }
            assert!(chunk.is_empty() && pop(&mut chunk, End::Head, |_| ()).is_none());
        }
    }

    #[test]
    fn a_queue_that_stays_short_stays_in_its_block() {
        let mut chunk = Bytes::new();
        for n in 0..10_000_u32 {
            push(&mut chunk, End::Tail, item(format!("job:{n}").as_bytes()));
            if n >= 10 {
                pop(&mut chunk, End::Head, |_| ());
            }
        }
        assert_eq!(len(&chunk), 10);
        assert!(chunk.capacity() < 400, "{} bytes for 10 elements", chunk.capacity());
    }

    #[test]
    fn elements_in_the_middle_are_replaced_cut_and_split_off() {
        let mut chunk = Bytes::new();
        ["a", "1", "c", "d"].iter().for_each(|e| push(&mut chunk, End::Tail, item(e.as_bytes())));
        splice(&mut chunk, 1..2, Some(item(b"longer")));
        splice(&mut chunk, 4..4, Some(item(b"5")));
        splice(&mut chunk, 0..1, None);
        assert_eq!(shown(&chunk), ["longer", "c", "d", "5"].map(|e| e.as_bytes().to_vec()));
        let rest = split_off(&mut chunk, 3);
        assert_eq!((shown(&chunk).len(), shown(&rest)), (3, vec![b"5".to_vec()]));
        keep(&mut chunk, 1..2);
        assert_eq!(shown(&chunk), [b"c".to_vec()]);
        splice(&mut chunk, 0..1, None);
        assert!(chunk.is_empty());
    }
}
