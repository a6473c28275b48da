//! What a command works on.

mod changes;
mod events;
mod values;

use hotshell_plugin_api::ctx::ClientId;

use crate::access::Mark;
pub use crate::arguments::{index_range, int, is};
use crate::reply::{Out, Reply};
use crate::services::Services;
use crate::state::{Db, SESSION_SILENT, Session, State};
use crate::table::{Level, Table};
use crate::value::Value;

/// How a command ended: it wrote its reply, or this error is the reply.
pub type Outcome = Result<(), &'static str>;

/// A value that was looked for, beside the output.
pub type Found<'a> = (Option<&'a Value>, Out<'a>);
/// The same, to be changed.
pub type FoundMut<'a> = (Option<&'a mut Value>, Out<'a>);

/// What becomes of the client after the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// Its next request.
    Next,
    /// It waits.
    Block,
    /// It is closed when everything is sent.
    Close,
}

/// One request's view of the server. Built anew for each call.
pub struct Cx<'a> {
    /// The server's state.
    pub state: &'a mut State,
    /// The client's session.
    pub session: &'a mut Session,
    /// The client's output.
    pub out: Out<'a>,
    /// The shell.
    pub shell: &'a mut dyn Services,
    /// The version's commands.
    pub table: &'static Table,
    /// The client.
    pub client: ClientId,
    /// Wall clock, milliseconds since the Unix epoch.
    pub now: u64,
    /// What becomes of the client.
    pub after: After,
    /// Whether EXEC runs this command: nothing blocks then.
    pub in_exec: bool,
    /// The command has told the journal what it did.
    pub told: bool,
    /// The command has changed a key.
    pub dirty: bool,
    /// What is noted of keys that are used.
    pub mark: Mark,
    /// The start of the call on the monotonic clock, nanoseconds.
    pub began_ns: u64,
    /// Where the output begins that is taken back from a client that wants no replies.
    pub replies_from: usize,
}

impl Cx<'_> {
    /// The selected database.
    #[inline(always)]
    pub fn db(&mut self) -> &mut Db {
        self.state.db(self.session.db)
    }

    /// Sends messages, to this client among others. They are no replies: also a client that wants none
    /// (CLIENT REPLY) gets them.
    #[inline]
    pub fn beside_replies<T>(&mut self, send: impl FnOnce(&mut Self) -> T) -> T {
        if self.session.flags & SESSION_SILENT == 0 {
            return send(self);
        }
        self.out.truncate(self.replies_from);
        let sent = send(self);
        self.replies_from = self.out.len();
        sent
    }

    /// Whether this version has what a Redis of this level brought.
    #[inline]
    pub fn has(&self, level: Level) -> bool {
        self.table.has(level)
    }

    /// Writes an error that needs formatting.
    #[cold]
    pub fn error(&mut self, text: &str) -> Outcome {
        self.error_bytes(text.as_bytes())
    }

    /// Writes an error that quotes bytes of the request.
    #[cold]
    pub fn error_bytes(&mut self, text: &[u8]) -> Outcome {
        self.state.note_error(text);
        self.out.error_bytes(text);
        Ok(())
    }

    /// The arity error of the command.
    pub fn arity(&mut self, name: &str) -> Outcome {
        self.error(&format!("ERR wrong number of arguments for '{name}' command"))
    }
}
