//! Floats with a 64-bit mantissa, the `long double` of x86: INCRBYFLOAT answers the same digits as
//! Redis. Numbers whose decimal form is very long or very far from 1 fall back to 53 bits.

/// `mantissa * 2^exponent`, the mantissa's top bit set; zero has mantissa 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extended {
    negative: bool,
    mantissa: u64,
    exponent: i32,
    infinite: bool,
}

/// Digits behind the point in texts.
const DECIMALS: u32 = 17;
/// Most decimal digits that are read exactly.
const EXACT_DIGITS: usize = 37;
/// Most decimal places that are read exactly: `10^38` is below `2^127`.
const EXACT_PLACES: i32 = 38;

impl Extended {
    /// Zero.
    pub const ZERO: Self = Self { negative: false, mantissa: 0, exponent: 0, infinite: false };

    /// Reads a decimal number; the whole text, no spaces, no NaN.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let float = crate::number::parse_f64(text)?;
        Some(Self::parse_exactly(text).unwrap_or_else(|| Self::of_f64(float)))
    }

    fn parse_exactly(text: &[u8]) -> Option<Self> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let e = text.iter().position(|b| b.eq_ignore_ascii_case(&b'e'));
        let (digits, exponent) = match e {
            Some(e) => {
                (&text[..e], core::str::from_utf8(&text[e + 1..]).ok()?.parse::<i32>().ok()?)
            }
            None => (text, 0),
        };
        let point = digits.iter().position(|&b| b == b'.');
        let places = point.map_or(0, |p| (digits.len() - p - 1) as i32);
        if digits.len() > EXACT_DIGITS {
            return None;
        }
        let mut n: u128 = 0;
        for &b in digits.iter().filter(|&&b| b != b'.') {
            n = n * 10 + u128::from(b.checked_sub(b'0').filter(|&d| d <= 9)?);
        }
        let scale = exponent.checked_sub(places)?;
        if n == 0 {
            return Some(Self { negative, ..Self::ZERO });
        }
        if scale >= 0 {
            let n = n.checked_mul(10u128.checked_pow(scale as u32)?)?;
            return Some(Self::round(negative, n, 0, false));
        }
        if -scale > EXACT_PLACES {
            return None;
        }
        let shift = n.leading_zeros();
        let (n, divisor) = (n << shift, 10u128.pow(-scale as u32));
        let (mut quotient, mut rest, mut exponent) = (n / divisor, n % divisor, -(shift as i32));
        // A large divisor leaves few bits: long division gives more, below which `rest` tells on.
        while quotient >> 65 == 0 {
            (quotient, rest, exponent) = (quotient << 1, rest << 1, exponent - 1);
            if rest >= divisor {
                (quotient, rest) = (quotient | 1, rest - divisor);
            }
        }
        Some(Self::round(negative, quotient, exponent, rest != 0))
    }

    fn of_f64(float: f64) -> Self {
        let bits = float.to_bits();
        let (negative, biased) = (float.is_sign_negative(), ((bits >> 52) & 0x7ff) as i32);
        let fraction = bits & ((1 << 52) - 1);
        if biased == 0x7ff {
            return Self { negative, infinite: true, ..Self::ZERO };
        }
        let hidden = if biased == 0 { 0 } else { 1 << 52 };
        Self::round(negative, u128::from(fraction | hidden), biased.max(1) - 1075, false)
    }

    /// `n * 2^exponent`, rounded half to even; `more` when a little was cut off below `n`.
    fn round(negative: bool, n: u128, exponent: i32, more: bool) -> Self {
        if n == 0 {
            return Self { negative, ..Self::ZERO };
        }
        let width = 128 - n.leading_zeros() as i32;
        if width <= 64 {
            let shift = 64 - width;
            let mantissa = (n as u64) << shift;
            return Self { negative, mantissa, exponent: exponent - shift, infinite: false };
        }
        let cut = width - 64;
        let (kept, rest, half) = ((n >> cut) as u64, n & ((1 << cut) - 1), 1u128 << (cut - 1));
        let up = rest > half || (rest == half && (more || kept & 1 == 1));
        match kept.checked_add(u64::from(up)) {
            Some(mantissa) => {
                Self { negative, mantissa, exponent: exponent + cut, infinite: false }
            }
            None => {
                Self { negative, mantissa: 1 << 63, exponent: exponent + cut + 1, infinite: false }
            }
        }
    }

    /// Whether it is neither infinity.
    pub fn is_finite(&self) -> bool {
        !self.infinite
    }

    /// The sum; `None` when it is not a number.
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.infinite || other.infinite {
            let clash = self.infinite && other.infinite && self.negative != other.negative;
            let infinite = if self.infinite { self } else { other };
            return (!clash).then_some(infinite);
        }
        if self.mantissa == 0 {
            return Some(other);
        }
        if other.mantissa == 0 {
            return Some(self);
        }
        let (big, small) =
            if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        let distance = (big.exponent - small.exponent) as u32;
        let high = i128::from(big.mantissa) << 62;
        let wide = u128::from(small.mantissa) << 62;
        let low = if distance > 126 { 0 } else { wide >> distance };
        // What is shifted out still tells below from above the middle.
        let lost = distance > 126 || low << distance != wide;
        let low = low as i128 | i128::from(lost);
        let sign = |n: i128, negative: bool| if negative { -n } else { n };
        let sum = sign(high, big.negative) + sign(low, small.negative);
        Some(Self::round(sum < 0, sum.unsigned_abs(), big.exponent - 62, false))
    }

    /// The number with up to 17 decimals, without zeros at the end: `%.17Lf`, trimmed.
    pub fn to_text(self) -> String {
        let Some((whole, fraction)) = self.split() else {
            let float = self.mantissa as f64 * 2f64.powi(self.exponent);
            return format!("{}{float:.0}", if self.negative { "-" } else { "" });
        };
        let mut text = format!("{whole}.{fraction:0width$}", width = DECIMALS as usize);
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
        if self.negative && text != "0" {
            text.insert(0, '-');
        }
        text
    }

    /// The whole part, and the rest in units of the last decimal; `None` when it is too large.
    fn split(self) -> Option<(u128, u64)> {
        if self.exponent >= 0 {
            let fits = self.exponent <= 64;
            return fits.then(|| (u128::from(self.mantissa) << self.exponent, 0));
        }
        let below = -self.exponent as u32;
        if below >= 128 {
            return Some((0, 0));
        }
        let (mantissa, unit) = (u128::from(self.mantissa), 10u128.pow(DECIMALS));
        let (whole, part) = (mantissa >> below, mantissa & ((1 << below) - 1));
        let scaled = part * unit;
        let (kept, rest, half) = (scaled >> below, scaled & ((1 << below) - 1), 1 << (below - 1));
        let kept = kept + u128::from(rest > half || (rest == half && kept & 1 == 1));
        if kept == unit { Some((whole + 1, 0)) } else { Some((whole, kept as u64)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(a: &str, b: &str) -> String {
        let read = |text: &str| Extended::parse(text.as_bytes()).unwrap();
        read(a).plus(read(b)).unwrap().to_text()
    }

    #[test]
    fn sums_are_those_of_a_long_double() {
        assert_eq!(sum("10.50", "0.1"), "10.6");
        assert_eq!(sum("0.1", "0.2"), "0.3");
        assert_eq!(sum("5.0e3", "2.0e2"), "5200");
        assert_eq!(sum("3", "-5"), "-2");
        assert_eq!(sum("1.5", "-1.5"), "0");
        assert_eq!(sum("17179869184", "0.1"), "17179869184.09999999962747097");
        assert_eq!(sum("0", "1e-17"), "0.00000000000000001");
        assert_eq!(sum("-0.00000000000000000001", "0"), "0");
        assert_eq!(sum("9223372036854775807", "1"), "9223372036854775808");
        assert_eq!(sum("3.19223372036854775807", "0.000001"), "3.19223472036854776");
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", " 1", "1 ", "x", "1.2.3", "nan"] {
            assert_eq!(Extended::parse(text.as_bytes()), None, "{text}");
        }
        assert!(!Extended::parse(b"inf").unwrap().is_finite());
    }
}
