//! Numbers to text and back, as strict as Redis and without `fmt`.

use core::fmt::{self, Write};

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

/// Room for any number in decimal.
#[derive(Debug)]
pub struct Decimal {
    digits: Digits,
    bytes: [u8; 32],
    len: usize,
}

/// Integers below this are written without an exponent by `%.17g`.
const PLAIN: f64 = 1e17;

impl Decimal {
    /// Room, not yet filled.
    pub const fn new() -> Self {
        Self { digits: Digits::new(), bytes: [0; 32], len: 0 }
    }

    /// The integer in decimal.
    pub fn integer(&mut self, n: i64) -> &[u8] {
        self.digits.signed(n)
    }

    /// The float with 17 digits: C's `%.17g`.
    pub fn float(&mut self, n: f64) -> &[u8] {
        if n.fract() == 0.0 && n.abs() < PLAIN && !(n == 0.0 && n.is_sign_negative()) {
            return self.digits.signed(n as i64);
        }
        if !n.is_finite() {
            return if n > 0.0 { b"inf" } else { b"-inf" };
        }
        self.len = 0;
        // Cannot fail: 24 bytes are the most.
        let _ = write!(self, "{n:.16e}");
        let text = self.bytes;
        let e = text[..self.len].iter().position(|&b| b == b'e').unwrap_or(self.len);
        let exponent = core::str::from_utf8(&text[e + 1..self.len]).ok();
        let exponent = exponent.and_then(|text| text.parse::<i32>().ok()).unwrap_or(0);
        let (sign, digits) = if text[0] == b'-' { (&text[..1], 1) } else { (&text[..0], 0) };
        // One digit, the point, sixteen digits.
        let mut mantissa = [0; 17];
        mantissa[0] = text[digits];
        mantissa[1..].copy_from_slice(&text[digits + 2..e]);
        let used = mantissa.iter().rposition(|&b| b != b'0').map_or(1, |last| last + 1);
        self.len = 0;
        self.push(sign);
        self.place(&mantissa, used, exponent);
        &self.bytes[..self.len]
    }

    /// Writes digits, of which the first `used` count, as `%g` does.
    fn place(&mut self, mantissa: &[u8; 17], used: usize, exponent: i32) {
        match exponent {
            0..17 => {
                let whole = exponent as usize + 1;
                self.push(&mantissa[..whole]);
                if used > whole {
                    self.push(b".");
                    self.push(&mantissa[whole..used]);
                }
            }
            -4..0 => {
                self.push(&b"0.000"[..(1 - exponent) as usize]);
                self.push(&mantissa[..used]);
            }
            _ => {
                self.push(&mantissa[..1]);
                if used > 1 {
                    self.push(b".");
                    self.push(&mantissa[1..used]);
                }
                let _ =
                    write!(self, "e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
            }
        }
    }

    fn push(&mut self, text: &[u8]) {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
    }
}

impl Default for Decimal {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Decimal {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.len + text.len() > self.bytes.len() {
            return Err(fmt::Error);
        }
        self.push(text.as_bytes());
        Ok(())
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
    let n: f64 = match core::str::from_utf8(text).ok()?.parse() {
        Ok(n) => n,
        Err(_) => parse_hexadecimal(text)?,
    };
    (!n.is_nan()).then_some(n)
}

/// Reads a float of C's form `0x1.8p-3`: hexadecimal digits, and a power of two.
#[cold]
fn parse_hexadecimal(text: &[u8]) -> Option<f64> {
    /// So many digits are all of a float, and one more bit says whether others follow.
    const DIGITS: u32 = 15;
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let [b'0', b'x' | b'X', digits @ ..] = text else { return None };
    let (digits, power) = match digits.iter().position(|b| b.eq_ignore_ascii_case(&b'p')) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let power = match power {
        Some(power) => core::str::from_utf8(power).ok()?.parse::<i32>().ok()?,
        None => 0,
    };
    let (mut mantissa, mut used, mut exponent, mut behind_point) = (0u64, 0, 0i32, false);
    let mut any = false;
    for &b in digits {
        if b == b'.' && !behind_point {
            behind_point = true;
            continue;
        }
        let digit = u64::from(char::from(b).to_digit(16)?);
        any = true;
        if used < DIGITS {
            mantissa = mantissa << 4 | digit;
            used += u32::from(mantissa > 0);
            exponent -= if behind_point { 4 } else { 0 };
        } else {
            mantissa |= u64::from(digit > 0);
            exponent += if behind_point { 0 } else { 4 };
        }
    }
    let n = scaled(mantissa as f64, exponent.saturating_add(power));
    any.then_some(if negative { -n } else { n })
}

/// A float times a power of two. In two steps, since the power alone may be none.
fn scaled(n: f64, power: i32) -> f64 {
    if n == 0.0 {
        return n;
    }
    let power = power.clamp(-2200, 2200);
    n * 2f64.powi(power / 2) * 2f64.powi(power - power / 2)
}

/// Digits and nothing else, few enough to be exact as a float, whatever they begin with.
fn parse_digits(text: &[u8]) -> Option<u64> {
    const MOST: usize = 15;
    let fits = (1..=MOST).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    fits.then(|| text.iter().fold(0, |n, &digit| n * 10 + u64::from(digit - b'0')))
}

/// [`parse_f64`] for scores: what is too large or too small for a float is refused, as C's `ERANGE`.
pub fn parse_score(text: &[u8]) -> Option<f64> {
    if let Some(n) = parse_digits(text) {
        return Some(n as f64);
    }
    let n = parse_f64(text)?;
    let mantissa = text.split(|b| b.eq_ignore_ascii_case(&b'e')).next()?;
    let named = text.iter().any(|b| b.eq_ignore_ascii_case(&b'n'));
    let lost = n == 0.0 && mantissa.iter().any(|b| (b'1'..=b'9').contains(b));
    ((n.is_finite() || named) && !lost).then_some(n)
}

/// Bytes with a unit: `100`, `1k`, `2mb`, `1gb`. As Redis' `memtoull`, nothing is 0, and too much is as
/// much as there can be.
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let factor: u64 = match text[digits..].to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    let digit = |n: u64, b: &u8| n.saturating_mul(10).saturating_add(u64::from(b - b'0'));
    Some(text[..digits].iter().fold(0, digit).saturating_mul(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_read_in_hexadecimal_too() {
        for (text, n) in [
            ("0x10", 16.0),
            ("-0X1.8p1", -3.0),
            ("+0x.8", 0.5),
            ("0x1p-1074", 5e-324),
            ("0x1.fffffffffffffp1023", f64::MAX),
            ("0x1p1024", f64::INFINITY),
            ("0x20000000000001000", 36_893_488_147_419_107_328.0),
            ("0x0p99999", 0.0),
            ("0x1p-99999", 0.0),
        ] {
            assert_eq!(parse_f64(text.as_bytes()), Some(n), "{text}");
        }
        for text in ["0x", "0x.", "0xp1", "0x1p", "0x1.2.3", "1x0", "0xg", "x10", "--0x1"] {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
        }
    }

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
    fn floats_have_seventeen_digits() {
        let table = [
            (0.1, "0.10000000000000001"),
            (1.0, "1"),
            (-2.5, "-2.5"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5000000000000001e+300"),
            (0.0001, "0.0001"),
            (0.001234, "0.0012340000000000001"),
            (0.00001, "1.0000000000000001e-05"),
            (-0.0, "-0"),
            (123456.789, "123456.789"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
        ];
        for (n, text) in table {
            assert_eq!(core::str::from_utf8(Decimal::new().float(n)), Ok(text));
        }
        assert_eq!(parse_score(b"000000000042"), Some(42.0));
        assert_eq!(parse_score(b"999999999999999"), Some(999_999_999_999_999.0));
        assert_eq!(parse_score(b"9007199254740993"), Some(9_007_199_254_740_992.0));
        assert_eq!(parse_score(b""), None);
        assert_eq!(parse_score(b"1e400"), None);
        assert_eq!(parse_score(b"1e-400"), None);
        assert_eq!(parse_score(b"0e5"), Some(0.0));
        assert_eq!(parse_score(b"-inf"), Some(f64::NEG_INFINITY));
    }

    #[test]
    fn floats() {
        assert_eq!(parse_f64(b"1e3"), Some(1000.0));
        assert_eq!(parse_f64(b"inf"), Some(f64::INFINITY));
        assert_eq!(parse_f64(b" 1"), None);
        assert_eq!(parse_f64(b"nan"), None);
        assert_eq!(parse_f64(b""), None);
    }

    #[test]
    fn memory_has_units() {
        assert_eq!(parse_memory(b"100"), Some(100));
        assert_eq!(parse_memory(b"1k"), Some(1000));
        assert_eq!(parse_memory(b"2MB"), Some(2 << 20));
        assert_eq!(parse_memory(b""), Some(0));
        assert_eq!(parse_memory(b"99999999999999999999gb"), Some(u64::MAX));
        assert_eq!(parse_memory(b"-1"), None);
        assert_eq!(parse_memory(b"1tb"), None);
    }
}
