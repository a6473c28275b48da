//! BITFIELD and BITFIELD_RO: integers of any width in a string.

use super::bits::{grown, most};
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{READ_FAST, WRITE};
use crate::notify;
use crate::number::{self, Digits};
use crate::reply::Reply;
use crate::table::{ONE_KEY, rows, v};
use crate::value::Kind;

rows! { Bitmap:
    "bitfield", -2, WRITE, ONE_KEY, v(3, 2), bitfield,
        "O(1) for each subcommand specified",
        "Performs arbitrary bitfield integer operations on strings.";
    "bitfield_ro", -2, READ_FAST, ONE_KEY, v(6, 0), bitfield_ro,
        "O(1) for each subcommand specified",
        "Performs arbitrary read-only bitfield integer operations on strings.";
}

/// What becomes of a number that does not fit.
#[derive(Debug, Clone, Copy)]
enum Overflow {
    Wrap,
    Saturate,
    Fail,
}

/// An integer's shape and place.
#[derive(Debug, Clone, Copy)]
struct Field {
    signed: bool,
    bits: u32,
    at: usize,
}

#[derive(Debug, Clone, Copy)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

type Step = (Field, Action, Overflow);

fn bitfield(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let steps = read(&args[2..], most(cx))?;
    run(cx, args[1], &steps)
}

fn bitfield_ro(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let steps = read(&args[2..], most(cx))?;
    if steps.iter().any(|(_, action, _)| !matches!(action, Action::Get)) {
        return Err("ERR BITFIELD_RO only supports the GET subcommand");
    }
    run(cx, args[1], &steps)
}

fn read(words: &[&[u8]], most: u64) -> Result<Vec<Step>, &'static str> {
    let (mut steps, mut overflow, mut rest) = (Vec::new(), Overflow::Wrap, words);
    while !rest.is_empty() {
        rest = match *rest {
            [word, kind, ref more @ ..] if is(word, "overflow") => {
                overflow = match kind {
                    word if is(word, "wrap") => Overflow::Wrap,
                    word if is(word, "sat") => Overflow::Saturate,
                    word if is(word, "fail") => Overflow::Fail,
                    _ => return Err("ERR Invalid OVERFLOW type specified"),
                };
                more
            }
            [word, kind, at, ref more @ ..] if is(word, "get") => {
                steps.push((Field::read(kind, at, most)?, Action::Get, overflow));
                more
            }
            [word, kind, at, n, ref more @ ..] if is(word, "set") || is(word, "incrby") => {
                let field = Field::read(kind, at, most)?;
                let n = int(n)?;
                let action = if is(word, "set") { Action::Set(n) } else { Action::Add(n) };
                steps.push((field, action, overflow));
                more
            }
            _ => return Err(errors::SYNTAX),
        };
    }
    Ok(steps)
}

impl Field {
    fn read(kind: &[u8], at: &[u8], end: u64) -> Result<Self, &'static str> {
        const TYPE: &str = "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";
        const OFFSET: &str = "ERR bit offset is not an integer or out of range";
        let (signed, width) = match kind {
            [b'i', rest @ ..] => (true, rest),
            [b'u', rest @ ..] => (false, rest),
            _ => return Err(TYPE),
        };
        let most = if signed { 64 } else { 63 };
        let bits = number::parse_i64(width).filter(|n| (1..=most).contains(n)).ok_or(TYPE)?;
        let (factor, at) = match at {
            [b'#', rest @ ..] => (bits, rest),
            _ => (1, at),
        };
        let at = number::parse_i64(at).and_then(|n| n.checked_mul(factor)).ok_or(OFFSET)?;
        let at = u64::try_from(at).ok().filter(|&n| n < end).ok_or(OFFSET)?;
        Ok(Self { signed, bits: bits as u32, at: at as usize })
    }

    /// Bytes that a string has that holds the field.
    fn end(&self) -> usize {
        (self.at + self.bits as usize).div_ceil(8)
    }

    fn get(&self, text: &[u8]) -> i64 {
        let mut n: u64 = 0;
        for bit in self.at..self.at + self.bits as usize {
            let on = text.get(bit / 8).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0);
            n = n << 1 | u64::from(on);
        }
        let unused = 64 - self.bits;
        if self.signed { ((n << unused) as i64) >> unused } else { n as i64 }
    }

    fn set(&self, text: &mut [u8], n: i64) {
        for i in 0..self.bits as usize {
            let (bit, on) = (self.at + i, n >> (self.bits as usize - 1 - i) & 1 == 1);
            let mask = 0x80 >> (bit % 8);
            if on { text[bit / 8] |= mask } else { text[bit / 8] &= !mask }
        }
    }

    /// What is kept of `value + incr`; `None` when it does not fit and must. The comparisons wrap where
    /// those of Redis do (`checkSignedBitfieldOverflow`), so that the odd cases come out as there.
    fn fit(&self, value: i64, incr: i64, overflow: Overflow) -> Option<i64> {
        let (over, under, min, max) = if self.signed {
            let max = i64::MAX >> (64 - self.bits);
            let min = -max - 1;
            let (most, least) = (max.wrapping_sub(value), min.wrapping_sub(value));
            let narrow = self.bits != 64;
            let over = value > max || (incr > most && (narrow || (value >= 0 && incr > 0)));
            let under = value < min || (incr < least && (narrow || (value < 0 && incr < 0)));
            (over, under, min, max)
        } else {
            let max = (1u64 << self.bits) - 1;
            let over =
                value as u64 > max || (incr > 0 && incr > max.wrapping_sub(value as u64) as i64);
            (over, incr < 0 && incr < value.wrapping_neg(), 0, max as i64)
        };
        match overflow {
            _ if !over && !under => Some(value.wrapping_add(incr)),
            Overflow::Fail => None,
            Overflow::Saturate => Some(if over { max } else { min }),
            Overflow::Wrap => {
                let (sum, unused) = (value.wrapping_add(incr), 64 - self.bits);
                let kept = (sum as u64) << unused;
                Some(if self.signed { kept as i64 >> unused } else { (kept >> unused) as i64 })
            }
        }
    }
}

fn run(cx: &mut Cx<'_>, key: &[u8], steps: &[Step]) -> Outcome {
    let writes = steps.iter().filter(|(_, action, _)| !matches!(action, Action::Get));
    let end = writes.map(|(field, ..)| field.end()).max();
    if end.is_none() {
        cx.mark.looks();
    }
    cx.find(key, Kind::String)?;
    let mut shorter = false;
    if let Some(end) = end {
        shorter = grown(cx, key, end)?.1;
    }
    cx.out.array(steps.len());
    let mut changed = false;
    for &(field, action, overflow) in steps {
        let mut digits = Digits::new();
        let value = cx.state.dbs[cx.session.db as usize].keys.get(key);
        let text = value.and_then(|value| value.text(&mut digits)).unwrap_or_default();
        let old = field.get(text);
        let (new, reply) = match action {
            Action::Get => (None, Some(old)),
            Action::Set(n) => {
                let new = field.fit(n, 0, overflow);
                (new, new.map(|_| old))
            }
            Action::Add(n) => {
                let new = field.fit(old, n, overflow);
                (new, new)
            }
        };
        if let Some(new) = new {
            field.set(grown(cx, key, field.end())?.0, new);
            changed |= shorter || new != old;
        }
        match reply {
            Some(n) => cx.out.int(n),
            None => cx.out.null(),
        }
    }
    // Redis 4 tells of every write, also of one that failed.
    if changed || (end.is_some() && !cx.has(v(7, 0))) {
        cx.event(key, notify::STRING, "setbit");
    }
    Ok(())
}
