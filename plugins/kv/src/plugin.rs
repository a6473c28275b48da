//! [`Kv`]: the plugin, generic over its version.

use core::fmt;
use core::marker::PhantomData;

use hotshell_plugin_api::prelude::*;

use crate::cx::{After, Cx};
use crate::dispatch;
use crate::inline::{self, Line};
use crate::reply::{Out, Reply};
use crate::resp::{self, Args, Front};
use crate::state::{DATABASES, Session, State};
use crate::table::Table;
use crate::{blocking, pubsub};

/// What makes one version of the plugin.
pub trait Edition: 'static {
    /// Its commands. A static of the version's crate.
    fn table() -> &'static Table;
}

/// The plugin in the version `E`.
pub struct Kv<E>(PhantomData<fn() -> E>);

impl<E> fmt::Debug for Kv<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kv")
    }
}

impl<E: Edition> Plugin for Kv<E> {
    type State = State;
    type Session = Session;

    fn init(_: &mut InitCtx<'_>) -> Result<State, Refusal> {
        Ok(State::empty())
    }

    #[inline]
    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let mut args = Args::new();
        match resp::parse(unread, &mut args) {
            Front::Request(n) => {
                ctx.begin(n);
                run(ctx, args.as_slice(), &unread[..n])
            }
            Front::Inline => data_inline(ctx, unread),
            Front::Nothing(n) => {
                ctx.begin(n);
                Flow::Done(n)
            }
            Front::More(n) => {
                ctx.shell.need(n);
                Flow::NeedMore
            }
            Front::Broken(text) => broken(ctx, &text),
        }
    }

    fn disconnect(ctx: &mut Ctx<'_, Self>) {
        let mut cx = view(ctx);
        dispatch::unwatch(&mut cx);
        blocking::forget(cx.state, cx.client, cx.session);
        pubsub::forget(cx.state, cx.client, cx.session);
        cx.state.speak(cx.session, false);
    }

    fn tick(ctx: &mut ServerCtx<'_, Self>) {
        let now = ctx.shell.unix_ms();
        blocking::time_out(ctx.state, &mut ctx.shell, now);
        if let Some(ms) = ctx.state.expire_cycle(&mut ctx.shell, now) {
            ctx.shell.wake_at(now + ms);
        }
        if ctx.state.bury(&mut ctx.shell) {
            ctx.shell.wake_at(now);
        }
    }

    fn self_test(ctx: &mut ServerCtx<'_, Self>) -> Result<(), Refusal> {
        check(ctx.state).map_err(Refusal::new)
    }

    fn panicked(ctx: &mut Ctx<'_, Self>, message: &str) -> Flow {
        view(ctx).out.error(&format!("ERR internal error: {message}"));
        Flow::Done(0)
    }
}

fn data_inline<E: Edition>(ctx: &mut Ctx<'_, Kv<E>>, unread: &[u8]) -> Flow {
    match inline::parse(unread) {
        Line::Words(words, n) => {
            ctx.begin(n);
            if words.is_empty() {
                return Flow::Done(n);
            }
            let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
            run(ctx, &args, &unread[..n])
        }
        Line::More => Flow::NeedMore,
        Line::Broken(text) => broken(ctx, text),
    }
}

/// The error of a client that does not speak RESP, which ends the connection.
#[cold]
fn broken<E: Edition>(ctx: &mut Ctx<'_, Kv<E>>, text: &str) -> Flow {
    view(ctx).out.error(&format!("ERR Protocol error: {text}"));
    Flow::Close
}

#[inline]
fn run<E: Edition>(ctx: &mut Ctx<'_, Kv<E>>, args: &[&[u8]], request: &[u8]) -> Flow {
    let mut cx = view(ctx);
    dispatch::request(&mut cx, args, request);
    match cx.after {
        After::Next => Flow::Done(request.len()),
        After::Block => Flow::Blocked,
        After::Close => Flow::Close,
    }
}

#[inline]
fn view<'a, E: Edition>(ctx: &'a mut Ctx<'_, Kv<E>>) -> Cx<'a> {
    let client = ctx.client();
    let resp3 = ctx.session.is_resp3();
    Cx {
        state: ctx.state,
        session: ctx.session,
        out: Out::new(ctx.out.reborrow(), resp3),
        now: ctx.shell.unix_ms(),
        shell: &mut ctx.shell,
        table: E::table(),
        client,
        after: After::Next,
        in_exec: false,
    }
}

/// Whether the counts of the state agree.
fn check(state: &State) -> Result<(), String> {
    if state.dbs.len() != DATABASES {
        return Err(format!(
            "the state has {} databases, this version wants {DATABASES}: load the version that wrote it",
            state.dbs.len()
        ));
    }
    for (n, db) in state.dbs.iter().enumerate() {
        if db.expires.len() > db.keys.len() {
            let (expires, keys) = (db.expires.len(), db.keys.len());
            return Err(format!("db {n} has {expires} times to live for {keys} keys"));
        }
        for key in db.expires.keys().take(16) {
            if !db.keys.get(key).is_some_and(|value| value.expires()) {
                return Err(format!("db {n} has a time to live without its key"));
            }
        }
    }
    Ok(())
}
