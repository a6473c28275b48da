//! [`Live`]: what of a server's configuration can be set while it runs.

use hotshell_plugin_api::durability::NotSet;

use super::keys::{parse_number, parse_span};
use crate::data::Fsync;
use crate::data::snapshot::Policy;

/// How data are kept: a copy of what the configuration says, or of what was set since.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Live {
    /// When the journal reaches the disk.
    pub fsync: Fsync,
    /// When snapshots are taken.
    pub snapshots: Policy,
}

impl Live {
    /// The keys.
    pub const KEYS: [&'static str; 3] = ["fsync", "snapshot-every", "snapshot-after"];

    /// Sets a key.
    ///
    /// # Errors
    /// [`NotSet::Unknown`], [`NotSet::Value`]; nothing is changed then.
    pub fn set(&mut self, key: &str, text: &str) -> Result<(), NotSet> {
        let wrong = |_| NotSet::Value;
        match key {
            "fsync" => self.fsync = text.parse().map_err(wrong)?,
            "snapshot-every" => self.snapshots.every = parse_span(text).map_err(wrong)?,
            "snapshot-after" => self.snapshots.after = parse_number(text).map_err(wrong)?,
            _ => return Err(NotSet::Unknown),
        }
        Ok(())
    }

    /// The value of a key, as [`Live::set`] takes it.
    pub fn show(&self, key: &str) -> Option<String> {
        match key {
            "fsync" => Some(self.fsync.text().to_owned()),
            "snapshot-every" => Some(match self.snapshots.every.as_millis() {
                0 => "0".to_owned(),
                ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
                ms => format!("{ms}ms"),
            }),
            "snapshot-after" => Some(self.snapshots.after.to_string()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_can_be_set_and_what_is_wrong_changes_nothing() {
        let mut live = Live { fsync: Fsync::Always, snapshots: Policy::default() };
        for (key, text) in [
            ("fsync", "no"),
            ("snapshot-every", "90s"),
            ("snapshot-every", "1500ms"),
            ("snapshot-every", "0"),
            ("snapshot-after", "17"),
        ] {
            live.set(key, text).expect("it can be set");
            assert_eq!(live.show(key).as_deref(), Some(text));
        }
        let before = live;
        for (key, text) in [("fsync", "often"), ("snapshot-every", "9"), ("snapshot-after", "")] {
            assert_eq!(live.set(key, text), Err(NotSet::Value), "{key} = {text}");
        }
        assert_eq!(live.set("listen", "7"), Err(NotSet::Unknown));
        assert_eq!(live, before);
        assert!(Live::KEYS.iter().all(|key| live.show(key).is_some()));
    }
}
