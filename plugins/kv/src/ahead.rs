//! A look ahead: the keys of a command, and those of requests that arrived together, are fetched from
//! memory together before the first of them is used.

use hotshell_plugin_api::collections::HashMap;

use crate::resp;
use crate::state::Keyspace;

/// Keys that are fetched together.
pub const BATCH: usize = 16;
/// From this many keys on a keyspace is larger than the caches that are worth the look.
const KEYS: usize = 4096;

/// Fetches the keys of the requests at the front of `input`, the first of which has the key `key` and is
/// `first` bytes long. Answers how many bytes have been looked at.
#[inline(never)]
pub fn look(keys: &Keyspace, input: &[u8], key: &[u8], first: usize) -> usize {
    if keys.len() < KEYS {
        return input.len();
    }
    let mut batch = [key; BATCH];
    let (mut count, mut seen) = (1, first);
    while count < BATCH {
        let Some((key, len)) = resp::glance(&input[seen..]) else { break };
        if count == 1 && key == batch[0] {
            return input.len();
        }
        batch[count] = key;
        count += 1;
        seen += len;
    }
    HashMap::prefetch(keys, &batch[..count]);
    seen
}

/// Fetches up to [`BATCH`] keys that are going to be used.
#[inline]
pub fn fetch(keys: &Keyspace, batch: &[&[u8]]) {
    if batch.len() > 1 && keys.len() >= KEYS {
        HashMap::prefetch(keys, batch);
    }
}

#[cfg(test)]
mod tests {
    use hotshell_plugin_api::collections::Bytes;

    use super::*;
    use crate::value::Value;

    fn keyspace(keys: usize) -> Keyspace {
        let entry = |n| (Bytes::from(key(n).as_bytes()), Value::string(b"v"));
        (0..keys).map(entry).collect()
    }

    fn key(n: usize) -> String {
        format!("key:{n:016}")
    }

    fn get(n: usize) -> String {
        format!("*2\r\n$3\r\nGET\r\n$20\r\n{}\r\n", key(n))
    }

    #[test]
    fn a_look_ends_after_sixteen_requests_or_with_the_last_whole_one() {
        let keys = keyspace(KEYS);
        let one = get(0).len();
        let look = |input: &str| look(&keys, input.as_bytes(), key(0).as_bytes(), one);
        let many: String = (0..40).map(get).collect();
        assert_eq!(look(&many), BATCH * one);
        assert_eq!(look(&many[..3 * one + 5]), 3 * one);
        assert_eq!(look(&format!("{}PING\r\n{}", get(0), get(1))), one);
    }

    #[test]
    fn a_small_keyspace_and_a_pipeline_for_one_key_are_not_looked_at() {
        let many: String = (0..40).map(get).collect();
        let (one, small) = (get(0).len(), keyspace(KEYS - 1));
        assert_eq!(look(&small, many.as_bytes(), key(0).as_bytes(), one), many.len());
        let (large, same) = (keyspace(KEYS), get(0).repeat(40));
        assert_eq!(look(&large, same.as_bytes(), key(0).as_bytes(), one), same.len());
    }
}
