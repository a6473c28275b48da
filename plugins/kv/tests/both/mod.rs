//! A `TestServer` and a real redis-server, asked the same by one client each.

use hotshell_plugin_api::prelude::Plugin;

use crate::common::{One, V2, encode};
use crate::peer::{Redis, unix_ms};
use crate::resp::{Value, parse};

/// The two of them.
pub struct Both<P: Plugin> {
    one: One<P>,
    redis: Redis,
}

impl Both<V2> {
    /// Starts them; `None` when there is no redis-server.
    #[allow(dead_code, reason = "version 1 has another Redis beside it")]
    pub fn start() -> Option<Self> {
        let redis = Redis::start();
        if redis.is_none() {
            println!("skipped: no redis-server");
        }
        redis.map(Self::beside)
    }
}

impl<P: Plugin> Both<P> {
    /// A fresh kv beside this one.
    pub fn beside(mut redis: Redis) -> Self {
        redis.renew(1);
        Self { one: One::new(), redis }
    }

    /// Moves the clock of kv on to that of Redis.
    #[allow(dead_code, reason = "most tests do not depend on the time of day")]
    pub fn catch_up(&mut self) {
        let behind = unix_ms().saturating_sub(self.one.server.unix_ms());
        self.one.server.advance(behind);
    }

    /// What kv and what Redis answers.
    pub fn ask<A: AsRef<[u8]>>(&mut self, words: &[A]) -> [Vec<u8>; 2] {
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
