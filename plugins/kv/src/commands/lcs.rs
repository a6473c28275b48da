//! LCS: the longest common subsequence of two strings.

use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::READ;
use crate::number::Digits;
use crate::reply::Reply;
use crate::resp::MAX_BULK;
use crate::table::{Keys, rows, v};

const TWO_KEYS: Keys = (1, 2, 1);

rows! { String:
    "lcs", -3, READ, TWO_KEYS, v(7, 0), lcs,
        "O(N*M) where N and M are the lengths of s1 and s2, respectively",
        "Finds the longest common substring.";
}

#[derive(Default)]
struct Options {
    length: bool,
    index: bool,
    with_lengths: bool,
    shortest: i64,
}

impl Options {
    fn read(args: &[&[u8]]) -> Result<Self, &'static str> {
        let mut all = Self::default();
        let mut rest = args;
        while let Some((&word, more)) = rest.split_first() {
            rest = more;
            match more {
                _ if is(word, "idx") => all.index = true,
                _ if is(word, "len") => all.length = true,
                _ if is(word, "withmatchlen") => all.with_lengths = true,
                [number, more @ ..] if is(word, "minmatchlen") => {
                    all.shortest = int(number)?;
                    rest = more;
                }
                _ => return Err(errors::SYNTAX),
            }
        }
        if all.index && all.length {
            return Err("ERR If you want both the length and indexes, please just use IDX.");
        }
        Ok(all)
    }
}

/// The lengths of the common subsequences of all beginnings of two strings.
struct Lengths {
    table: Vec<u32>,
    width: usize,
}

impl Lengths {
    /// Fills the table. O(n * m) in time and memory.
    fn of(a: &[u8], b: &[u8]) -> Result<Self, &'static str> {
        let width = b.len() + 1;
        let size = (a.len() + 1).checked_mul(width).filter(|n| *n <= MAX_BULK as usize / 4);
        let size = size.ok_or(
            "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        )?;
        let mut all = Self { table: vec![0; size], width };
        for i in 1..=a.len() {
            for j in 1..=b.len() {
                all.table[i * width + j] = if a[i - 1] == b[j - 1] {
                    all.at(i - 1, j - 1) + 1
                } else {
                    all.at(i - 1, j).max(all.at(i, j - 1))
                };
            }
        }
        Ok(all)
    }

    fn at(&self, i: usize, j: usize) -> u32 {
        self.table[i * self.width + j]
    }
}

/// A common part: where it starts in both strings, and where it ends in both.
#[derive(Clone, Copy)]
struct Part {
    start: (usize, usize),
    end: (usize, usize),
}

impl Part {
    fn len(&self) -> usize {
        self.end.0 - self.start.0 + 1
    }
}

fn lcs(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (a, b) = (text(cx, args[1])?, text(cx, args[2])?);
    let options = Options::read(&args[3..])?;
    let lengths = Lengths::of(&a, &b)?;
    let len = lengths.at(a.len(), b.len());
    if options.length {
        cx.out.int(i64::from(len));
        return Ok(());
    }
    let (common, parts) = trace(&a, &b, &lengths);
    if !options.index {
        cx.out.bulk(&common);
        return Ok(());
    }
    let long = |part: &&Part| options.shortest <= 0 || part.len() as i64 >= options.shortest;
    let parts: Vec<&Part> = parts.iter().filter(long).collect();
    cx.out.map(2);
    cx.out.bulk(b"matches");
    cx.out.array(parts.len());
    for part in parts {
        cx.out.array(if options.with_lengths { 3 } else { 2 });
        for (start, end) in [(part.start.0, part.end.0), (part.start.1, part.end.1)] {
            cx.out.array(2);
            cx.out.int(start as i64);
            cx.out.int(end as i64);
        }
        if options.with_lengths {
            cx.out.int(part.len() as i64);
        }
    }
    cx.out.bulk(b"len");
    cx.out.int(i64::from(len));
    Ok(())
}

fn text(cx: &mut Cx<'_>, key: &[u8]) -> Result<Vec<u8>, &'static str> {
    let mut digits = Digits::new();
    match cx.get(key) {
        None => Ok(Vec::new()),
        Some(value) => match value.text(&mut digits) {
            Some(text) => Ok(text.to_vec()),
            None => Err("ERR The specified keys must contain string values"),
        },
    }
}

/// Walks the table back from its end, as Redis does: the subsequence, and its parts last first.
fn trace(a: &[u8], b: &[u8], lengths: &Lengths) -> (Vec<u8>, Vec<Part>) {
    let (mut i, mut j) = (a.len(), b.len());
    let (mut common, mut parts, mut open) = (Vec::new(), Vec::new(), None::<Part>);
    while i > 0 && j > 0 {
        let here = (i - 1, j - 1);
        let ends = if a[i - 1] == b[j - 1] {
            common.push(a[i - 1]);
            let broken = match &mut open {
                None => {
                    open = Some(Part { start: here, end: here });
                    false
                }
                Some(part) if part.start == (i, j) => {
                    part.start = here;
                    false
                }
                Some(_) => true,
            };
            (i, j) = here;
            broken || open.is_some_and(|part| part.start.0 == 0 || part.start.1 == 0)
        } else {
            if lengths.at(i - 1, j) > lengths.at(i, j - 1) {
                i -= 1
            } else {
                j -= 1
            }
            open.is_some()
        };
        if ends {
            parts.extend(open.take());
        }
    }
    common.reverse();
    (common, parts)
}
