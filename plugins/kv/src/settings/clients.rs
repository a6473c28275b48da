//! What clients may take of the memory: `client-output-buffer-limit` and `maxmemory-clients`.

use hotshell_plugin_api::state;

use crate::number::parse_memory;

/// How much may wait to be sent to a client of some class.
#[state]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutputLimit {
    /// A client with more is closed, bytes; 0: no limit.
    pub hard: u64,
    /// A client with more is closed after a while, bytes; 0: no limit.
    pub soft: u64,
    /// After how many seconds.
    pub soft_s: u64,
}

/// What all clients together may take.
#[state]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// So many bytes; 0: no limit.
    Bytes(u64),
    /// So many hundredths of `maxmemory`.
    #[state(default)]
    Percent(u64),
}

impl OutputLimit {
    /// Redis' default for subscribers.
    pub const LISTENERS: Self = Self { hard: 32 << 20, soft: 8 << 20, soft_s: 60 };

    /// The limit of a class in a value of `client-output-buffer-limit` that has all classes.
    pub fn of(class: &str, text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let words: Vec<&str> = text.split(' ').collect();
        let found = words.chunks_exact(4).find(|words| words[0] == class);
        let number =
            |n: usize| found.map_or(0, |words| parse_memory(words[n].as_bytes()).unwrap_or(0));
        Self { hard: number(1), soft: number(2), soft_s: number(3) }
    }

    /// Whether there is one.
    pub fn is_set(self) -> bool {
        self.hard > 0 || self.soft > 0
    }

    /// Whether so much is too much at once.
    pub fn is_over(self, bytes: u64) -> bool {
        self.hard > 0 && bytes > self.hard
    }
}

impl Share {
    /// A value of `maxmemory-clients`.
    pub fn of(text: &[u8]) -> Self {
        match text.strip_suffix(b"%") {
            Some(percent) => Self::Percent(parse_memory(percent).unwrap_or(0)),
            None => Self::Bytes(parse_memory(text).unwrap_or(0)),
        }
    }

    /// As bytes, where there is a limit.
    pub fn bytes(self, maxmemory: u64) -> Option<u64> {
        let bytes = match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => (u128::from(maxmemory) * u128::from(percent) / 100) as u64,
        };
        (bytes > 0).then_some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_of_a_class_are_read_from_the_text_of_all() {
        let text = b"normal 0 1kb 2 slave 1 2 3 pubsub 33554432 8388608 60";
        assert_eq!(OutputLimit::of("pubsub", text), OutputLimit::LISTENERS);
        let normal = OutputLimit { hard: 0, soft: 1024, soft_s: 2 };
        assert_eq!(OutputLimit::of("normal", text), normal);
        assert!(normal.is_set() && !normal.is_over(1 << 40));
        assert!(!OutputLimit::default().is_set());
    }

    #[test]
    fn the_share_of_clients_is_bytes_or_a_part_of_all_memory() {
        assert_eq!(Share::of(b"0").bytes(100), None);
        assert_eq!(Share::of(b"7").bytes(100), Some(7));
        assert_eq!(Share::of(b"5%").bytes(1000), Some(50));
        assert_eq!(Share::of(b"5%").bytes(0), None);
        assert_eq!(Share::default().bytes(1000), None);
    }
}
