//! CLIENT TRACKING: clients keep copies of what they read, and hear when it changes.
//!
//! Either the server notes who read which key and tells each reader once ([`Tracking::readers`]), or a
//! client hears of every change of keys that begin in some way ([`Tracking::prefixes`]). What is to be
//! told waits until the request is answered, so that a client hears of its own change behind its
//! reply.

use hotshell_plugin_api::collections::{BTreeMap, Bytes, HashMap, Vec as StateVec};
use hotshell_plugin_api::ctx::ClientId;
use hotshell_plugin_api::state;

use crate::cx::{Cx, is};
use crate::flags::Flags;
use crate::key_places;
use crate::services::Services;
use crate::state::{MODE_TRACKING, State};
use crate::table::Row;

/// Where clients of RESP2 hear of changes, when a client sends them there.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// What is noted for all who track.
#[state]
#[derive(Debug)]
pub struct Tracking {
    /// Who tracks.
    pub clients: HashMap<ClientId, Tracker>,
    /// Who read a key and was not told since that it changed.
    pub readers: Readers,
    /// Who hears of all keys that begin so.
    pub prefixes: BTreeMap<Bytes, StateVec<ClientId>>,
    /// Who is to hear of which key behind the reply.
    news: StateVec<News>,
    /// Keys that changed since prefixes were told last, by the prefix, and who changed them.
    changed: BTreeMap<Bytes, BTreeMap<Bytes, ClientId>>,
}

/// Clients by the key that they read.
pub type Readers = HashMap<Bytes, StateVec<ClientId>>;

/// How one client tracks.
#[state]
#[derive(Debug)]
pub struct Tracker {
    /// See the `TRACKS_*` bits.
    pub flags: u32,
    /// Who hears in its place; 0: itself.
    pub redirect: ClientId,
    /// The prefixes that it hears of.
    pub prefixes: StateVec<Bytes>,
}

/// A key that changed, for one client.
#[state]
#[derive(Debug)]
struct News {
    client: ClientId,
    /// All keys are gone.
    flushed: bool,
    key: Bytes,
}

/// It hears of prefixes, whatever it reads.
pub const TRACKS_PREFIXES: u32 = 1;
/// Only reads behind CLIENT CACHING YES are noted.
pub const TRACKS_OPT_IN: u32 = 2;
/// Reads behind CLIENT CACHING NO are not noted.
pub const TRACKS_OPT_OUT: u32 = 4;
/// It does not hear of its own changes.
pub const TRACKS_NO_LOOP: u32 = 8;
/// The client that was to hear is gone.
pub const TRACKS_BROKEN: u32 = 16;
/// CLIENT CACHING was the last request.
pub const TRACKS_CACHING: u32 = 32;

impl Tracker {
    /// Whether all bits of `flags` are set.
    pub fn has(&self, flags: u32) -> bool {
        self.flags & flags == flags
    }
}

/// Lets a client track from now on; prefixes are added to those that it has.
pub fn begin(
    state: &mut State,
    client: ClientId,
    flags: u32,
    redirect: ClientId,
    prefixes: &[&[u8]],
) {
    let tracking = &mut state.tracking;
    let tracker = tracking.clients.entry(client).or_default();
    tracker.flags = flags;
    tracker.redirect = redirect;
    for &prefix in prefixes {
        if !tracker.prefixes.iter().any(|known| known == prefix) {
            tracker.prefixes.push(prefix.into());
            let heard = tracking.prefixes.entry(prefix.into()).or_default();
            heard.push(client);
        }
    }
    tracker.prefixes.sort();
    state.set_mode(MODE_TRACKING, true);
}

/// Ends it for a client that is gone. When it was the last one, all that was noted is forgotten.
pub fn leave(state: &mut State, shell: &mut dyn Services, client: ClientId) {
    end(state, client);
    if state.tracking.clients.is_empty() {
        forget_readers(state, shell);
    }
}

/// Ends it for a client. What was noted of its reads is forgotten when it would be told, as in Redis:
/// it is told if it tracks again by then.
pub fn end(state: &mut State, client: ClientId) {
    let tracking = &mut state.tracking;
    let Some(tracker) = tracking.clients.remove(&client) else { return };
    for prefix in &tracker.prefixes {
        if let Some(clients) = tracking.prefixes.get_mut(prefix) {
            clients.retain(|&id| id != client);
            if clients.is_empty() {
                tracking.prefixes.remove(prefix);
                tracking.changed.remove(prefix);
            }
        }
    }
    choose_mode(state);
}

/// Commands look at it as long as there is somebody to tell, or something noted.
fn choose_mode(state: &mut State) {
    let Tracking { clients, readers, news, .. } = &state.tracking;
    let on = !clients.is_empty() || !readers.is_empty() || !news.is_empty();
    state.set_mode(MODE_TRACKING, on);
}

/// What was noted of all keys is taken apart in slices.
fn forget_readers(state: &mut State, shell: &mut dyn Services) {
    let readers = core::mem::take(&mut state.tracking.readers);
    if !readers.is_empty() {
        state.reader_graves.push(readers);
        shell.wake_at(shell.unix_ms());
    }
    choose_mode(state);
}

/// A key was changed by a client; 0: by nobody.
#[cold]
pub fn changed(state: &mut State, by: ClientId, key: &[u8]) {
    let Tracking { clients, readers, prefixes, news, changed } = &mut state.tracking;
    for prefix in prefixes.keys().filter(|prefix| key.starts_with(prefix)) {
        changed.entry(prefix.clone()).or_default().insert(key.into(), by);
    }
    for client in readers.remove(key).into_iter().flatten() {
        let Some(tracker) = clients.get(&client) else { continue };
        let own = tracker.has(TRACKS_NO_LOOP) && client == by;
        if !own && !tracker.has(TRACKS_PREFIXES) {
            news.push(News { client, flushed: false, key: key.into() });
        }
    }
    if clients.is_empty() && readers.is_empty() && news.is_empty() {
        choose_mode(state);
    }
}

/// All keys of a database are gone: whoever tracks forgets all that it has. Cheap when nobody does.
pub fn flushed(state: &mut State, shell: &mut dyn Services) {
    forget_readers(state, shell);
    let tracking = &mut state.tracking;
    for &client in tracking.clients.keys() {
        tracking.news.push(News { client, flushed: true, key: Bytes::new() });
    }
}

/// A command was run: notes what the client read by it, or tried to.
pub fn after(cx: &mut Cx<'_>, row: &Row, args: &[&[u8]]) {
    let client = cx.client;
    let Some(tracker) = cx.state.tracking.clients.get(&client) else { return };
    let caching = tracker.has(TRACKS_CACHING);
    let wanted = match () {
        () if tracker.has(TRACKS_PREFIXES) => false,
        () if tracker.has(TRACKS_OPT_IN) => caching,
        () if tracker.has(TRACKS_OPT_OUT) => !caching,
        () => true,
    };
    if wanted && row.flags.has(Flags::READONLY) {
        for key in key_places::keys(row, args).unwrap_or_default() {
            let readers = cx.state.tracking.readers.entry(key.into()).or_default();
            if !readers.contains(&client) {
                readers.push(client);
            }
        }
        keep_within_limit(cx);
    }
}

/// A request is answered, or was refused: CLIENT CACHING was for this one, and what changed is told.
#[cold]
pub fn answered(cx: &mut Cx<'_>, name: &[u8]) {
    let announces = cx.session.in_multi() || is(name, "client");
    let tracker = cx.state.tracking.clients.get_mut(&cx.client);
    if let Some(tracker) = tracker.filter(|_| !announces) {
        tracker.flags &= !TRACKS_CACHING;
    }
    tell(cx.state, cx.shell);
}

/// Beyond the limit readers of any key are told that it changed.
fn keep_within_limit(cx: &mut Cx<'_>) {
    let most = cx.state.settings.tracked_keys;
    while most > 0 && cx.state.tracking.readers.len() as u64 > most {
        let random = cx.state.tracking.readers.random_entry(|| cx.shell.random());
        let Some(key) = random.map(|(key, _)| key.clone()) else { return };
        // Of prefixes nobody is told: the key is as it was.
        for client in cx.state.tracking.readers.remove(&key).into_iter().flatten() {
            cx.state.tracking.news.push(News { client, flushed: false, key: key.clone() });
        }
    }
}

/// Tells readers but the one that is served now, whose reply comes first, of what changed.
#[cold]
pub fn tell_others(state: &mut State, shell: &mut dyn Services, served: ClientId) {
    let mut own = StateVec::new();
    for news in core::mem::take(&mut state.tracking.news) {
        if news.client == served {
            own.push(news);
            continue;
        }
        let keys = [&news.key[..]];
        send(state, shell, news.client, (!news.flushed).then_some(&keys));
    }
    state.tracking.news = own;
}

/// Tells whoever is to hear of what changed.
#[cold]
pub fn tell(state: &mut State, shell: &mut dyn Services) {
    tell_others(state, shell, 0);
    if state.tracking.clients.is_empty() {
        choose_mode(state);
    }
    for (prefix, keys) in core::mem::take(&mut state.tracking.changed) {
        let heard = state.tracking.prefixes.get(&prefix);
        for client in heard.into_iter().flatten().copied().collect::<Vec<_>>() {
            let quiet = state.tracking.clients.get(&client).is_some_and(|t| t.has(TRACKS_NO_LOOP));
            let others = keys.iter().filter(|(_, by)| !(quiet && **by == client));
            let keys: Vec<&[u8]> = others.map(|(key, _)| &key[..]).collect();
            if !keys.is_empty() {
                send(state, shell, client, Some(&keys));
            }
        }
    }
}

/// Sends keys that changed, or word that all are gone, to a client or to whom it named.
fn send(state: &mut State, shell: &mut dyn Services, client: ClientId, keys: Option<&[&[u8]]>) {
    let mut to = client;
    // One that stopped tracking in the transaction that changed the key is told at its end, too.
    let tracker = state.tracking.clients.get_mut(&client);
    if let Some(tracker) = tracker.filter(|tracker| tracker.redirect != 0) {
        to = tracker.redirect;
        if shell.client_info(to).is_none() {
            tracker.flags |= TRACKS_BROKEN;
            if state.resp3_clients.contains(&client) {
                let text = format!(">2\r\n$21\r\ntracking-redir-broken\r\n:{to}\r\n");
                shell.send_many(&[client], text.as_bytes());
            }
            return;
        }
    }
    let mut text = Vec::new();
    if state.resp3_clients.contains(&to) {
        text.extend_from_slice(b">2\r\n$10\r\ninvalidate\r\n");
    } else if to != client && listens(state, to) {
        text.extend_from_slice(b"*3\r\n$7\r\nmessage\r\n$20\r\n__redis__:invalidate\r\n");
    } else {
        return;
    }
    match keys {
        Some(keys) => {
            text.extend_from_slice(format!("*{}\r\n", keys.len()).as_bytes());
            for key in keys {
                text.extend_from_slice(format!("${}\r\n", key.len()).as_bytes());
                text.extend_from_slice(key);
                text.extend_from_slice(b"\r\n");
            }
        }
        None if state.resp3_clients.contains(&client) => text.extend_from_slice(b"_\r\n"),
        None => text.extend_from_slice(b"$-1\r\n"),
    }
    shell.send_many(&[to], &text);
}

/// Whether a client of RESP2 is subscribed to [`CHANNEL`].
fn listens(state: &State, client: ClientId) -> bool {
    state.channels.get(CHANNEL).is_some_and(|ids| ids.contains(&client))
}
