//! A `TestServer` and a real redis-server, asked the same by one client each.

use crate::common::{One, V2, encode};
use crate::peer::Redis;
use crate::resp::{Value, parse};

/// The two of them.
pub struct Both {
    one: One<V2>,
    redis: Redis,
}

impl Both {
    /// Starts them; `None` when there is no redis-server.
    pub fn start() -> Option<Self> {
        let Some(mut redis) = Redis::start() else {
            println!("skipped: no redis-server");
            return None;
        };
        redis.renew(1);
        Some(Self { one: One::new(), redis })
    }

    /// What kv and what Redis answers.
    pub fn ask(&mut self, words: &[&str]) -> [Vec<u8>; 2] {
        let request = encode(words);
        let ours = self.one.server.ask(self.one.client, &request);
        self.redis.send(0, &request);
        self.redis.sync();
        let theirs = self.redis.read_until(0, |bytes| bytes == ours);
        [ours, theirs]
    }

    /// The same, as values.
    #[allow(dead_code, reason = "not every test compares values")]
    pub fn values(&mut self, words: &[&str]) -> [Value; 2] {
        self.ask(words).map(|bytes| parse(&bytes).expect("a whole reply").0)
    }
}
