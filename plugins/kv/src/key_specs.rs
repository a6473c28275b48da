//! Which arguments of a request are keys, and what is done with each: by the specifications that the
//! manual has of a command, as Redis follows them (`getKeysUsingKeySpecs`).

use crate::cx::is;
use crate::key_places;
use crate::manual::{Page, Tree};
use crate::number::parse_i64;
use crate::table::Row;

/// A key, and what is done with it in Redis' words.
pub type Key<'a> = (&'a [u8], Vec<&'static str>);

/// What a specification says of itself, not of the key.
const NO_USES: [&str; 3] = ["variable_flags", "incomplete", "not_key"];
/// What a key is to a command that reads it and may write it.
const READ_AND_UPDATE: &[&str] = &["RW", "access", "update"];

/// Whether the manual knows of keys.
pub fn has_keys(page: Page<'static>) -> bool {
    specs(page).iter().any(|spec| !flags(spec).contains(&"not_key"))
}

/// The keys of a request, in the order of the specifications; `None` when the arguments make no sense.
pub fn keys<'a>(row: &Row, page: Page<'static>, args: &[&'a [u8]]) -> Option<Vec<Key<'a>>> {
    let specs = specs(page);
    match by_arguments(row.name, args) {
        Some(uses) => Some(vec![(*args.get(1)?, uses.to_vec())]),
        None => by_specs(&specs, args).or_else(|| by_places(row, &specs, args)),
    }
    .filter(|keys| !keys.is_empty())
}

fn specs(page: Page<'static>) -> Vec<Tree<'static>> {
    match page.get("keys") {
        Some(Tree::Set(specs) | Tree::Array(specs)) => specs,
        _ => Vec::new(),
    }
}

/// Of commands whose options decide what becomes of their one key.
fn by_arguments(name: &str, args: &[&[u8]]) -> Option<&'static [&'static str]> {
    let rest = args.get(3..).unwrap_or_default();
    match name {
        "set" if rest.iter().any(|word| is(word, "get")) => Some(READ_AND_UPDATE),
        "set" => Some(&["OW", "update"]),
        "bitfield" if only_reads(args.get(2..).unwrap_or_default()) => Some(&["RO", "access"]),
        "bitfield" => Some(READ_AND_UPDATE),
        _ => None,
    }
}

/// Whether all operations of BITFIELD are reads. One that is not whole may be anything.
fn only_reads(mut operations: &[&[u8]]) -> bool {
    while let Some((word, rest)) = operations.split_first() {
        let taken = match () {
            () if is(word, "get") => 2,
            () if is(word, "overflow") => 1,
            () => return false,
        };
        match rest.get(taken..) {
            Some(rest) => operations = rest,
            None => return false,
        }
    }
    true
}

fn by_specs<'a>(specs: &[Tree<'static>], args: &[&'a [u8]]) -> Option<Vec<Key<'a>>> {
    let mut all = Vec::new();
    for spec in specs {
        let flags = flags(spec);
        if flags.contains(&"not_key") {
            continue;
        }
        let Some(begin) = start(spec.get("begin_search")?, args)? else { continue };
        let places = places(spec.get("find_keys")?, begin, args)?;
        for place in places {
            all.push((*args.get(place)?, uses(&flags)));
        }
        if flags.contains(&"incomplete") {
            return None;
        }
    }
    Some(all)
}

/// The keys of commands whose specifications do not say all: where there is no target, or several.
fn by_places<'a>(row: &Row, specs: &[Tree<'static>], args: &[&'a [u8]]) -> Option<Vec<Key<'a>>> {
    key_places::are_movable(row).then_some(())?;
    let keys = match row.name {
        "migrate" => of_migrate(args)?,
        _ => key_places::keys(row, args)?,
    };
    let first = uses(&flags(specs.first()?));
    let stores = row.name != "migrate";
    let uses_of = |n| if stores && n > 0 { vec!["OW", "update"] } else { first.clone() };
    Some(keys.into_iter().enumerate().map(|(n, key)| (key, uses_of(n))).collect())
}

/// The keys of MIGRATE: since Redis 7 KEYS beside a key is an error, and no password is taken for KEYS.
fn of_migrate<'a>(args: &[&'a [u8]]) -> Option<Vec<&'a [u8]>> {
    let key = *args.get(3)?;
    let mut at = key_places::MIGRATE_OPTIONS;
    while let Some(word) = args.get(at) {
        if is(word, "keys") {
            let keys = &args[at + 1..];
            return (key.is_empty() && !keys.is_empty()).then(|| keys.to_vec());
        }
        at += 1 + usize::from(is(word, "auth")) + 2 * usize::from(is(word, "auth2"));
    }
    Some(vec![key])
}

/// The flags that tell what is done with a key.
fn uses(flags: &[&'static str]) -> Vec<&'static str> {
    flags.iter().copied().filter(|flag| !NO_USES.contains(flag)).collect()
}

fn flags(spec: &Tree<'static>) -> Vec<&'static str> {
    match spec.get("flags") {
        Some(Tree::Set(flags)) => flags.iter().filter_map(Tree::word).collect(),
        _ => Vec::new(),
    }
}

fn number(tree: &Tree<'static>, name: &str) -> Option<i64> {
    match tree.get(name)? {
        Tree::Int(n) => Some(*n),
        _ => None,
    }
}

/// Where the keys of a specification begin; nowhere without its keyword, which is not looked for in the
/// last place.
fn start(search: &Tree<'static>, args: &[&[u8]]) -> Option<Option<usize>> {
    let spec = search.get("spec")?;
    match search.get("type")?.word()? {
        "index" => usize::try_from(number(spec, "index")?).ok().map(Some),
        "keyword" => {
            let word = spec.get("keyword")?.word()?;
            let from = number(spec, "startfrom")?;
            let found = |at: &usize| args.get(*at).is_some_and(|arg| is(arg, word));
            let at = match usize::try_from(from) {
                Ok(from) => (from..args.len().saturating_sub(1)).find(found),
                Err(_) => (2..=args.len().checked_add_signed(from as isize)?).rev().find(found),
            };
            Some(at.map(|at| at + 1))
        }
        _ => None,
    }
}

/// The places of the keys that begin at `first`.
fn places(
    find: &Tree<'static>,
    first: usize,
    args: &[&[u8]],
) -> Option<impl Iterator<Item = usize> + use<>> {
    let spec = find.get("spec")?;
    let (first, len) = (first as i64, args.len() as i64);
    let step = number(spec, "keystep")?;
    let (first, last) = match find.get("type")?.word()? {
        "range" => match (number(spec, "lastkey")?, number(spec, "limit")?) {
            (last @ 0.., _) => (first, first + last),
            (last, 0) => (first, len + last),
            (last, limit) => (first, first + (len - first) / limit + last),
        },
        "keynum" => {
            let at = usize::try_from(first + number(spec, "keynumidx")?).ok()?;
            let count = parse_i64(args.get(at)?)?;
            let first = first + number(spec, "firstkey")?;
            (first, first.checked_add(count.checked_sub(1)?.checked_mul(step)?)?)
        }
        _ => return None,
    };
    let sound = last < len && last >= first && step > 0;
    sound.then(|| (first..=last).step_by(step as usize).map(|n| n as usize))
}
