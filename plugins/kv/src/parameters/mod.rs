//! The parameters of CONFIG: names, defaults, what they accept, since when they exist.
//!
//! Those that mean something here are read into [`Settings`]; the others are kept as text, for
//! tools that set and read them.

mod kind;
mod list;

use crate::level::{Level, v};
use crate::settings::Settings;

pub use kind::Kind;
pub use list::PARAMETERS;

/// One parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// The Redis version that brought it.
    pub since: Level,
    /// What it accepts.
    pub kind: Kind,
    /// Its value at first.
    pub default: &'static str,
    /// What it changes.
    pub set: Option<Set>,
}

/// Writes a value, as text of the kind, into the settings.
pub type Set = fn(&mut Settings, &[u8]);

/// Words of older names, and those of newer ones: both name one parameter.
const RENAMED: [(&str, &str); 3] =
    [("listpack", "ziplist"), ("replica", "slave"), ("busy-reply-threshold", "lua-time-limit")];

/// Defaults that Redis had before version 5, where they were others.
const OLD_DEFAULTS: [(&str, &str); 4] = [
    ("active-defrag-cycle-max", "75"),
    ("active-defrag-cycle-min", "25"),
    ("aof-use-rdb-preamble", "no"),
    ("repl-diskless-sync", "no"),
];

/// What Redis took before version 5, where it took something else.
const OLD_KINDS: [(&str, Kind); 4] = [
    ("active-defrag-ignore-bytes", Kind::Memory(0, i64::MAX as u64)),
    ("hash-max-ziplist-value", Kind::Integer(0, i64::MAX)),
    ("hll-sparse-max-bytes", Kind::Integer(0, i64::MAX)),
    ("zset-max-ziplist-value", Kind::Integer(0, i64::MAX)),
];

/// Parameters that are shown only to who asks for them by name: tools of Redis' own tests.
const HIDDEN: [&str; 6] = [
    "key-load-delay",
    "loading-process-events-interval-bytes",
    "lua-enable-deprecated-api",
    "rdb-key-save-delay",
    "use-exit-on-panic",
    "watchdog-period",
];

/// Whether patterns find a parameter.
pub fn is_shown(name: &str) -> bool {
    !HIDDEN.contains(&name)
}

impl Parameter {
    /// Its value at first, as a Redis of a level has it.
    pub fn default_at(&self, level: Level) -> &'static str {
        let old = OLD_DEFAULTS.iter().find(|(name, _)| *name == self.name && level < v(5, 0));
        old.map_or(self.default, |(_, default)| default)
    }

    /// What a Redis of a level accepts.
    pub fn kind_at(&self, level: Level) -> Kind {
        let old = OLD_KINDS.iter().find(|(name, _)| *name == self.name && level < v(5, 0));
        match old.map_or(self.kind, |(_, kind)| *kind) {
            // Protection came with Redis 7.
            Kind::Protected if level < v(7, 0) => Kind::Text,
            kind => kind,
        }
    }

    /// The name under which the value is kept: two names of one parameter share it.
    pub fn stored_as(&self) -> String {
        RENAMED.iter().fold(self.name.to_owned(), |name, (new, old)| name.replace(new, old))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_a_value_that_is_accepted() {
        for one in PARAMETERS {
            if !matches!(one.kind, Kind::Fixed | Kind::Protected) {
                let default = one.default.as_bytes();
                assert_eq!(
                    one.kind.check(default, default).as_deref(),
                    Ok(default),
                    "{}",
                    one.name
                );
            }
        }
    }

    #[test]
    fn parameters_are_in_the_order_of_their_names_and_each_is_there_once() {
        assert!(PARAMETERS.windows(2).all(|two| two[0].name < two[1].name));
    }
}
