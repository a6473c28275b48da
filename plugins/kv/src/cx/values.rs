//! The values of keys: found, and found past their time.

use super::{Cx, Found, FoundMut};
use crate::errors;
use crate::notify;
use crate::value::{Kind, Value};

impl Cx<'_> {
    /// Removes the key if its time is over. To be called before a key is looked at.
    #[inline(always)]
    pub fn refresh(&mut self, key: &[u8]) {
        self.refresh_in(self.session.db, key);
    }

    /// [`Cx::refresh`] in another database.
    #[inline(always)]
    pub fn refresh_in(&mut self, db: u32, key: &[u8]) {
        if !self.state.db(db).expires.is_empty() {
            self.expire(db, key);
        }
    }

    fn expire(&mut self, db: u32, key: &[u8]) {
        let now = self.now;
        let space = self.state.db(db);
        let flagged = space.keys.get(key).is_some_and(Value::expires);
        if flagged && space.expires.get(key).is_some_and(|&at| at <= now) {
            if let Some(value) = space.remove(key) {
                self.replaced(db, key, &value);
                self.bury(value);
            }
            self.state.stats.expired += 1;
            self.touch_in(db, key);
            self.notify_in(db, notify::EXPIRED, "expired", key);
        }
    }

    /// The value of a key that is not past its time.
    #[inline]
    pub fn get(&mut self, key: &[u8]) -> Option<&Value> {
        self.get_mut(key).map(|value| &*value)
    }

    /// [`Cx::get`], to be changed; call [`Cx::event`] after it.
    #[inline]
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Value> {
        self.before_use(key);
        self.state.use_key(self.shell, self.session.db, key, self.mark)
    }

    /// [`Cx::get`] beside the output.
    #[inline]
    pub fn get_and_out(&mut self, key: &[u8]) -> Found<'_> {
        self.before_use(key);
        let value = self.state.use_key(self.shell, self.session.db, key, self.mark);
        (value.map(|value| &*value), self.out.reborrow())
    }

    /// [`Cx::get`] that is no use of the key.
    pub fn peek(&mut self, key: &[u8]) -> Option<&Value> {
        self.refresh(key);
        self.mark.look(key);
        let value = self.state.dbs[self.session.db as usize].keys.get(key);
        if self.mark.tells() {
            self.state.stats.hits += u64::from(value.is_some());
            self.state.stats.misses += u64::from(value.is_none());
        }
        value
    }

    #[inline(always)]
    fn before_use(&mut self, key: &[u8]) {
        self.refresh(key);
        self.mark.look(key);
        if self.mark.tells() && self.state.settings.notify & notify::KEY_MISS != 0 {
            self.tell_miss(key);
        }
    }

    #[cold]
    fn tell_miss(&mut self, key: &[u8]) {
        if !self.db().keys.contains_key(key) {
            self.notify(notify::KEY_MISS, "keymiss", key);
        }
    }

    /// The list at a key.
    ///
    /// # Errors
    /// When it is something else.
    pub fn list(&mut self, key: &[u8]) -> Result<Option<&mut Value>, &'static str> {
        match self.get_mut(key) {
            Some(value) if value.kind() != Kind::List => Err(errors::WRONG_TYPE),
            found => Ok(found),
        }
    }

    /// The value of a key, if it is of this type, beside the output.
    ///
    /// # Errors
    /// When it is of another type.
    #[inline]
    pub fn find(&mut self, key: &[u8], kind: Kind) -> Result<Found<'_>, &'static str> {
        match self.get_and_out(key) {
            (Some(value), _) if value.kind() != kind => Err(errors::WRONG_TYPE),
            found => Ok(found),
        }
    }

    /// The value of a key, if it is of this type, to be changed: call [`Cx::changed`] after it.
    ///
    /// # Errors
    /// When it is of another type.
    #[inline]
    pub fn find_mut(&mut self, key: &[u8], kind: Kind) -> Result<Option<&mut Value>, &'static str> {
        match self.get_mut(key) {
            Some(value) if value.kind() != kind => Err(errors::WRONG_TYPE),
            value => Ok(value),
        }
    }

    /// [`Cx::find_mut`] beside the output.
    ///
    /// # Errors
    /// When it is of another type.
    #[inline]
    pub fn find_mut_and_out(
        &mut self,
        key: &[u8],
        kind: Kind,
    ) -> Result<FoundMut<'_>, &'static str> {
        self.before_use(key);
        match self.state.use_key(self.shell, self.session.db, key, self.mark) {
            Some(value) if value.kind() != kind => Err(errors::WRONG_TYPE),
            value => Ok((value, self.out.reborrow())),
        }
    }

    /// Changes the collection at a key; one that is not there yet is put there empty. Call
    /// [`Cx::event`] after it, or [`Cx::drop_empty`].
    ///
    /// # Errors
    /// When it is of another type than `empty`.
    #[inline]
    pub fn change_or_put<T>(
        &mut self,
        key: &[u8],
        (kind, empty): (Kind, fn() -> Value),
        change: impl FnOnce(&mut Value) -> T,
    ) -> Result<T, &'static str> {
        if let Some(value) = self.find_mut(key, kind)? {
            return Ok(change(value));
        }
        Ok(change(self.find_or_put(key, empty)?))
    }

    /// The collection at a key, to be changed; one that is not there yet is put there empty. Call
    /// [`Cx::event`] after it, or [`Cx::drop_empty`].
    ///
    /// # Errors
    /// When it is of another type than `empty`.
    pub fn find_or_put(
        &mut self,
        key: &[u8],
        empty: fn() -> Value,
    ) -> Result<&mut Value, &'static str> {
        let empty = empty();
        let kind = empty.kind();
        if self.find_mut(key, kind)?.is_none() {
            self.put_new(key, empty);
        }
        self.find_mut(key, kind)?.ok_or(errors::NO_SUCH_KEY)
    }
}
