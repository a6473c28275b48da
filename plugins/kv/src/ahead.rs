//! A look ahead in a pipeline: the keys of requests that arrived together are fetched from memory
//! together, before the first of them is executed.

use hotshell_plugin_api::collections::HashMap;

use crate::resp;
use crate::state::Keyspace;

/// Requests that are looked at together.
const REQUESTS: usize = 16;
/// From this many keys on a keyspace is larger than the caches that are worth the look.
const KEYS: usize = 4096;

/// Fetches the keys of the requests at the front of `input`, the first of which has the key `key` and is
/// `first` bytes long. Answers how many bytes have been looked at.
#[inline(never)]
pub fn look(keys: &Keyspace, input: &[u8], key: &[u8], first: usize) -> usize {
    if keys.len() < KEYS {
        return input.len();
    }
    let mut batch = [key; REQUESTS];
    let (mut count, mut seen) = (1, first);
    while count < REQUESTS {
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
