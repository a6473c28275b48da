//! Where one request ends: lines and length-prefixed frames in unread input, without copying.
//!
//! Each function looks at the start of `unread` and says what it found and how many bytes that took, so
//! that a plugin's `data(ctx, unread)` answers "done with n" or "need more" from it. Nothing is
//! remembered between calls: what was not consumed comes again, with more behind it.

use core::fmt;

/// A line, without its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line<'a> {
    /// The text before the line's end.
    pub text: &'a [u8],
    /// Bytes of input that the line took, its end included.
    pub consumed: usize,
}

/// A frame, without its length prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The frame's content.
    pub payload: &'a [u8],
    /// Bytes of input that the frame took, its prefix included.
    pub consumed: usize,
}

/// Input that no more bytes can make good: answer with the protocol's error and close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// A line without end in as many bytes as a line may have, or one with too many.
    LineTooLong {
        /// Bytes of text a line may have.
        max: usize,
    },
    /// A length prefix over the limit.
    FrameTooLong {
        /// What the prefix says.
        len: u64,
        /// Bytes a frame may have.
        max: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LineTooLong { max } => write!(f, "line over {max} bytes"),
            Self::FrameTooLong { len, max } => write!(f, "frame of {len} bytes, over {max}"),
        }
    }
}

impl std::error::Error for FrameError {}

/// The first line, which LF or CRLF ends; `None` while the end is not there. O(line).
///
/// ```
/// use hotshell_plugin_api::framing::line;
/// let found = line(b"GET a\r\nGET").unwrap();
/// assert_eq!((found.text, found.consumed), (&b"GET a"[..], 7));
/// assert_eq!(line(b"GET"), None);
/// assert_eq!(line(b"\n").unwrap().text, b"");
/// ```
///
/// A line that never ends is looked through again with each read: [`line_max`] puts a limit to that.
#[inline]
pub fn line(unread: &[u8]) -> Option<Line<'_>> {
    let end = find(unread)?;
    let text = &unread[..end];
    Some(Line { text: text.strip_suffix(b"\r").unwrap_or(text), consumed: end + 1 })
}

/// As [`line()`], of at most `max` bytes of text. O(`max`) at most.
///
/// # Errors
/// [`FrameError::LineTooLong`] when the text has more bytes, or must have, for no end is in sight.
///
/// ```
/// use hotshell_plugin_api::framing::{FrameError, line_max};
/// assert_eq!(line_max(b"abc\r\n", 3).unwrap().unwrap().text, b"abc");
/// assert_eq!(line_max(b"abc\r", 3), Ok(None));
/// assert_eq!(line_max(b"abcd", 3), Err(FrameError::LineTooLong { max: 3 }));
/// ```
pub fn line_max(unread: &[u8], max: usize) -> Result<Option<Line<'_>>, FrameError> {
    // The end takes up to two bytes more.
    let seen = &unread[..unread.len().min(max.saturating_add(2))];
    match line(seen) {
        Some(line) if line.text.len() <= max => Ok(Some(line)),
        None if seen.strip_suffix(b"\r").unwrap_or(seen).len() <= max => Ok(None),
        _ => Err(FrameError::LineTooLong { max }),
    }
}

/// The place of the first LF, eight bytes at a time.
fn find(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let mut at = 0;
    for chunk in bytes.chunks_exact(8) {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        // A byte that equals LF becomes zero; the lowest zero byte gets its high bit set.
        let x = u64::from_le_bytes(word) ^ (ONES * u64::from(b'\n'));
        let found = x.wrapping_sub(ONES) & !x & HIGH;
        if found != 0 {
            return Some(at + found.trailing_zeros() as usize / 8);
        }
        at += 8;
    }
    bytes[at..].iter().position(|&byte| byte == b'\n').map(|more| at + more)
}

macro_rules! frames {
    ($($name:ident, $int:ident, $from:ident, $words:literal, $example:literal;)*) => {$(
        #[doc = concat!("The first frame, whose length comes first as ", $words, ".")]
        ///
        /// `None` while it is not there as a whole. O(1). The length does not count itself.
        ///
        /// # Errors
        /// [`FrameError::FrameTooLong`] when the length is over `max`, as soon as it can be read.
        ///
        /// ```
        #[doc = concat!("use hotshell_plugin_api::framing::{FrameError, ", stringify!($name), "};")]
        #[doc = concat!("let input = ", $example, ";")]
        #[doc = concat!("let frame = ", stringify!($name), "(input, 100)?.unwrap();")]
        /// assert_eq!(frame.payload, b"abc");
        /// assert_eq!(&input[frame.consumed..], b"rest");
        #[doc = concat!("assert_eq!(", stringify!($name), "(&input[..4], 100)?, None);")]
        #[doc = concat!("assert!(", stringify!($name), "(input, 2).is_err());")]
        /// # Ok::<(), FrameError>(())
        /// ```
        #[inline]
        pub fn $name(unread: &[u8], max: usize) -> Result<Option<Frame<'_>>, FrameError> {
            let Some((prefix, rest)) = unread.split_first_chunk() else {
                return Ok(None);
            };
            let len = $int::$from(*prefix);
            if len as usize > max {
                return Err(FrameError::FrameTooLong { len: u64::from(len), max });
            }
            let len = len as usize;
            let whole = |payload| Frame { payload, consumed: prefix.len() + len };
            Ok(rest.get(..len).map(whole))
        }
    )*};
}

frames! {
    frame_u16_be, u16, from_be_bytes, "a big-endian `u16`", r#"b"\x00\x03abcrest""#;
    frame_u16_le, u16, from_le_bytes, "a little-endian `u16`", r#"b"\x03\x00abcrest""#;
    frame_u32_be, u32, from_be_bytes, "a big-endian `u32`", r#"b"\x00\x00\x00\x03abcrest""#;
    frame_u32_le, u32, from_le_bytes, "a little-endian `u32`", r#"b"\x03\x00\x00\x00abcrest""#;
}
