//! What COMMAND of Redis 4 tells of each command. It is data, in `old_commands.txt`: a line each with the
//! name, the arity, the flags with commas, and the keys: first, last, step. The test `redis4` compares it
//! with what such a server says, and writes it when told to.

use core::cmp::Ordering;

use crate::table::Keys;

const TEXT: &str = include_str!("old_commands.txt");

/// What is told of one command.
#[derive(Debug)]
pub struct Told {
    /// Number of arguments, as in a row.
    pub arity: i16,
    /// In the order of Redis 4.
    pub flags: Vec<&'static str>,
    /// Which arguments are keys.
    pub keys: Keys,
}

/// What is told of a command; `None` of one that Redis 4 did not have.
pub fn of(name: &str) -> Option<Told> {
    let mut words = line(name)?.split(' ').skip(1);
    let arity = words.next()?.parse().ok()?;
    let flags = words.next()?.split(',').filter(|flag| !flag.is_empty()).collect();
    let mut place = || words.next()?.parse().ok();
    Some(Told { arity, flags, keys: (place()?, place()?, place()?) })
}

/// The line of a command. O(log n): they are in the order of their names.
fn line(name: &str) -> Option<&'static str> {
    let (mut low, mut high) = (0, TEXT.len());
    while low < high {
        let start = TEXT[..(low + high) / 2].rfind('\n').map_or(0, |at| at + 1).max(low);
        let end = start + TEXT[start..].find('\n')?;
        let line = &TEXT[start..end];
        match line.split(' ').next()?.cmp(name) {
            Ordering::Less => low = end + 1,
            Ordering::Equal => return Some(line),
            Ordering::Greater => high = start,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_found_and_nothing_else() {
        let names = || TEXT.lines().filter_map(|line| line.split(' ').next());
        assert!(names().is_sorted());
        for (name, whole) in names().zip(TEXT.lines()) {
            assert_eq!(line(name), Some(whole));
        }
        for name in ["", "a", "appendix", "zzz", "get ", "\n"] {
            assert_eq!(line(name), None, "{name:?}");
        }
    }
}
