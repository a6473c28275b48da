//! Writes replies into a client's output, in the protocol that the client chose with HELLO, in pieces
//! of known size where it can.
//!
//! A command says what it means (a map, a score, nothing); RESP3 has a type for it
//! (<https://github.com/redis/redis-specifications/blob/master/protocol/RESP3.md>), RESP2 gets what
//! it always got.

use core::ops::{Deref, DerefMut};

use hotshell_plugin_api::buffer;

use crate::number::{Decimal, Digits};

/// `+OK`.
pub const OK: &[u8] = b"+OK\r\n";
/// The bulk string that is not there.
pub const NULL: &[u8] = b"$-1\r\n";
/// The array that is not there.
pub const NULL_ARRAY: &[u8] = b"*-1\r\n";

/// What is not there, in RESP3.
const NULL_3: &[u8] = b"_\r\n";

/// Room for a mark, a number and a line break.
const LONGEST_HEAD: usize = 24;

/// The output of one client, and the protocol it is written in.
#[derive(Debug)]
pub struct Out<'a> {
    out: buffer::Out<'a>,
    resp3: bool,
}

impl<'a> Out<'a> {
    /// A writer of RESP3, or of RESP2.
    #[inline(always)]
    pub fn new(out: buffer::Out<'a>, resp3: bool) -> Self {
        Self { out, resp3 }
    }

    /// Whether earlier replies to the client are still to be sent.
    pub fn has_pending(&self) -> bool {
        !self.out.is_empty()
    }

    /// The same writer for a shorter time.
    #[inline(always)]
    pub fn reborrow(&mut self) -> Out<'_> {
        Out { out: self.out.reborrow(), resp3: self.resp3 }
    }

    /// Whether the client speaks RESP3.
    #[inline(always)]
    pub fn is_resp3(&self) -> bool {
        self.resp3
    }

    /// What is written from here on is of this protocol.
    pub fn set_resp3(&mut self, resp3: bool) {
        self.resp3 = resp3;
    }
}

impl<'a> Deref for Out<'a> {
    type Target = buffer::Out<'a>;

    #[inline(always)]
    fn deref(&self) -> &Self::Target {
        &self.out
    }
}

impl DerefMut for Out<'_> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.out
    }
}

/// Replies; the types of RESP3 fall back to those of RESP2.
pub trait Reply {
    /// `+OK`.
    fn ok(&mut self);
    /// A simple string, which holds no line break.
    fn simple(&mut self, text: &str);
    /// An error, with its code as first word. Line breaks in it become spaces.
    fn error(&mut self, text: &str) {
        self.error_bytes(text.as_bytes());
    }
    /// The same of a text that quotes bytes of a request.
    fn error_bytes(&mut self, text: &[u8]);
    /// An integer.
    fn int(&mut self, n: i64);
    /// A bulk string.
    fn bulk(&mut self, bytes: &[u8]);
    /// Nothing, in place of a bulk string.
    fn null(&mut self);
    /// Nothing, in place of an array.
    fn null_array(&mut self);
    /// An integer as a bulk string.
    fn bulk_int(&mut self, n: i64);
    /// The head of an array of `n` elements.
    fn array(&mut self, n: usize);
    /// A bulk string or, when there is none, the null.
    fn bulk_or_null(&mut self, bytes: Option<&[u8]>);
    /// The head of a map of `n` keys, each followed by its value; an array in RESP2.
    fn map(&mut self, n: usize);
    /// The head of a set of `n` members; an array in RESP2.
    fn set(&mut self, n: usize);
    /// The head of a message that answers no request; an array in RESP2.
    fn push(&mut self, n: usize);
    /// The head of an array of `n` pairs. Each begins with [`Reply::pair`].
    fn pairs(&mut self, n: usize);
    /// The head of one pair; nothing in RESP2, where pairs are flat.
    fn pair(&mut self);
    /// The head of a map of `n` keys; in RESP2 an array of `n` pairs, each with a head of its own.
    fn map_of_pairs(&mut self, n: usize);
    /// A float with 17 digits; a bulk string in RESP2.
    fn double(&mut self, n: f64);
    /// A truth; 1 or 0 in RESP2.
    fn truth(&mut self, yes: bool);
    /// A text for people; a bulk string in RESP2.
    fn verbatim(&mut self, text: &[u8]);
}

/// A mark, a number, a line break.
#[inline(always)]
fn head(out: &mut buffer::Out<'_>, mark: u8, n: usize) {
    match n {
        0..10 => out.put(&[mark, b'0' + n as u8, b'\r', b'\n']),
        10..100 => {
            out.put(&[mark, b'0' + (n / 10) as u8, b'0' + (n % 10) as u8, b'\r', b'\n']);
        }
        _ => long_head(out, mark, n as i64),
    }
}

/// A bulk string whose head is longer, with room for all of it taken at once: a large one in an empty
/// buffer gets just what it needs, and moves no pages when the end of its line is written.
fn long_bulk(out: &mut buffer::Out<'_>, bytes: &[u8]) {
    out.reserve(LONGEST_HEAD + bytes.len() + 2);
    long_head(out, b'$', bytes.len() as i64);
    out.put(bytes);
    out.put(b"\r\n");
}

fn long_head(out: &mut buffer::Out<'_>, mark: u8, n: i64) {
    let mut digits = Digits::new();
    let digits = digits.signed(n);
    let mut line = [0; LONGEST_HEAD];
    line[0] = mark;
    line[1..=digits.len()].copy_from_slice(digits);
    line[digits.len() + 1] = b'\r';
    line[digits.len() + 2] = b'\n';
    out.put(&line[..digits.len() + 3]);
}

impl Reply for Out<'_> {
    #[inline]
    fn ok(&mut self) {
        self.put(OK);
    }

    fn simple(&mut self, text: &str) {
        self.put(b"+");
        self.put(text.as_bytes());
        self.put(b"\r\n");
    }

    #[cold]
    fn error_bytes(&mut self, text: &[u8]) {
        let breaks = |byte: &u8| matches!(byte, b'\r' | b'\n');
        let end = text.iter().rposition(|byte| !breaks(byte)).map_or(0, |last| last + 1);
        self.put(b"-");
        for (n, line) in text[..end].split(breaks).enumerate() {
            if n > 0 {
                self.put(b" ");
            }
            self.put(line);
        }
        self.put(b"\r\n");
    }

    #[inline]
    fn int(&mut self, n: i64) {
        match usize::try_from(n) {
            Ok(n) => head(self, b':', n),
            Err(_) => long_head(self, b':', n),
        }
    }

    #[inline]
    fn bulk(&mut self, bytes: &[u8]) {
        const END: &[u8; 2] = b"\r\n";
        let n = bytes.len();
        match n {
            0..10 => self.put_between(&[b'$', b'0' + n as u8, b'\r', b'\n'], bytes, END),
            10..100 => {
                let (tens, ones) = (b'0' + (n / 10) as u8, b'0' + (n % 10) as u8);
                self.put_between(&[b'$', tens, ones, b'\r', b'\n'], bytes, END);
            }
            _ => long_bulk(self, bytes),
        }
    }

    #[inline]
    fn null(&mut self) {
        let null = if self.resp3 { NULL_3 } else { NULL };
        self.put(null);
    }

    #[inline]
    fn null_array(&mut self) {
        let null = if self.resp3 { NULL_3 } else { NULL_ARRAY };
        self.put(null);
    }

    #[inline]
    fn bulk_int(&mut self, n: i64) {
        self.bulk(Digits::new().signed(n));
    }

    #[inline]
    fn array(&mut self, n: usize) {
        head(self, b'*', n);
    }

    #[inline]
    fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    #[inline]
    fn map(&mut self, n: usize) {
        if self.resp3 { head(self, b'%', n) } else { head(self, b'*', n * 2) }
    }

    #[inline]
    fn set(&mut self, n: usize) {
        let mark = if self.resp3 { b'~' } else { b'*' };
        head(self, mark, n);
    }

    #[inline]
    fn push(&mut self, n: usize) {
        let mark = if self.resp3 { b'>' } else { b'*' };
        head(self, mark, n);
    }

    #[inline]
    fn pairs(&mut self, n: usize) {
        let elements = if self.resp3 { n } else { n * 2 };
        head(self, b'*', elements);
    }

    #[inline]
    fn pair(&mut self) {
        if self.resp3 {
            self.array(2);
        }
    }

    #[inline]
    fn map_of_pairs(&mut self, n: usize) {
        if self.resp3 { self.map(n) } else { self.array(n) }
    }

    fn double(&mut self, n: f64) {
        let mut room = Decimal::new();
        let text = room.float(n);
        if self.resp3 {
            self.put(b",");
            self.put(text);
            self.put(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    fn truth(&mut self, yes: bool) {
        match (self.resp3, yes) {
            (true, true) => self.put(b"#t\r\n"),
            (true, false) => self.put(b"#f\r\n"),
            (false, _) => self.int(i64::from(yes)),
        }
    }

    fn verbatim(&mut self, text: &[u8]) {
        if !self.resp3 {
            return self.bulk(text);
        }
        head(self, b'=', text.len() + 4);
        self.put(b"txt:");
        self.put(text);
        self.put(b"\r\n");
    }
}
