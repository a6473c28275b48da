//! What a connection has written, and the requests that ask for it back.

use super::expect::{self, Reply, SLOTS};
use crate::random::Random;
use crate::resp::request;

/// Keys that only one connection writes, as they must be now.
#[derive(Debug)]
pub struct Own {
    id: usize,
    seq: u64,
    slots: [u64; SLOTS as usize],
    count: u64,
}

impl Own {
    /// Nothing written yet.
    pub fn new(id: usize) -> Self {
        Self { id, seq: 0, slots: [0; SLOTS as usize], count: 0 }
    }

    /// Appends some request to `out`; answers the reply it must get. Half of them read one of the
    /// `keys` that were filled.
    pub fn any(&mut self, out: &mut Vec<u8>, random: &mut Random, keys: u64) -> Reply {
        match random.below(20) {
            0..10 if keys > 0 => {
                let n = random.below(keys);
                request(out, &[b"GET", &expect::filled_key(n)]);
                Reply::Filled(n)
            }
            0..13 => self.set(out, random.below(SLOTS)),
            13..17 => self.get(out, random.below(SLOTS)),
            17..19 => self.raise(out),
            _ => self.echo(out),
        }
    }

    /// Writes a slot.
    pub fn set(&mut self, out: &mut Vec<u8>, slot: u64) -> Reply {
        self.seq += 1;
        self.slots[slot as usize] = self.seq;
        let value = expect::slot_value(self.id, slot, self.seq);
        request(out, &[b"SET", &expect::slot_key(self.id, slot), &value]);
        Reply::Ok
    }

    /// Reads a slot.
    pub fn get(&mut self, out: &mut Vec<u8>, slot: u64) -> Reply {
        request(out, &[b"GET", &expect::slot_key(self.id, slot)]);
        Reply::Slot { owner: self.id, slot, seq: self.slots[slot as usize] }
    }

    /// Raises the counter: executed twice, or not at all, it shows in every later reply.
    pub fn raise(&mut self, out: &mut Vec<u8>) -> Reply {
        self.count += 1;
        request(out, &[b"INCR", &expect::count_key(self.id)]);
        Reply::Int(self.count)
    }

    /// Reads the counter.
    pub fn count(&mut self, out: &mut Vec<u8>) -> Reply {
        request(out, &[b"GET", &expect::count_key(self.id)]);
        Reply::Count(self.count)
    }

    /// Asks for a number that was not asked for before.
    pub fn echo(&mut self, out: &mut Vec<u8>) -> Reply {
        self.seq += 1;
        request(out, &[b"ECHO", self.seq.to_string().as_bytes()]);
        Reply::Echo(self.seq)
    }
}
