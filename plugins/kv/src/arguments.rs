//! Arguments of requests, read as what they stand for.

use crate::errors;
use crate::number;

/// An argument as integer.
///
/// # Errors
/// When it is none.
#[inline]
pub fn int(arg: &[u8]) -> Result<i64, &'static str> {
    number::parse_i64(arg).ok_or(errors::NOT_AN_INTEGER)
}

/// Whether an argument is this word, in any case.
#[inline]
pub fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

/// The elements at `start ..= end`, both from the end when negative; empty when there are none.
pub fn index_range(len: usize, start: i64, end: i64) -> core::ops::Range<usize> {
    let len = len as i64;
    let from_end = |n: i64| if n < 0 { n.saturating_add(len) } else { n };
    let (start, end) = (from_end(start).max(0), from_end(end).min(len - 1));
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}
