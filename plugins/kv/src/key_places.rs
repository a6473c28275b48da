//! Which arguments of a request are keys, also where that depends on the arguments.

use crate::cx::is;
use crate::table::Row;

/// How keys are found that a row's triple cannot tell.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Behind the argument at this place as many as it says, and those of the row's triple.
    Counted(usize),
    /// Behind STREAMS, the first half of the rest.
    Streams,
    /// That of the row's triple or, where it is empty, all behind this word among the options from this
    /// place on.
    Behind(&'static str, usize),
    /// Those of the row's triple, and a target among the options.
    Stored(Target),
}

/// Where options name a target: behind one of some words, of which the last one counts.
#[derive(Debug, Clone, Copy)]
struct Target {
    words: &'static [&'static str],
    /// The place of the first option.
    from: usize,
    /// Options that take arguments, which are no words then.
    values: &'static [(&'static str, usize)],
    /// Whether a target can be one of the words.
    ends: bool,
}

/// The place of MIGRATE's first option.
pub const MIGRATE_OPTIONS: usize = 6;

/// Of GEORADIUS.
const GEO: Target = Target { words: &["store", "storedist"], from: 6, values: &[], ends: true };
/// Of GEORADIUSBYMEMBER.
const GEO_BY_MEMBER: Target = Target { from: 5, ..GEO };
/// Of SORT.
const SORT: Target = Target {
    words: &["store"],
    from: 2,
    values: &[("limit", 2), ("get", 1), ("by", 1)],
    ends: false,
};

const RULES: &[(&str, Rule)] = &[
    ("blmpop", Rule::Counted(2)),
    ("bzmpop", Rule::Counted(2)),
    ("eval", Rule::Counted(2)),
    ("eval_ro", Rule::Counted(2)),
    ("evalsha", Rule::Counted(2)),
    ("evalsha_ro", Rule::Counted(2)),
    ("fcall", Rule::Counted(2)),
    ("fcall_ro", Rule::Counted(2)),
    ("georadius", Rule::Stored(GEO)),
    ("georadiusbymember", Rule::Stored(GEO_BY_MEMBER)),
    ("lmpop", Rule::Counted(1)),
    ("migrate", Rule::Behind("keys", MIGRATE_OPTIONS)),
    ("sintercard", Rule::Counted(1)),
    ("sort", Rule::Stored(SORT)),
    ("sort_ro", Rule::Stored(Target { words: &[], ..SORT })),
    ("xread", Rule::Streams),
    ("xreadgroup", Rule::Streams),
    ("zdiff", Rule::Counted(1)),
    ("zdiffstore", Rule::Counted(2)),
    ("zinter", Rule::Counted(1)),
    ("zintercard", Rule::Counted(1)),
    ("zinterstore", Rule::Counted(2)),
    ("zmpop", Rule::Counted(1)),
    ("zunion", Rule::Counted(1)),
    ("zunionstore", Rule::Counted(2)),
];

fn rule(row: &Row) -> Option<Rule> {
    RULES.iter().find(|(name, _)| *name == row.name).map(|&(_, rule)| rule)
}

/// Whether the places of a command's keys depend on its arguments.
pub fn are_movable(row: &Row) -> bool {
    rule(row).is_some()
}

/// The keys of a request, in its order; `None` when the arguments make no sense.
pub fn keys<'a>(row: &Row, args: &[&'a [u8]]) -> Option<Vec<&'a [u8]>> {
    match rule(row) {
        None => Some(fixed(row, args)),
        Some(Rule::Counted(at)) => {
            let count = leading_number(args.get(at)?)?;
            let keys = args.get(at + 1..)?.get(..count).filter(|keys| !keys.is_empty())?;
            let mut all = fixed(row, args);
            all.extend(keys);
            Some(all)
        }
        Some(Rule::Streams) => {
            let at = args.iter().position(|word| is(word, "streams"))?;
            let rest = args[at + 1..].len();
            (rest > 0 && rest.is_multiple_of(2)).then(|| args[at + 1..][..rest / 2].to_vec())
        }
        Some(Rule::Behind(word, from)) => {
            let key = fixed(row, args);
            let at = (from..args.len()).find(|&at| is(args[at], word));
            let instead = at.filter(|_| key.iter().all(|key| key.is_empty()));
            Some(instead.map_or(key, |at| args[at + 1..].to_vec()))
        }
        Some(Rule::Stored(target)) => {
            let mut all = fixed(row, args);
            all.extend(target.find(args));
            Some(all)
        }
    }
}

impl Target {
    fn find<'a>(&self, args: &[&'a [u8]]) -> Option<&'a [u8]> {
        let (mut at, mut found) = (self.from, None);
        while let Some(&word) = args.get(at) {
            at += 1;
            if let Some((_, count)) = self.values.iter().find(|(name, _)| is(word, name)) {
                at += count;
            } else if self.words.iter().any(|name| is(word, name)) && at < args.len() {
                found = Some(args[at]);
                at += usize::from(self.ends);
            }
        }
        found
    }
}

/// The number at the front of a text, as C's `atoi`; `None` when it is negative.
fn leading_number(text: &[u8]) -> Option<usize> {
    let text = text.trim_ascii_start();
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let end = digits.iter().position(|b| !b.is_ascii_digit()).unwrap_or(digits.len());
    let number = core::str::from_utf8(&digits[..end]).ok()?.parse();
    if digits.starts_with(b"-") { None } else { Some(number.unwrap_or(usize::from(end > 0))) }
}

/// The keys that the row's triple names.
fn fixed<'a>(row: &Row, args: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let (first, last, step) = row.keys;
    if first == 0 {
        return Vec::new();
    }
    let last = if last < 0 { args.len() as i64 + i64::from(last) } else { i64::from(last) };
    let places = (i64::from(first)..=last).step_by(step as usize);
    places.filter_map(|n| args.get(n as usize).copied()).collect()
}
