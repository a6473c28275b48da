//! Commands that took long: SLOWLOG.

use hotshell_plugin_api::collections::{Bytes, Vec, VecDeque};
use hotshell_plugin_api::state;

/// Arguments of an entry, at most.
const ARGS: usize = 32;
/// Bytes of an argument, at most.
const ARG_BYTES: usize = 128;

/// The log, latest entry first.
#[state]
#[derive(Debug)]
pub struct SlowLog {
    /// The entries.
    pub entries: VecDeque<Entry>,
    /// The id of the next entry.
    pub next_id: u64,
}

/// One command that took long.
#[state]
#[derive(Debug)]
pub struct Entry {
    /// Its number, from 0.
    pub id: u64,
    /// When it ended, seconds since the Unix epoch.
    pub time_s: u64,
    /// How long it took, microseconds.
    pub duration_us: u64,
    /// Its arguments, cut short.
    pub args: Vec<Bytes>,
    /// The client's address.
    pub peer: Bytes,
    /// The client's name.
    pub name: Bytes,
}

impl SlowLog {
    /// Adds an entry and forgets the oldest above `len`.
    pub fn push(&mut self, mut entry: Entry, len: u64) {
        entry.id = self.next_id;
        self.next_id += 1;
        self.entries.push_front(entry);
        self.cut(len);
    }

    /// Forgets the oldest entries above `len`.
    pub fn cut(&mut self, len: u64) {
        self.entries.truncate(len.min(self.entries.len() as u64) as usize);
    }
}

/// Arguments as the log shows them: not too many, not too long.
pub fn cut_args(args: &[&[u8]]) -> Vec<Bytes> {
    let shown = if args.len() > ARGS { ARGS - 1 } else { args.len() };
    let mut cut: Vec<Bytes> = args[..shown].iter().map(|arg| cut_arg(arg)).collect();
    if args.len() > ARGS {
        cut.push(Bytes::from(format!("... ({} more arguments)", args.len() - shown).as_bytes()));
    }
    cut
}

fn cut_arg(arg: &[u8]) -> Bytes {
    if arg.len() <= ARG_BYTES {
        return Bytes::from(arg);
    }
    let more = format!("... ({} more bytes)", arg.len() - ARG_BYTES);
    Bytes::from(&[&arg[..ARG_BYTES], more.as_bytes()].concat()[..])
}
