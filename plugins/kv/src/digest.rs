//! Digests of keys and of all data, equal to those of a Redis that has the same: DEBUG DIGEST and DEBUG
//! DIGEST-VALUE (`debug.c`). Collections without an order are mixed without one.

use sha1::{Digest as _, Sha1};

use crate::element::Element;
use crate::number::{Decimal, Digits};
use crate::state::{DATABASES, Db, State};
use crate::stream::{Entry, Id};
use crate::value::{Kind, Value};

/// Bytes of a digest.
const LEN: usize = 20;

/// A digest in the making.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Digest([u8; LEN]);

impl Digest {
    /// Adds bytes whose order among the others does not count.
    fn add(&mut self, bytes: &[u8]) {
        let hash: [u8; LEN] = Sha1::digest(bytes).into();
        self.0.iter_mut().zip(hash).for_each(|(mine, other)| *mine ^= other);
    }

    /// Adds bytes whose order counts.
    fn mix(&mut self, bytes: &[u8]) {
        self.add(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    /// Adds an element with what belongs to it, in no order.
    fn add_pair(&mut self, item: Element<'_>, more: Element<'_>) {
        let mut pair = Self::default();
        pair.mix(item.text(&mut Decimal::new()));
        pair.mix(more.text(&mut Decimal::new()));
        self.add(&pair.0);
    }

    /// The form in which it is shown: hexadecimal.
    pub fn text(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Adds a value and its time to live. O(its size).
fn add_value(digest: &mut Digest, value: &Value) {
    digest.mix(&(type_number(value.kind())).to_be_bytes());
    if let Some(text) = value.text(&mut Digits::new()) {
        digest.mix(text);
    }
    let in_order = value.kind() == Kind::List;
    value.each(|(item, more)| match more {
        Some(more) => digest.add_pair(item, more),
        None if in_order => digest.mix(item.text(&mut Decimal::new())),
        None => digest.add(item.text(&mut Decimal::new())),
    });
    if let Some(stream) = value.stream() {
        let mut show = |id: Id, entry: Entry<'_>| {
            digest.mix(format!("{}.{}", id.ms, id.seq).as_bytes());
            for (name, value) in entry.pairs() {
                digest.mix(name);
                digest.mix(value);
            }
            true
        };
        stream.each(Id::MIN, Id::MAX, false, &mut show);
    }
    if value.expires() {
        digest.add(b"!!expire!!");
    }
}

/// Redis' numbers of types (`OBJ_STRING` and so on).
fn type_number(kind: Kind) -> u32 {
    match kind {
        Kind::String => 0,
        Kind::List => 1,
        Kind::Set => 2,
        Kind::Zset => 3,
        Kind::Hash => 4,
        Kind::Stream => 6,
    }
}

/// The digest of a value without its key.
pub fn of_value(value: &Value) -> Digest {
    let mut digest = Digest::default();
    add_value(&mut digest, value);
    digest
}

/// The digest of all data. O(all data).
pub fn of_all(state: &State) -> Digest {
    let mut all = Digest::default();
    for (number, db) in (0_u32..DATABASES as u32).zip(&state.dbs) {
        if !db.keys.is_empty() {
            all.mix(&number.to_be_bytes());
            add_keys(&mut all, db);
        }
    }
    all
}

fn add_keys(all: &mut Digest, db: &Db) {
    for (key, value) in db.keys.iter() {
        let mut digest = Digest::default();
        digest.mix(key);
        add_value(&mut digest, value);
        all.add(&digest.0);
    }
}
