//! Channels and patterns: who is subscribed, and how a message reaches all of them.

use hotshell_plugin_api::collections::{Box, Bytes, HashMap, Option, Vec as StateVec};
use hotshell_plugin_api::ctx::ClientId;

use crate::cx::Cx;
use crate::glob;
use crate::level::v;
use crate::reply::Reply;
use crate::services::Services;
use crate::state::{Session, State, Subscriptions};

/// What a client subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A channel by its name.
    Channel,
    /// All channels whose names match.
    Pattern,
    /// A shard channel: a server without a cluster is one shard.
    Shard,
}

impl Kind {
    fn directory(self, state: &mut State) -> &mut HashMap<Bytes, StateVec<ClientId>> {
        match self {
            Self::Channel => &mut state.channels,
            Self::Pattern => &mut state.patterns,
            Self::Shard => &mut state.shards,
        }
    }

    fn names(
        self,
        subscriptions: &mut Subscriptions,
    ) -> &mut hotshell_plugin_api::collections::HashSet<Bytes> {
        match self {
            Self::Channel => &mut subscriptions.channels,
            Self::Pattern => &mut subscriptions.patterns,
            Self::Shard => &mut subscriptions.shards,
        }
    }

    /// The words that answer subscribing and unsubscribing.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Channel => ("subscribe", "unsubscribe"),
            Self::Pattern => ("psubscribe", "punsubscribe"),
            Self::Shard => ("ssubscribe", "sunsubscribe"),
        }
    }
}

/// Patterns that clients are subscribed to. Redis 4 counts one as often as it has subscribers.
pub fn count_patterns(cx: &Cx<'_>) -> usize {
    let patterns = &cx.state.patterns;
    if cx.has(v(6, 2)) { patterns.len() } else { patterns.values().map(|ids| ids.len()).sum() }
}

/// Subscribes the client; the reply tells its number of subscriptions.
pub fn subscribe(cx: &mut Cx<'_>, kind: Kind, name: &[u8]) {
    if cx.session.subscriptions.is_none() {
        cx.session.subscriptions = Option::Some(Box::new(Subscriptions::default()));
    }
    let own = cx.session.subscriptions.as_std_mut().expect("set above");
    if kind.names(own).insert(Bytes::from(name)) {
        kind.directory(cx.state).entry(Bytes::from(name)).or_default().push(cx.client);
        // How much waits for listeners is looked at as long as there are some.
        cx.shell.wake_at(cx.now);
    }
    answer(cx, kind, kind.words().0, Some(name));
}

/// Unsubscribes the client from one name.
pub fn unsubscribe(cx: &mut Cx<'_>, kind: Kind, name: &[u8]) {
    if let Some(own) = cx.session.subscriptions.as_std_mut()
        && kind.names(own).remove(name)
    {
        leave(kind.directory(cx.state), name, cx.client);
    }
    answer_unsubscribed(cx, kind, Some(name));
}

/// Unsubscribes the client from everything of one kind.
pub fn unsubscribe_all(cx: &mut Cx<'_>, kind: Kind) {
    let names: Vec<Bytes> = match cx.session.subscriptions.as_std_mut() {
        Some(own) => kind.names(own).iter().cloned().collect(),
        None => Vec::new(),
    };
    if names.is_empty() {
        answer_unsubscribed(cx, kind, None);
    }
    for name in names {
        unsubscribe(cx, kind, &name);
    }
}

fn answer_unsubscribed(cx: &mut Cx<'_>, kind: Kind, name: std::option::Option<&[u8]>) {
    answer(cx, kind, kind.words().1, name);
    if cx.session.subscribed() + cx.session.shards_subscribed() == 0 {
        cx.session.subscriptions = Option::None;
    }
}

fn answer(cx: &mut Cx<'_>, kind: Kind, word: &str, name: std::option::Option<&[u8]>) {
    let count = match kind {
        Kind::Shard => cx.session.shards_subscribed(),
        Kind::Channel | Kind::Pattern => cx.session.subscribed(),
    };
    cx.beside_replies(|cx| {
        cx.out.push(3);
        cx.out.bulk(word.as_bytes());
        cx.out.bulk_or_null(name);
        cx.out.int(count as i64);
    });
}

fn leave(directory: &mut HashMap<Bytes, StateVec<ClientId>>, name: &[u8], client: ClientId) {
    if let Some(ids) = directory.get_mut(name) {
        ids.retain(|&id| id != client);
        if ids.is_empty() {
            directory.remove(name);
        }
    }
}

/// Ends all subscriptions of a client without a word.
pub fn forget(state: &mut State, client: ClientId, session: &mut Session) {
    let Some(own) = session.subscriptions.take() else { return };
    for name in own.channels.iter() {
        leave(&mut state.channels, name, client);
    }
    for name in own.patterns.iter() {
        leave(&mut state.patterns, name, client);
    }
    for name in own.shards.iter() {
        leave(&mut state.shards, name, client);
    }
}

/// Sends a message to all who hear the channel; answers how many there are. The message is encoded
/// once per name it is heard under.
pub fn publish(state: &State, shell: &mut dyn Services, channel: &[u8], message: &[u8]) -> usize {
    let mut count = 0;
    if let Some(ids) = state.channels.get(channel) {
        let push = encode(&[b"message", channel, message]);
        count += send(state, shell, ids, push);
    }
    for (pattern, ids) in state.patterns.iter() {
        if glob::matches(pattern, channel, false) {
            let push = encode(&[b"pmessage", pattern, channel, message]);
            count += send(state, shell, ids, push);
        }
    }
    count
}

/// [`publish`] to a shard channel.
pub fn publish_to_shard(
    state: &State,
    shell: &mut dyn Services,
    channel: &[u8],
    message: &[u8],
) -> usize {
    let Some(ids) = state.shards.get(channel) else { return 0 };
    send(state, shell, ids, encode(&[b"smessage", channel, message]))
}

/// Sends a message of RESP2 to those who speak it, and to the others the one of RESP3, which differs in
/// the first byte.
fn send(state: &State, shell: &mut dyn Services, ids: &[ClientId], mut message: Vec<u8>) -> usize {
    if state.resp3_clients.is_empty() {
        return shell.send_many(ids, &message);
    }
    let new = |id: &ClientId| state.resp3_clients.contains(id);
    let (new, old): (Vec<ClientId>, Vec<ClientId>) = ids.iter().partition(|id| new(id));
    let count = shell.send_many(&old, &message);
    message[0] = b'>';
    count + shell.send_many(&new, &message)
}

fn encode(parts: &[&[u8]]) -> Vec<u8> {
    let mut push = format!("*{}\r\n", parts.len()).into_bytes();
    for part in parts {
        push.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
        push.extend_from_slice(part);
        push.extend_from_slice(b"\r\n");
    }
    push
}
