//! The parameters of CONFIG: names, defaults, what they accept, since when they exist.
//!
//! Those that mean something here are read into [`Settings`]; the others are kept as text, for
//! tools that set and read them.

mod kind;
mod list;

use crate::settings::Settings;
use crate::table::Level;

pub use kind::{Kind, memory};
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
