//! Clients that wait for entries of streams.

use hotshell_plugin_api::collections::Bytes;
use hotshell_plugin_api::ctx::ClientId;

use super::{answer, forget};
use crate::journal;
use crate::notify;
use crate::reading;
use crate::reply::Reply;
use crate::services::Services;
use crate::state::{Reading, State};
use crate::value::Value;

/// Serves all clients that read a stream and have not got its last entries, or whose group is gone
/// with it.
pub(super) fn serve(state: &mut State, shell: &mut dyn Services, db: u32, key: &Bytes) {
    let queue = state.db(db).waiting.get(key);
    let clients: Vec<ClientId> = queue.into_iter().flatten().copied().collect();
    for client in clients {
        serve_one(state, shell, db, key, client);
    }
}

fn serve_one(
    state: &mut State,
    shell: &mut dyn Services,
    db: u32,
    key: &Bytes,
    client: ClientId,
) -> Option<()> {
    let now = shell.unix_ms();
    let session = shell.session_of(client)?;
    let waiting = session.waiting.as_std()?;
    let reading = waiting.reading.as_std()?;
    let place = waiting.keys.iter().position(|known| known == key)?;
    let stream = state.db(db).keys.get(key).and_then(Value::stream);
    let group = stream.and_then(|stream| stream.groups.get(&reading.group));
    let error = match (stream, group) {
        (None, _) if !reading.in_group => return None,
        (None, _) => Some("UNBLOCKED the stream key no longer exists"),
        (_, None) if reading.in_group => {
            Some("NOGROUP the consumer group this client was blocked on no longer exists")
        }
        _ => None,
    };
    let from = match group {
        Some(group) if reading.in_group => group.last,
        _ => *reading.ids.get(place)?,
    };
    if error.is_none() && stream.is_none_or(|stream| stream.last <= from) {
        return None;
    }
    let is_new = reading.in_group
        && group.is_some_and(|group| !group.consumers.contains_key(&reading.consumer));
    let waiting = forget(state, client, session)?;
    if is_new {
        notify::notify(state, shell, notify::STREAM, "xgroup-createconsumer", db, key);
    }
    let stream = state.db(db).keys.get_mut(key).and_then(Value::stream_mut);
    match (error, stream, waiting.reading.as_std()) {
        (Some(error), ..) => answer(shell, client, |out| out.error(error)),
        (None, Some(stream), Some(reading)) => {
            answer(shell, client, |out| {
                reading::give(out, stream, key, (reading, from), waiting.count, now);
            });
            if reading.in_group {
                tell_delivery(shell, db, key, reading, waiting.count);
            }
        }
        _ => {}
    }
    shell.resume(client);
    Some(())
}

/// What was delivered to a consumer that waited, as if it had asked now.
fn tell_delivery(shell: &mut dyn Services, db: u32, key: &[u8], reading: &Reading, count: u64) {
    let count = count.to_string();
    let (group, consumer) = (&reading.group[..], &reading.consumer[..]);
    let mut words: Vec<&[u8]> = vec![b"XREADGROUP", b"GROUP", group, consumer, b"COUNT"];
    words.push(count.as_bytes());
    words.extend(reading.no_ack.then_some(&b"NOACK"[..]));
    words.extend([&b"STREAMS"[..], key, b">"]);
    journal::tell(shell, db, &words);
}
