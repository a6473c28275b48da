//! What commands do to the server, as flags with Redis' names.

use crate::level::{Level, v};

/// A set of flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(u32);

macro_rules! flags {
    ($($name:ident = $bit:literal, $text:literal, $doc:literal;)*) => {
        impl Flags {
            $(#[doc = $doc] pub const $name: Self = Self(1 << $bit);)*
            const ALL: &'static [(Self, &'static str)] = &[$((Self::$name, $text)),*];
        }
    };
}

flags! {
    WRITE = 0, "write", "May change data.";
    READONLY = 1, "readonly", "Reads data.";
    DENYOOM = 2, "denyoom", "May need more memory.";
    ADMIN = 3, "admin", "For admins.";
    PUBSUB = 4, "pubsub", "About channels.";
    NOSCRIPT = 5, "noscript", "Not from scripts.";
    BLOCKING = 6, "blocking", "May make the client wait.";
    LOADING = 7, "loading", "Also while data is loaded.";
    STALE = 8, "stale", "Also on a stale replica.";
    SKIP_MONITOR = 9, "skip_monitor", "In Redis a script shows itself to MONITOR.";
    SKIP_SLOWLOG = 19, "skip_slowlog", "Not in the slow log.";
    ASKING = 20, "asking", "Also of keys that a cluster is about to move here.";
    FAST = 10, "fast", "O(1) or O(log n).";
    NO_AUTH = 11, "no_auth", "Without authentication.";
    NO_MANDATORY_KEYS = 18, "no_mandatory_keys", "The number of keys may be 0.";
    NO_ASYNC_LOADING = 17, "no_async_loading", "Not while a replica loads beside its old data.";
    NO_MULTI = 13, "no_multi", "Not inside MULTI.";
    ALLOW_BUSY = 12, "allow_busy", "Also while a script is busy.";
    RANDOM = 14, "random", "Answers differ from call to call.";
    IN_SUBSCRIBED = 15, "", "Allowed while the client is subscribed.";
    AT_ONCE = 16, "", "Executed inside MULTI instead of queued.";
}

impl Flags {
    /// None.
    pub const NONE: Self = Self(0);

    /// Both sets.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all flags of `other` are set.
    #[inline(always)]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Redis' names of the flags in its order, as far as it had them at a level; those of our own have
    /// none.
    pub fn names(self, level: Level) -> impl Iterator<Item = &'static str> {
        let set = Self::ALL.iter().filter(move |(flag, _)| self.has(*flag));
        let there = move |name: &&str| match *name {
            "" => false,
            "random" => level < v(7, 0),
            "no_auth" => level >= v(6, 0),
            "allow_busy" | "blocking" | "no_multi" => level >= v(7, 0),
            "no_async_loading" | "no_mandatory_keys" | "skip_slowlog" => level >= v(7, 0),
            _ => true,
        };
        set.map(|(_, name)| *name).filter(there)
    }
}

/// Flags that many rows share.
pub const WRITE: Flags = Flags::WRITE.or(Flags::DENYOOM);
/// Writes, and is fast.
pub const WRITE_FAST: Flags = WRITE.or(Flags::FAST);
/// Removes data, and is fast.
pub const REMOVE_FAST: Flags = Flags::WRITE.or(Flags::FAST);
/// Reads.
pub const READ: Flags = Flags::READONLY;
/// Reads, and is fast.
pub const READ_FAST: Flags = Flags::READONLY.or(Flags::FAST);
/// Of the connection.
pub const CONNECTION: Flags = Flags::NOSCRIPT.or(ANYWHERE);
/// Also from scripts.
pub const ANYWHERE: Flags = Flags::LOADING.or(Flags::STALE);
