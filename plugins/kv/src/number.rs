//! Numbers to text and back, as strict as Redis and without `fmt`.

/// Room for any 64-bit integer in decimal.
#[derive(Debug)]
pub struct Digits {
    bytes: [u8; 20],
}

const PAIRS: &[u8; 200] = b"0001020304050607080910111213141516171819\
2021222324252627282930313233343536373839\
4041424344454647484950515253545556575859\
6061626364656667686970717273747576777879\
8081828384858687888990919293949596979899";

impl Digits {
    /// Room, not yet filled.
    #[inline(always)]
    pub const fn new() -> Self {
        Self { bytes: [0; 20] }
    }

    /// The number in decimal.
    #[inline]
    pub fn signed(&mut self, n: i64) -> &[u8] {
        let mut at = self.fill(n.unsigned_abs());
        if n < 0 {
            at -= 1;
            self.bytes[at] = b'-';
        }
        &self.bytes[at..]
    }

    /// The number in decimal.
    #[inline]
    pub fn unsigned(&mut self, n: u64) -> &[u8] {
        let at = self.fill(n);
        &self.bytes[at..]
    }

    #[inline(always)]
    fn fill(&mut self, mut n: u64) -> usize {
        let mut at = self.bytes.len();
        while n >= 100 {
            let pair = (n % 100) as usize * 2;
            n /= 100;
            at -= 2;
            self.bytes[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        }
        if n >= 10 {
            let pair = n as usize * 2;
            at -= 2;
            self.bytes[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
        } else {
            at -= 1;
            self.bytes[at] = b'0' + n as u8;
        }
        at
    }
}

impl Default for Digits {
    fn default() -> Self {
        Self::new()
    }
}

/// Reads an integer as Redis' `string2ll`: no spaces, no plus, no leading zeros, no `-0`.
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut n: u64 = 0;
    for &b in digits {
        let digit = b.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Nineteen digits fit into 64 bits.
        n = n * 10 + u64::from(digit);
    }
    if negative { (n <= 1 << 63).then(|| (n as i64).wrapping_neg()) } else { i64::try_from(n).ok() }
}

/// Reads an unsigned integer of any form that C's `strtoull` takes whole: for SCAN's cursor.
pub fn parse_cursor(text: &[u8]) -> Option<u64> {
    let text = text.strip_prefix(b"+").unwrap_or(text);
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads a float as Redis does with `strtod`: whole text, no spaces around it, no NaN; infinity is a
/// value.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    if text.is_empty() || !text.iter().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b)) {
        return None;
    }
    let n: f64 = core::str::from_utf8(text).ok()?.parse().ok()?;
    (!n.is_nan()).then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_go_there_and_back() {
        let mut digits = Digits::new();
        for n in [0, 1, 9, 10, 99, 100, 12345, -1, -10, i64::MAX, i64::MIN, 1_000_000_007] {
            let text = digits.signed(n).to_vec();
            assert_eq!(text, n.to_string().as_bytes());
            assert_eq!(parse_i64(&text), Some(n));
        }
        assert_eq!(digits.unsigned(u64::MAX), b"18446744073709551615");
    }

    #[test]
    fn what_is_not_quite_an_integer_is_refused() {
        for text in ["", "-", "+1", "01", "-0", " 1", "1 ", "1.0", "9223372036854775808", "0x1"] {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_i64(b"-9223372036854775809"), None);
    }

    #[test]
    fn floats() {
        assert_eq!(parse_f64(b"1e3"), Some(1000.0));
        assert_eq!(parse_f64(b"inf"), Some(f64::INFINITY));
        assert_eq!(parse_f64(b" 1"), None);
        assert_eq!(parse_f64(b"nan"), None);
        assert_eq!(parse_f64(b""), None);
    }
}
