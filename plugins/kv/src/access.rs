//! When, or how often, a key was used: 24 bits in the header of its value, as in Redis.
//!
//! With an LRU policy they are the time of the last access in seconds. With an LFU policy they are 16
//! bits of minutes and a logarithmic counter of 8 bits that decays (`evict.c`).

use crate::services::Services;
use crate::settings::Settings;
use crate::state::State;
use crate::value::Value;

/// What the counter of a new key is, so that it is not evicted at once.
const START: u32 = 5;
const SECONDS: u32 = (1 << 24) - 1;
const MINUTES: u32 = (1 << 16) - 1;

/// What is noted of a key that is used.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// The command looks keys up to read them: hits and misses are counted.
    reads: bool,
    /// [`Access::now`], for the header of the value.
    pub access: [u8; 3],
    /// Wall clock, milliseconds since the Unix epoch.
    pub now: u64,
    /// Where the keys stand that the command looked up last: it may look up the same argument again,
    /// which is no further use.
    last: [usize; 2],
    /// This is such a look.
    again: bool,
}

impl Mark {
    /// Of a request that has used no key yet.
    pub fn new(now_ms: u64) -> Self {
        let access = Access::now(now_ms).bytes();
        Self { reads: false, access, now: now_ms, last: [0; 2], again: false }
    }

    /// A command begins, which only `reads` or not.
    #[inline(always)]
    pub fn begin(&mut self, reads: bool) {
        (self.reads, self.last) = (reads, [0; 2]);
    }

    /// The command changes something, but looks keys up as those do that only read.
    pub fn looks(&mut self) {
        self.reads = true;
    }

    /// The next key is another one, wherever it stands.
    pub fn forget(&mut self) {
        self.last = [0; 2];
    }

    /// A key is about to be looked up.
    #[inline(always)]
    pub fn look(&mut self, key: &[u8]) {
        let at = key.as_ptr().addr();
        self.again = self.last.contains(&at);
        if !self.again {
            self.last = [at, self.last[0]];
        }
    }

    /// Whether what is found, or not, counts as a hit or a miss.
    #[inline(always)]
    pub fn tells(&self) -> bool {
        self.reads && !self.again
    }
}

impl State {
    /// The value of a key, whose use is noted.
    #[inline(always)]
    pub fn use_key(
        &mut self,
        shell: &mut dyn Services,
        db: u32,
        key: &[u8],
        mark: Mark,
    ) -> Option<&mut Value> {
        let Some(value) = self.dbs[db as usize].keys.get_mut(key) else {
            self.stats.misses += u64::from(mark.tells());
            return None;
        };
        self.stats.hits += u64::from(mark.tells());
        let access = &mut value.head_mut().access;
        if self.settings.policy.by_frequency() {
            if mark.again {
                return Some(value);
            }
            let used = Access::of(*access).used(&self.settings, mark.now, shell.random());
            *access = used.bytes();
        } else {
            *access = mark.access;
        }
        Some(value)
    }
}

/// The access bits of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access(u32);

impl Access {
    /// Reads the bits of a header.
    #[inline(always)]
    pub fn of(bytes: [u8; 3]) -> Self {
        Self(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]))
    }

    /// The bits for a header.
    #[inline(always)]
    pub fn bytes(self) -> [u8; 3] {
        let [a, b, c, _] = self.0.to_le_bytes();
        [a, b, c]
    }

    /// The bits as a number.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Now, by the wall clock in milliseconds.
    #[inline(always)]
    pub fn now(now_ms: u64) -> Self {
        Self((now_ms / 1000) as u32 & SECONDS)
    }

    /// What a new value starts with.
    pub fn start(settings: &Settings, now_ms: u64) -> Self {
        if settings.policy.by_frequency() {
            return Self(minutes(now_ms) << 8 | START);
        }
        Self::now(now_ms)
    }

    /// Seconds since then. What was noted as minutes, under another policy, is taken for seconds.
    pub fn idle_seconds(self, now_ms: u64) -> u64 {
        u64::from(elapsed(self.0, Self::now(now_ms).0, SECONDS))
    }

    /// Made to look as if it were idle for so many seconds.
    pub fn idle_for(seconds: u64, now_ms: u64) -> Self {
        let now = i64::from(Self::now(now_ms).0);
        // What lies before the beginning of the clock is brought behind it as [`elapsed`] takes it back.
        let wraps = if seconds > now as u64 { i64::from(SECONDS) } else { 0 };
        Self(now.wrapping_sub(seconds as i64).wrapping_add(wraps) as u32 & SECONDS)
    }

    /// Made with this frequency.
    pub fn with_frequency(frequency: u8, now_ms: u64) -> Self {
        Self(minutes(now_ms) << 8 | u32::from(frequency))
    }

    /// The frequency as of now.
    pub fn frequency(self, settings: &Settings, now_ms: u64) -> u8 {
        let elapsed = elapsed(self.0 >> 8, minutes(now_ms), MINUTES);
        let lost = elapsed.checked_div(settings.lfu_decay_minutes).unwrap_or(0);
        (self.0 & 255).saturating_sub(lost) as u8
    }

    /// After one more use: the higher the frequency, the rarer it is raised.
    pub fn used(self, settings: &Settings, now_ms: u64, random: u64) -> Self {
        let frequency = self.frequency(settings, now_ms);
        let above = f64::from(u32::from(frequency).saturating_sub(START));
        let chance = 1.0 / (above * f64::from(settings.lfu_log_factor) + 1.0);
        let drawn = (random >> 11) as f64 / (1u64 << 53) as f64;
        let raised = frequency.saturating_add(u8::from(drawn < chance));
        Self::with_frequency(raised, now_ms)
    }
}

/// From `then` to `now`, which wrap behind `most`. Redis counts one less across the wrap, which is what a
/// client sees after a change of the policy: then most of them seem to lie ahead.
const fn elapsed(then: u32, now: u32, most: u32) -> u32 {
    if now >= then { now - then } else { most - then + now }
}

fn minutes(now_ms: u64) -> u32 {
    (now_ms / 60_000) as u32 & MINUTES
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Policy;

    const NOW: u64 = 1_700_000_000_000;

    #[test]
    fn idle_time_is_counted_across_the_wrap_of_24_bits() {
        assert_eq!(Access::now(NOW).idle_seconds(NOW + 7_999), 7);
        let early = Access::idle_for(16_000_000, NOW);
        assert_eq!(Access::of(early.bytes()).idle_seconds(NOW), 16_000_000);
        let ahead = Access(Access::now(NOW).0 + 1);
        assert_eq!(ahead.idle_seconds(NOW), u64::from(SECONDS) - 1, "as Redis counts");
    }

    #[test]
    fn a_frequency_rises_ever_slower_and_decays_by_the_minute() {
        let settings = Settings { policy: Policy::AllKeysLfu, ..Settings::default() };
        let mut access = Access::start(&settings, NOW);
        assert_eq!(access.frequency(&settings, NOW), 5);
        let mut random = 0u64;
        let mut use_it = |access: Access, times: u32| {
            (0..times).fold(access, |access, _| {
                random = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
                access.used(&settings, NOW, random)
            })
        };
        access = use_it(access, 100);
        let hundred = access.frequency(&settings, NOW);
        assert!((7..=14).contains(&hundred), "{hundred}: redis.conf says about 10");
        access = use_it(access, 100_000);
        let many = access.frequency(&settings, NOW);
        assert!((100..=180).contains(&many), "{many}: redis.conf says about 142");
        assert_eq!(access.frequency(&settings, NOW + 3 * 60_000), many - 3);
    }
}
