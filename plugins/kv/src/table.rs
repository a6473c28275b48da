//! The command table: one row per command feeds dispatch, arity errors, COMMAND and the docs.
//!
//! Each version of the plugin has its own [`Table`], built at compile time: the rows whose `since` is
//! not above its level. When two rows have one name, the later `since` counts.

use crate::commands::FAMILIES;
use crate::cx::{Cx, Outcome};
use crate::flags::Flags;
pub use crate::level::{Level, v};

/// A command's function: its arguments, the name first.
pub type Run = fn(&mut Cx<'_>, &[&[u8]]) -> Outcome;

/// Redis' groups of commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Redis'")]
pub enum Group {
    Bitmap,
    Cluster,
    Connection,
    Generic,
    Geo,
    Hash,
    HyperLogLog,
    List,
    PubSub,
    Scripting,
    Server,
    Set,
    SortedSet,
    Stream,
    String,
    Transactions,
}

/// Which arguments are keys: first, last (negative counts from the end), step. All 0: none.
pub type Keys = (i16, i16, i16);
/// No argument is a key.
pub const NO_KEYS: Keys = (0, 0, 0);
/// The first argument is a key.
pub const ONE_KEY: Keys = (1, 1, 1);
/// All arguments are keys.
pub const ALL_KEYS: Keys = (1, -1, 1);

/// One command.
#[derive(Debug)]
pub struct Row {
    /// Name, lower case.
    pub name: &'static str,
    /// Number of arguments, the name included; negative: at least so many.
    pub arity: i16,
    /// What it does to the server.
    pub flags: Flags,
    /// Which arguments are keys.
    pub keys: Keys,
    /// Redis' group.
    pub group: Group,
    /// The Redis version that brought it, or this arity.
    pub since: Level,
    /// Redis' words for its cost; empty where it has none.
    pub complexity: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// What is run; in a container when no subcommand is given.
    pub run: Run,
    /// The subcommands of a container, otherwise empty.
    pub subs: &'static [Sub],
}

/// One subcommand of a container command.
#[derive(Debug)]
pub struct Sub {
    /// Name, lower case.
    pub name: &'static str,
    /// Number of arguments, command and subcommand included; negative: at least so many.
    pub arity: i16,
    /// The Redis version that brought it.
    pub since: Level,
    /// What is run.
    pub run: Run,
}

const SLOTS: usize = 1024;

/// A name, upper-cased and folded into 128 bits.
///
/// Up to 16 bytes all of it counts; of longer ones the first and the last eight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Packed {
    first: u64,
    last: u64,
    len: u64,
}

/// Clears the bit that tells lower from upper case. It also folds `_` and `-` onto bytes that no name
/// has.
const UPPER: u64 = 0xdfdf_dfdf_dfdf_dfdf;

impl Packed {
    #[inline(always)]
    const fn of(name: &[u8]) -> Self {
        let len = name.len();
        let (first, last) = match len {
            8.. => (word(name, 0), word(name, len - 8)),
            4.. => (half(name, 0), half(name, len - 4)),
            1.. => (name[0] as u64 | (name[len / 2] as u64) << 8 | (name[len - 1] as u64) << 16, 0),
            0 => (0, 0),
        };
        Self { first: first & UPPER, last: last & UPPER, len: len as u64 }
    }

    #[inline(always)]
    const fn slot(self) -> usize {
        let h = self.first.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ self.last.wrapping_mul(0xd6e8_feb8_6659_fd93)
            ^ self.len.wrapping_mul(0xa076_1d64_78bd_642f);
        (h.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize % SLOTS
    }

    const fn equals(self, other: Self) -> bool {
        self.first == other.first && self.last == other.last && self.len == other.len
    }
}

#[inline(always)]
const fn word(bytes: &[u8], at: usize) -> u64 {
    half(bytes, at) | half(bytes, at + 4) << 32
}

#[inline(always)]
const fn half(bytes: &[u8], at: usize) -> u64 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]) as u64
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    name: Packed,
    row: Option<&'static Row>,
}

/// The commands of one version of the plugin, and what it says of itself.
#[derive(Debug)]
pub struct Table {
    slots: [Slot; SLOTS],
    count: usize,
    /// Which command is in which slot, as one number.
    pub fingerprint: u64,
    /// The Redis version it behaves like, which INFO reports.
    pub redis: Level,
    /// The plugin's own version.
    pub plugin: &'static str,
}

impl Table {
    /// The table of a plugin version that behaves like this Redis. Evaluated at compile time.
    pub const fn new(redis: Level, plugin: &'static str) -> Self {
        let empty = Slot { name: Packed { first: 0, last: 0, len: 0 }, row: None };
        let mut table = Self { slots: [empty; SLOTS], count: 0, fingerprint: 1, redis, plugin };
        let mut family = 0;
        while family < FAMILIES.len() {
            let rows = FAMILIES[family];
            let mut i = 0;
            while i < rows.len() {
                if rows[i].since.number() <= redis.number() {
                    table.add(&rows[i]);
                }
                i += 1;
            }
            family += 1;
        }
        table.fingerprint = table.digest();
        table
    }

    const fn digest(&self) -> u64 {
        let (mut digest, mut at) = (0xcbf2_9ce4_8422_2325, 0);
        while at < SLOTS {
            if let Some(row) = self.slots[at].row {
                digest = (digest ^ at as u64).wrapping_mul(0x100_0000_01b3);
                let mut i = 0;
                while i < row.name.len() {
                    digest = (digest ^ row.name.as_bytes()[i] as u64).wrapping_mul(0x100_0000_01b3);
                    i += 1;
                }
            }
            at += 1;
        }
        digest
    }

    const fn add(&mut self, row: &'static Row) {
        let name = Packed::of(row.name.as_bytes());
        let mut at = name.slot();
        loop {
            match self.slots[at].row {
                None => {
                    self.count += 1;
                    break;
                }
                Some(other) if self.slots[at].name.equals(name) => {
                    if other.since.number() > row.since.number() {
                        return;
                    }
                    break;
                }
                Some(_) => at = (at + 1) % SLOTS,
            }
        }
        assert!(self.count < SLOTS / 2, "the command table is getting full: raise SLOTS");
        self.slots[at] = Slot { name, row: Some(row) };
    }

    /// The command of this name, in any case. O(1).
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<&'static Row> {
        self.find_slot(name).map(|(row, _)| row)
    }

    /// The same, and the slot it stands in.
    #[inline]
    pub fn find_slot(&self, name: &[u8]) -> Option<(&'static Row, u16)> {
        let packed = Packed::of(name);
        let mut at = packed.slot();
        loop {
            let slot = &self.slots[at];
            let row = slot.row?;
            if slot.name.equals(packed) {
                let whole = name.len() <= 16 || row.name.as_bytes().eq_ignore_ascii_case(name);
                return whole.then_some((row, at as u16));
            }
            at = (at + 1) % SLOTS;
        }
    }

    /// What stands in each slot.
    pub fn slots(&self) -> impl Iterator<Item = Option<&'static Row>> + '_ {
        self.slots.iter().map(|slot| slot.row)
    }

    /// All commands, in no order.
    pub fn rows(&self) -> impl Iterator<Item = &'static Row> + '_ {
        self.slots.iter().filter_map(|slot| slot.row)
    }

    /// How many commands there are.
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether this version has what a Redis of this level brought.
    #[inline]
    pub fn has(&self, level: Level) -> bool {
        self.redis >= level
    }
}

impl Row {
    /// Whether so many arguments are right.
    #[inline(always)]
    pub fn takes(&self, args: usize) -> bool {
        takes(self.arity, args)
    }

    /// A subcommand by its name, in any case.
    pub fn sub(&self, name: &[u8], level: Level) -> Option<&'static Sub> {
        let named = |sub: &&Sub| name.eq_ignore_ascii_case(sub.name.as_bytes());
        self.subs.iter().filter(|sub| sub.since <= level).find(named)
    }
}

impl Sub {
    /// Whether so many arguments are right.
    pub fn takes(&self, args: usize) -> bool {
        takes(self.arity, args)
    }
}

#[inline(always)]
fn takes(arity: i16, args: usize) -> bool {
    let (args, arity) = (args as i64, i64::from(arity));
    if arity >= 0 { args == arity } else { args >= -arity }
}

/// Writes the rows of a family: `name, arity, flags, keys, since, function, complexity, summary;`, in
/// containers with the subcommands behind the summary.
macro_rules! rows {
    ($group:ident: $(
        $name:literal, $arity:literal, $flags:expr, $keys:expr, $since:expr, $run:path,
        $complexity:literal, $summary:literal $(, $subs:expr)?;
    )*) => {
        /// The rows of this family.
        pub const ROWS: &[$crate::table::Row] = &[$($crate::table::Row {
            name: $name,
            arity: $arity,
            flags: $flags,
            keys: $keys,
            group: $crate::table::Group::$group,
            since: $since,
            complexity: $complexity,
            summary: $summary,
            run: $run,
            subs: $crate::table::first!($($subs,)? &[]),
        }),*];
    };
}
pub(crate) use rows;

/// The first of its arguments.
macro_rules! first {
    ($first:expr $(, $rest:expr)*) => {
        $first
    };
}
pub(crate) use first;

/// Writes the subcommands of a container: `name, arity, since, function;`.
macro_rules! subs {
    ($($name:literal, $arity:literal, $since:expr, $run:path;)*) => {
        const SUBS: &[$crate::table::Sub] = &[$($crate::table::Sub {
            name: $name,
            arity: $arity,
            since: $since,
            run: $run,
        }),*];
    };
}
pub(crate) use subs;
