//! [`Plugin`]: what a server author implements.

use core::fmt;

use crate::ctx::{Ctx, ServerCtx};
use crate::state::StateType;

/// The business logic of a server.
///
/// All methods run on the server's one engine thread, one at a time, and must not block: no sleeping,
/// no file or network access. Between two calls the shell may switch to another version, so whatever
/// must survive belongs into [`Plugin::State`] and [`Plugin::Session`], not into statics.
///
/// # Panics
/// A panic in any method is caught inside the plugin. In `data` and `resume` the shell cuts the output
/// of the call, drops that one request and calls [`Plugin::panicked`]; a panic before
/// [`Ctx::begin`] closes that client, since nobody knows where the next request starts. What the
/// request had already changed in the state stays: work on a value and put it back in one step
/// ([`crate::change`]).
pub trait Plugin: Sized + 'static {
    /// What the server knows. Outlives every version of the plugin.
    type State: StateType;
    /// What the server knows about one connection. `()` if nothing.
    type Session: StateType + Default;

    /// Whether [`Plugin::replay`] is implemented, and changes are told to [`Shell::journal`].
    ///
    /// [`Shell::journal`]: crate::ctx::Shell::journal
    const REPLAYS: bool = false;

    /// Whether [`Plugin::loading`] is implemented. Otherwise clients that come while the data are read
    /// back wait until the server is ready.
    const ANSWERS_LOADING: bool = false;

    /// Answers at most one request from the front of `unread` while the data are read back. There is no
    /// state and no session yet, and no function of the shell may be called; the client stays, and its
    /// next request may be the first that [`Plugin::data`] sees. At most
    /// [`MOST_REPLY_BYTES`](crate::loading::MOST_REPLY_BYTES) of the reply are sent.
    fn loading(unread: &[u8], reply: &mut std::vec::Vec<u8>) -> Flow {
        let _ = (unread, reply);
        Flow::NeedMore
    }

    /// Makes the state of a server that starts empty. Not called by a swap: the state is there.
    ///
    /// # Errors
    /// A [`Refusal`] stops the start, or the load, with its text.
    fn init(ctx: &mut InitCtx<'_>) -> Result<Self::State, Refusal>;

    /// A client connected. Its session is `Default`; a greeting may be written.
    fn connect(ctx: &mut Ctx<'_, Self>) {
        let _ = ctx;
    }

    /// Executes at most one request from the front of `unread`.
    ///
    /// Called again with the rest after [`Flow::Done`], and with more after [`Flow::NeedMore`]; what
    /// is not consumed stays in the shell, also across a swap. Call [`Ctx::begin`] before the
    /// request's first effect.
    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow;

    /// Continues a client that answered [`Flow::Blocked`], after somebody called
    /// [`crate::ctx::Shell::resume`] for it. `Done` consumes nothing here and lets `data` go on.
    fn resume(ctx: &mut Ctx<'_, Self>) -> Flow {
        let _ = ctx;
        Flow::Done(0)
    }

    /// A client is gone. Nothing can be sent to it; other clients can be written to.
    fn disconnect(ctx: &mut Ctx<'_, Self>) {
        let _ = ctx;
    }

    /// The time asked for with [`crate::ctx::Shell::wake_at`] has come, or this version was just
    /// switched to.
    fn tick(ctx: &mut ServerCtx<'_, Self>) {
        let _ = ctx;
    }

    /// Looks whether the state makes sense to this version. Runs on a fresh state before a load, and
    /// on the live state later; changes nothing that a client can see.
    ///
    /// # Errors
    /// A [`Refusal`] refuses the load with its text.
    fn self_test(ctx: &mut ServerCtx<'_, Self>) -> Result<(), Refusal> {
        let _ = ctx;
        Ok(())
    }

    /// A request of this client panicked and was dropped: write the protocol's error. Closes the
    /// client by default, since the shell does not know the protocol.
    fn panicked(ctx: &mut Ctx<'_, Self>, message: &str) -> Flow {
        let _ = (ctx, message);
        Flow::Close
    }

    /// An admin verb of the plugin (`hotshell command ...`): writes lines of text to `ctx.out`.
    ///
    /// # Errors
    /// A [`Refusal`] becomes the admin's error.
    fn command(ctx: &mut CommandCtx<'_, Self>, args: &[&[u8]]) -> Result<(), Refusal> {
        let _ = (ctx, args);
        Err(Refusal::new("this plugin has no admin commands"))
    }

    /// Work that was handed to the shell is complete. Reserved: no service raises it yet.
    fn event(ctx: &mut ServerCtx<'_, Self>, id: u64) {
        let _ = (ctx, id);
    }

    /// Repeats a change that this version or an earlier one told the journal. Runs before the first
    /// client is let in, record by record in their order; clocks and random numbers of the context
    /// are today's, those of the change are in the record.
    ///
    /// # Errors
    /// A [`Refusal`] stops the start: this version cannot read the record.
    fn replay(ctx: &mut ServerCtx<'_, Self>, record: &[u8]) -> Result<(), Refusal> {
        let _ = (ctx, record);
        Err(Refusal::new("this plugin keeps no journal"))
    }

    /// A record of the journal as one value of JSON, for people who look at what is kept
    /// (`hotshell data export`). Without state, in a process that serves nobody. `None`, as by default:
    /// the record is shown as text, or in hexadecimal digits.
    fn describe(record: &[u8]) -> Option<std::string::String> {
        let _ = record;
        None
    }

    /// The server stops; the last call. What is written to clients is still sent.
    fn shutdown(ctx: &mut ServerCtx<'_, Self>) {
        let _ = ctx;
    }
}

pub use crate::ctx::{CommandCtx, InitCtx};

/// How a call of [`Plugin::data`] or [`Plugin::resume`] ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Flow {
    /// The request is answered; so many bytes of input are consumed.
    Done(usize),
    /// No whole request is there yet. Nothing is consumed.
    NeedMore,
    /// The client waits. What [`Ctx::begin`] announced is consumed; `data` is not called again until
    /// [`crate::ctx::Shell::resume`] and a `resume` that answers `Done`.
    Blocked,
    /// Everything written is sent, then the client is closed.
    Close,
}

/// Why a plugin refuses to go up, or to run an admin verb. Its text reaches the one who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    text: String,
}

impl Refusal {
    /// A refusal with its reason: say what, why with both values, and the next step.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into() }
    }

    /// The reason.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<E: std::error::Error> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}
