//! Keyspace notifications: what happens to keys, as messages (`notify.c`).

use crate::pubsub;
use crate::services::Services;
use crate::state::State;

/// `K`: to the channel of the key.
pub const KEYSPACE: u32 = 1;
/// `E`: to the channel of the event.
pub const KEYEVENT: u32 = 2;
/// `g`: of any type, as DEL, EXPIRE, RENAME.
pub const GENERIC: u32 = 4;
/// `$`: strings.
pub const STRING: u32 = 8;
/// `l`: lists.
pub const LIST: u32 = 16;
/// `s`: sets.
pub const SET: u32 = 32;
/// `h`: hashes.
pub const HASH: u32 = 64;
/// `z`: sorted sets.
pub const ZSET: u32 = 128;
/// `x`: a time to live ended.
pub const EXPIRED: u32 = 256;
/// `e`: evicted.
pub const EVICTED: u32 = 512;
/// `t`: streams.
pub const STREAM: u32 = 1024;
/// `m`: read, but not there.
pub const KEY_MISS: u32 = 2048;
/// `d`: of modules; none is ever sent.
pub const MODULE: u32 = 1 << 13;
/// `n`: a key is new.
pub const NEW: u32 = 1 << 14;

/// `A`: all but misses and new keys.
const ALL: u32 = GENERIC | STRING | LIST | SET | HASH | ZSET | EXPIRED | EVICTED | STREAM | MODULE;
/// What `A` stands for in Redis' order.
const CLASSES: [(u8, u32); 10] = [
    (b'g', GENERIC),
    (b'$', STRING),
    (b'l', LIST),
    (b's', SET),
    (b'h', HASH),
    (b'z', ZSET),
    (b'x', EXPIRED),
    (b'e', EVICTED),
    (b't', STREAM),
    (b'd', MODULE),
];
/// The others.
const REST: [(u8, u32); 4] = [(b'K', KEYSPACE), (b'E', KEYEVENT), (b'm', KEY_MISS), (b'n', NEW)];

/// Reads `notify-keyspace-events`; `None` when a letter is unknown.
pub fn parse(text: &[u8]) -> Option<u32> {
    let mut flags = 0;
    for &letter in text {
        flags |= match letter {
            b'A' => ALL,
            _ => CLASSES.iter().chain(&REST).find(|(known, _)| *known == letter)?.1,
        };
    }
    Some(flags)
}

/// Writes flags as CONFIG GET shows them.
pub fn text(flags: u32) -> Vec<u8> {
    let mut text = Vec::new();
    if flags & ALL == ALL {
        text.push(b'A');
    } else {
        text.extend(CLASSES.iter().filter(|(_, bit)| flags & bit != 0).map(|(letter, _)| letter));
    }
    text.extend(REST.iter().filter(|(_, bit)| flags & bit != 0).map(|(letter, _)| letter));
    text
}

/// Tells of an event of a key, if such events are wanted.
#[inline(always)]
pub fn notify(
    state: &mut State,
    shell: &mut dyn Services,
    class: u32,
    event: &str,
    db: u32,
    key: &[u8],
) {
    if state.settings.notify & class != 0 {
        publish(state, shell, event, db, key);
    }
}

#[cold]
fn publish(state: &mut State, shell: &mut dyn Services, event: &str, db: u32, key: &[u8]) {
    let flags = state.settings.notify;
    if flags & KEYSPACE != 0 {
        let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
        pubsub::publish(state, shell, &channel, event.as_bytes());
    }
    if flags & KEYEVENT != 0 {
        let channel = format!("__keyevent@{db}__:{event}");
        pubsub::publish(state, shell, channel.as_bytes(), key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_and_written_as_redis_does() {
        for (text_in, text_out) in
            [("", ""), ("KEA", "AKE"), ("Ex", "xE"), ("g$lshzxetdKE", "AKE"), ("nmK", "Kmn")]
        {
            let flags = parse(text_in.as_bytes()).unwrap();
            assert_eq!(String::from_utf8(text(flags)).unwrap(), text_out);
        }
        assert_eq!(parse(b"Kq"), None);
    }
}
