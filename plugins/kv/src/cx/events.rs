//! Events of keys: who hears that a key changed.

use hotshell_plugin_api::collections::Bytes;

use super::Cx;
use crate::journal;
use crate::notify;
use crate::state::{MODE_TRACKING, Ready, SESSION_DIRTY};
use crate::tracking;

impl Cx<'_> {
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
}
