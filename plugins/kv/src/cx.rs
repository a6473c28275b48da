//! What a command works on.

use hotshell_plugin_api::collections::Bytes;
use hotshell_plugin_api::ctx::ClientId;

use crate::access::{Access, Mark};
pub use crate::arguments::{index_range, int, is};
use crate::errors;
use crate::journal;
use crate::notify;
use crate::reply::{Out, Reply};
use crate::services::Services;
use crate::state::{Db, MODE_TRACKING, Ready, SESSION_DIRTY, SESSION_SILENT, Session, State};
use crate::table::{Level, Table};
use crate::tracking;
use crate::value::{Kind, Value};

/// How a command ended: it wrote its reply, or this error is the reply.
pub type Outcome = Result<(), &'static str>;

/// A value that was looked for, beside the output.
pub type Found<'a> = (Option<&'a Value>, Out<'a>);
/// The same, to be changed.
pub type FoundMut<'a> = (Option<&'a mut Value>, Out<'a>);

/// What becomes of the client after the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Its next request.
    Next,
    /// It waits.
    Block,
    /// It is closed when everything is sent.
    Close,
}

/// One request's view of the server. Built anew for each call.
pub struct Cx<'a> {
    /// The server's state.
    pub state: &'a mut State,
    /// The client's session.
    pub session: &'a mut Session,
    /// The client's output.
    pub out: Out<'a>,
    /// The shell.
    pub shell: &'a mut dyn Services,
    /// The version's commands.
    pub table: &'static Table,
    /// The client.
    pub client: ClientId,
    /// Wall clock, milliseconds since the Unix epoch.
    pub now: u64,
    /// What becomes of the client.
    pub after: After,
    /// Whether EXEC runs this command: nothing blocks then.
    pub in_exec: bool,
    /// The command has told the journal what it did.
    pub told: bool,
    /// The command has changed a key.
    pub dirty: bool,
    /// What is noted of keys that are used.
    pub mark: Mark,
    /// The start of the call on the monotonic clock, nanoseconds.
    pub began_ns: u64,
    /// Where the output begins that is taken back from a client that wants no replies.
    pub replies_from: usize,
}

impl Cx<'_> {
    /// The selected database.
    #[inline(always)]
    pub fn db(&mut self) -> &mut Db {
        self.state.db(self.session.db)
    }

    /// Sends messages, to this client among others. They are no replies: also a client that wants none
    /// (CLIENT REPLY) gets them.
    #[inline]
    pub fn beside_replies<T>(&mut self, send: impl FnOnce(&mut Self) -> T) -> T {
        if self.session.flags & SESSION_SILENT == 0 {
            return send(self);
        }
        self.out.truncate(self.replies_from);
        let sent = send(self);
        self.replies_from = self.out.len();
        sent
    }

    /// Whether this version has what a Redis of this level brought.
    #[inline]
    pub fn has(&self, level: Level) -> bool {
        self.table.has(level)
    }

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
        let value = self.state.dbs[self.session.db as usize].keys.get(key);
        if self.mark.reads {
            self.state.stats.hits += u64::from(value.is_some());
            self.state.stats.misses += u64::from(value.is_none());
        }
        value
    }

    #[inline(always)]
    fn before_use(&mut self, key: &[u8]) {
        self.refresh(key);
        if self.mark.reads && self.state.settings.notify & notify::KEY_MISS != 0 {
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

    /// Tells of a change of a key: those who WATCH it, and those who want such events.
    #[inline(always)]
    pub fn event(&mut self, key: &[u8], class: u32, event: &str) {
        self.touch(key);
        self.notify(class, event, key);
    }

    /// Tells those who want such events, but not those who WATCH the key.
    #[inline(always)]
    pub fn notify(&mut self, class: u32, event: &str, key: &[u8]) {
        self.notify_in(self.session.db, class, event, key);
    }

    /// [`Cx::notify`] in another database.
    #[inline(always)]
    pub fn notify_in(&mut self, db: u32, class: u32, event: &str, key: &[u8]) {
        self.beside_replies(|cx| notify::notify(cx.state, cx.shell, class, event, db, key));
    }

    /// Tells those who WATCH the key that it changed. Cheap when nobody watches.
    #[inline(always)]
    pub fn touch(&mut self, key: &[u8]) {
        self.touch_in(self.session.db, key);
    }

    /// [`Cx::touch`] in another database.
    #[inline(always)]
    pub fn touch_in(&mut self, db: u32, key: &[u8]) {
        self.dirty = true;
        if !self.state.db(db).watchers.is_empty() {
            self.tell_watchers(db, key);
        }
        if self.state.modes & MODE_TRACKING != 0 {
            tracking::changed(self.state, self.client, key);
        }
    }

    #[cold]
    fn tell_watchers(&mut self, db: u32, key: &[u8]) {
        let watchers = self.state.db(db).watchers.get(key);
        for &id in watchers.into_iter().flatten() {
            if id == self.client {
                self.session.flags |= SESSION_DIRTY;
            } else if let Some(session) = self.shell.session_of(id) {
                session.flags |= SESSION_DIRTY;
            }
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
    pub fn put(&mut self, key: &[u8], value: Value) {
        self.put_in(self.session.db, key, value);
    }

    /// [`Cx::put`] in another database. Who waits for elements of the key hears of it when there was
    /// no such key, as in Redis: a value that takes the place of another one wakes nobody.
    pub fn put_in(&mut self, db: u32, key: &[u8], mut value: Value) {
        let awaited = is_awaited(&value);
        value.head_mut().access = self.fresh_access();
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

    /// A key got elements: who waits for it is served after this request.
    #[inline(always)]
    pub fn signal(&mut self, db: u32, key: &[u8]) {
        let waiting = &self.state.db(db).waiting;
        if !waiting.is_empty() && waiting.contains_key(key) {
            self.state.ready.push_back(Ready { db, key: Bytes::from(key) });
        }
    }

    /// Tells the journal what this command did, in place of its own words.
    pub fn tell(&mut self, args: &[&[u8]]) {
        self.told = true;
        journal::tell(self.shell, self.session.db, args);
    }

    /// Writes an error that needs formatting.
    #[cold]
    pub fn error(&mut self, text: &str) -> Outcome {
        self.state.note_error(text);
        self.out.error(text);
        Ok(())
    }

    /// The arity error of the command.
    pub fn arity(&mut self, name: &str) -> Outcome {
        self.error(&format!("ERR wrong number of arguments for '{name}' command"))
    }
}

/// Whether clients can wait for elements of such a value.
fn is_awaited(value: &Value) -> bool {
    matches!(value.kind(), Kind::List | Kind::Zset | Kind::Stream)
}
