//! [`Asked`]: a verb, who asked for it, and with which options.

use jiff::Timestamp;

use super::Server;
use super::gate::Work;
use crate::options::Options;

/// Who asks for the rollback of a generation that failed.
pub const PROBATION: &str = "probation";

/// Who asks for what, for the gate and for the checks before a switch.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The verb.
    pub verb: &'static str,
    /// Who asked.
    pub asker: &'a str,
    /// With which options.
    pub options: &'a Options,
}

impl Asked<'_> {
    pub(super) fn work(&self, server: &Server, what: impl Into<String>) -> Work {
        let (what, by) = (what.into(), self.asker.to_owned());
        Work { verb: self.verb, what, server: server.name.clone(), by, since: Timestamp::now() }
    }
}
