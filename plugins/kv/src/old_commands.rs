//! What COMMAND of Redis 4 tells of each command. It is data, in `old_commands.txt`: a line each with the
//! name, the arity, the flags with commas, and the keys: first, last, step. The test `redis4` compares it
//! with what such a server says, and writes it when told to.

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
    let line = TEXT.lines().find(|line| line.split(' ').next() == Some(name))?;
    let mut words = line.split(' ').skip(1);
    let arity = words.next()?.parse().ok()?;
    let flags = words.next()?.split(',').filter(|flag| !flag.is_empty()).collect();
    let mut place = || words.next()?.parse().ok();
    Some(Told { arity, flags, keys: (place()?, place()?, place()?) })
}
