//! Changes of keys: put, removed, emptied, given a time to live.

use hotshell_plugin_api::collections::Bytes;

use super::Cx;
use crate::access::Access;
use crate::notify;
use crate::value::{Kind, Value};

impl Cx<'_> {
    /// Puts a value at a key that is not there, which nobody is told of yet but who waits for one.
    pub fn put_new(&mut self, key: &[u8], mut value: Value) {
        let awaited = is_awaited(&value);
        value.head_mut().access = self.fresh_access();
        self.db().keys.insert(Bytes::from(key), value);
        self.notify(notify::NEW, "new", key);
        // Also when it gets its elements later in a transaction: that decides who is served first.
        if awaited {
            self.signal(self.session.db, key);
        }
    }

    /// What the header of a new value gets.
    #[inline]
    pub fn fresh_access(&self) -> [u8; 3] {
        if self.state.settings.policy.by_frequency() {
            return Access::start(&self.state.settings, self.now).bytes();
        }
        self.mark.access
    }

    /// What the header of a value gets that takes the place of another one: that is one more use of the
    /// key, as in Redis.
    #[inline]
    pub fn access_of_set(&mut self, key: &[u8]) -> [u8; 3] {
        if self.state.settings.policy.by_frequency() {
            self.used_or_new(key)
        } else {
            self.mark.access
        }
    }

    #[cold]
    fn used_or_new(&mut self, key: &[u8]) -> [u8; 3] {
        let old = self.state.dbs[self.session.db as usize].keys.get(key);
        let Some(old) = old.map(|value| Access::of(value.head().access)) else {
            return self.fresh_access();
        };
        old.used(&self.state.settings, self.now, self.shell.random()).bytes()
    }

    /// Tells of an event of a collection, and removes it if it lost its last element.
    pub fn changed(&mut self, key: &[u8], class: u32, event: &str) {
        let empty = self.db().keys.get(key).is_some_and(Value::is_empty);
        self.taken_from(key, class, event, empty);
    }

    /// [`Cx::changed`], where it is known whether the collection is `empty` now.
    #[inline]
    pub fn taken_from(&mut self, key: &[u8], class: u32, event: &str, empty: bool) {
        self.event(key, class, event);
        if empty {
            self.db().remove(key);
            self.notify(notify::GENERIC, "del", key);
        }
    }

    /// Removes a collection without elements. False when it has some, or is not there.
    pub fn drop_empty(&mut self, key: &[u8]) -> bool {
        let empty = self.db().keys.get(key).is_some_and(Value::is_empty);
        if empty {
            self.db().remove(key);
        }
        empty
    }

    /// Sets a key to what a command computed, and tells of the event, or removes it when that is
    /// empty; answers how many elements there are.
    pub fn store(&mut self, key: &[u8], value: Value, class: u32, event: &str) -> usize {
        let len = value.len();
        if len == 0 {
            self.delete(key);
        } else {
            self.put(key, value);
            self.notify(class, event, key);
        }
        len
    }

    /// A value went away: who waits for entries of a stream in a group is told.
    #[inline]
    pub fn replaced(&mut self, db: u32, key: &[u8], old: &Value) {
        self.state.value_went(db, key, old);
    }

    /// Lets go of a value; a large one is freed in slices.
    #[inline]
    pub fn bury(&mut self, value: Value) {
        if value.is_big() {
            self.state.value_graves.push(value);
            self.shell.wake_at(self.now);
        }
    }

    /// Removes a key and tells of it. False when it was not there.
    pub fn delete(&mut self, key: &[u8]) -> bool {
        self.refresh(key);
        let Some(value) = self.db().remove(key) else { return false };
        self.replaced(self.session.db, key, &value);
        self.bury(value);
        self.event(key, notify::GENERIC, "del");
        true
    }

    /// Sets a key, without a time to live, and tells watchers.
    pub fn put(&mut self, key: &[u8], mut value: Value) {
        value.head_mut().access = self.access_of_set(key);
        self.put_in(self.session.db, key, value);
    }

    /// [`Cx::put`] in another database, of a value that says itself when it was used. Who waits for
    /// elements of the key hears of it when there was no such key, as in Redis: a value that takes the place
    /// of another one wakes nobody.
    pub fn put_in(&mut self, db: u32, key: &[u8], value: Value) {
        let awaited = is_awaited(&value);
        match self.state.db(db).put(key, value) {
            Some(old) => {
                self.replaced(db, key, &old);
                self.bury(old);
            }
            None => {
                self.notify_in(db, notify::NEW, "new", key);
                if awaited {
                    self.signal(db, key);
                }
            }
        }
        self.touch_in(db, key);
    }

    /// Sets when a key ends.
    pub fn set_expiry(&mut self, key: &[u8], at_ms: u64) {
        if self.db().set_expiry(key, at_ms) {
            let cycle = self.state.settings.cycle_ms();
            self.shell.wake_at(self.now + cycle);
        }
    }
}

/// Whether clients can wait for elements of such a value.
fn is_awaited(value: &Value) -> bool {
    matches!(value.kind(), Kind::List | Kind::Zset | Kind::Stream)
}
