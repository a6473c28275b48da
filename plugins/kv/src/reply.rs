//! Writes replies of RESP2 into a client's output, in pieces of known size where it can.

use hotshell_plugin_api::buffer::Out;

use crate::number::Digits;

/// `+OK`.
pub const OK: &[u8] = b"+OK\r\n";
/// The bulk string that is not there.
pub const NULL: &[u8] = b"$-1\r\n";
/// The array that is not there.
pub const NULL_ARRAY: &[u8] = b"*-1\r\n";
/// An array of no elements.
pub const EMPTY_ARRAY: &[u8] = b"*0\r\n";

/// The replies of RESP2.
pub trait Reply {
    /// `+OK`.
    fn ok(&mut self);
    /// A simple string, which holds no line break.
    fn simple(&mut self, text: &str);
    /// An error, with its code as first word. Line breaks in it become spaces.
    fn error(&mut self, text: &str);
    /// An integer.
    fn int(&mut self, n: i64);
    /// A bulk string.
    fn bulk(&mut self, bytes: &[u8]);
    /// The bulk string that is not there.
    fn null(&mut self);
    /// An integer as a bulk string.
    fn bulk_int(&mut self, n: i64);
    /// The head of an array of `n` elements.
    fn array(&mut self, n: usize);
    /// A bulk string or, when there is none, the null.
    fn bulk_or_null(&mut self, bytes: Option<&[u8]>);
}

/// A mark, a number, a line break.
#[inline(always)]
fn head(out: &mut Out<'_>, mark: u8, n: usize) {
    match n {
        0..10 => out.put(&[mark, b'0' + n as u8, b'\r', b'\n']),
        10..100 => {
            out.put(&[mark, b'0' + (n / 10) as u8, b'0' + (n % 10) as u8, b'\r', b'\n']);
        }
        _ => long_head(out, mark, n as i64),
    }
}

fn long_head(out: &mut Out<'_>, mark: u8, n: i64) {
    let mut digits = Digits::new();
    let digits = digits.signed(n);
    let mut line = [0; 24];
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
    fn error(&mut self, text: &str) {
        self.put(b"-");
        if text.contains(['\r', '\n']) {
            self.put(text.trim_end_matches(['\r', '\n']).replace(['\r', '\n'], " ").as_bytes());
        } else {
            self.put(text.as_bytes());
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
        head(self, b'$', bytes.len());
        self.put(bytes);
        self.put(b"\r\n");
    }

    #[inline]
    fn null(&mut self) {
        self.put(NULL);
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
}
