//! Sessions change their shape when somebody looks at them, their own client's call or another's, and
//! the rest in slices: a switch visits none of them.
//!
//! Invariant: whoever hands a session to the plugin has brought it to the layout of today.

use std::collections::BTreeMap;
use std::ptr::NonNull;

use hotshell_plugin_api::migrate::trail::{Leg, Trail};

use super::clients::Client;
use super::core::{Core, Server};
use super::handle::Counters;

/// How far the sessions of a server are.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    /// How a session gets from an older layout to that of today.
    trail: Trail,
    /// Sessions by the layout they are in.
    by_layout: BTreeMap<u32, usize>,
    /// The slices have come to the client with this id.
    drained: u64,
    /// Parts that are set aside on clients.
    set_aside: u64,
}

impl Sessions {
    /// Counts a session that was made in this layout.
    pub(super) fn joined(&mut self, layout: u32) {
        *self.by_layout.entry(layout).or_default() += 1;
    }

    /// Counts a client out, with what it had set aside.
    pub(super) fn left(&mut self, client: &Client) {
        self.gone_from(client.layout);
        self.set_aside -= client.aside.len() as u64;
    }

    fn gone_from(&mut self, layout: u32) {
        let count = self.by_layout.get_mut(&layout).expect("`joined` counted it");
        *count -= 1;
        if *count == 0 {
            self.by_layout.remove(&layout);
        }
    }

    /// Parts that are set aside on clients.
    pub(super) const fn set_aside(&self) -> u64 {
        self.set_aside
    }

    /// Sessions that are not in this layout.
    pub(super) fn not_in(&self, layout: u32) -> u64 {
        let elsewhere = self.by_layout.iter().filter(|(of, _)| **of != layout);
        elsewhere.map(|(_, count)| *count as u64).sum()
    }

    /// Notes a switch between two layouts.
    pub(super) fn switched(&mut self, from: u32, leg: Leg, to: u32) {
        self.trail.leave(from, leg, to);
        self.drained = 0;
    }

    /// Whether a switch to this layout may come while sessions are on their way.
    pub(super) fn composes(&self, to: Option<u32>) -> bool {
        self.trail.composes(to)
    }
}

impl Core {
    /// Brings a client's session to the layout of today. O(parts of a session), once per switch.
    #[cold]
    pub(super) fn bring(&mut self, client: &mut Client) {
        let (from, today) = (client.layout, self.state.root_layout);
        self.sessions.gone_from(from);
        self.sessions.joined(today);
        client.layout = today;
        let Some(at) = NonNull::new(client.session) else { return };
        let before = client.aside.len() as u64;
        // SAFETY: the session is in this layout. Nobody refers to it: since the switch it was not asked
        // for, or it would be in today's. The images on the trail are mapped: a discard waits.
        let brought = unsafe { self.sessions.trail.bring(from, at, &mut client.aside) };
        for (schema, lost) in brought.overtaken {
            self.overtaken.tell(&schema, schema.session, vec![lost]);
        }
        client.session = brought.at.as_ptr();
        self.sessions.set_aside = self.sessions.set_aside - before + client.aside.len() as u64;
        self.count_panicked(brought.panicked);
    }

    /// Counts defaults and conversions that panicked: probation looks at it.
    pub(super) fn count_panicked(&mut self, panicked: u64) {
        if panicked > 0 {
            self.state.counters.conversions_panicked += panicked;
            Counters::add(&self.counters.now.conversions_panicked, panicked);
            Counters::add(&self.counters.conversions_panicked, panicked);
        }
    }

    /// Brings sessions while `more` answers true. False when all are in the layout of today.
    pub(super) fn drain_sessions(&mut self, mut more: impl FnMut() -> bool) -> bool {
        let today = self.state.root_layout;
        if self.sessions.not_in(today) == 0 {
            self.sessions.trail.clear();
            return false;
        }
        while let Some(client) = self.state.clients.after(self.sessions.drained) {
            // SAFETY: found among the living; no plugin code runs, so nobody else refers to it.
            let client = unsafe { &mut *client.as_ptr() };
            self.sessions.drained = client.id;
            if client.layout != today {
                self.bring(client);
            }
            if !more() {
                return true;
            }
        }
        self.sessions.trail.clear();
        false
    }
}

impl Server {
    /// Brings a client's session, if it is not in the layout of today.
    #[inline]
    pub(super) fn bring(&self, client: NonNull<Client>) {
        // SAFETY: the client lives; no plugin code runs that could refer to its record.
        let client = unsafe { &mut *client.as_ptr() };
        if client.layout != self.layout.get() {
            self.core.borrow_mut().bring(client);
        }
    }
}
