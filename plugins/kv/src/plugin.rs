//! [`Kv`]: the plugin, generic over its version.

use core::fmt;
use core::marker::PhantomData;

use hotshell_plugin_api::prelude::*;

use crate::access::Mark;
use crate::cx::{After, Cx};
use crate::dispatch;
use crate::inline::{self, Line};
use crate::reply::{Out, Reply};
use crate::resp::{self, Args, Front};
use crate::state::{
    MODE_PAUSE, MODE_TRACKING, SESSION_MONITOR, SESSION_PAUSED, SESSION_SAVING, SESSION_SETTING,
    Session, State,
};
use crate::table::{Table, v};
use crate::{
    ahead, blocking, buffers, errors, eviction, idle, journal, monitor, pause, pubsub, saving,
    tracking,
};

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

    fn init(ctx: &mut InitCtx<'_>) -> Result<State, Refusal> {
        let mut state = State::default();
        state.stats.since_ms = ctx.unix_ms();
        state.level = E::table().redis.number();
        Ok(state)
    }

    #[inline]
    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let mut args = Args::new();
        match resp::parse_within(unread, &mut args, ctx.state.settings.max_bulk) {
            Front::Request(n) => {
                if n < unread.len() {
                    look_ahead(ctx, unread, args.as_slice(), n);
                } else {
                    ctx.session.fetched = 0;
                }
                run(ctx, args.as_slice(), &unread[..n])
            }
            Front::Inline => data_inline(ctx, unread),
            Front::Nothing(n) => {
                ctx.begin(n);
                Flow::Done(n)
            }
            Front::More(n) => more(ctx, n),
            Front::Broken(text) => broken(ctx, &text),
        }
    }

    fn resume(ctx: &mut Ctx<'_, Self>) -> Flow {
        if ctx.session.has(SESSION_SAVING) {
            ctx.session.flags &= !SESSION_SAVING;
            let failed = ctx.shell.durability().snapshot_failed != 0;
            let out = &mut view(ctx).out;
            if failed { out.error("ERR") } else { out.ok() }
        }
        if ctx.session.has(SESSION_SETTING) {
            ctx.session.flags &= !SESSION_SETTING;
            let mut cx = view(ctx);
            match saving::not_set(cx.shell) {
                Some(why) => cx.out.error(&why),
                None => cx.out.ok(),
            }
        }
        Flow::Done(0)
    }

    fn connect(ctx: &mut Ctx<'_, Self>) {
        let most = ctx.state.settings.max_clients;
        if most > 0 && ctx.shell.server_info().clients > most {
            view(ctx).out.error("ERR max number of clients reached");
            let client = ctx.client();
            ctx.shell.close(client);
        }
    }

    fn disconnect(ctx: &mut Ctx<'_, Self>) {
        let mut cx = view(ctx);
        dispatch::unwatch(&mut cx);
        blocking::forget(cx.state, cx.client, cx.session);
        pubsub::forget(cx.state, cx.client, cx.session);
        cx.state.speak(cx.client, cx.session, false);
        tracking::leave(cx.state, cx.shell, cx.client);
        buffers::forget(cx.state, cx.client);
        if cx.session.has(SESSION_MONITOR) {
            monitor::end(cx.state, cx.client);
        }
        if cx.session.has(SESSION_PAUSED) {
            pause::forget(cx.state, cx.client);
        }
    }

    const ANSWERS_LOADING: bool = true;

    fn loading(unread: &[u8], reply: &mut Vec<u8>) -> Flow {
        let mut args = Args::new();
        let consumed = match resp::parse(unread, &mut args) {
            Front::Request(n) => n,
            Front::Nothing(n) => return Flow::Done(n),
            Front::More(_) => return Flow::NeedMore,
            Front::Broken(text) => return not_resp(reply, &text),
            Front::Inline => match inline::parse(unread) {
                Line::Words(words, n) if words.is_empty() => return Flow::Done(n),
                Line::Words(_, n) => n,
                Line::More => return Flow::NeedMore,
                Line::Broken(text) => return not_resp(reply, text),
            },
        };
        reply.extend_from_slice(errors::LOADING.as_bytes());
        Flow::Done(consumed)
    }

    const REPLAYS: bool = true;

    fn replay(ctx: &mut ServerCtx<'_, Self>, record: &[u8]) -> Result<(), Refusal> {
        journal::replay(ctx.state, &mut ctx.shell, E::table(), record)
    }

    fn describe(record: &[u8]) -> Option<String> {
        journal::describe(record)
    }

    fn tick(ctx: &mut ServerCtx<'_, Self>) {
        let now = ctx.shell.unix_ms();
        saving::tick(ctx.state, &mut ctx.shell, now);
        blocking::time_out(ctx.state, &mut ctx.shell, now);
        pause::tick(ctx.state, &mut ctx.shell, now);
        idle::tick(ctx.state, &mut ctx.shell, now);
        buffers::tick(ctx.state, &mut ctx.shell, now);
        eviction::run(ctx.state, &mut ctx.shell, now);
        if let Some(ms) = ctx.state.expire_cycle(&mut ctx.shell, now) {
            ctx.shell.wake_at(now + ms);
        }
        if ctx.state.bury(&mut ctx.shell) {
            ctx.shell.wake_at(now);
        }
        if !ctx.state.ready.is_empty() {
            blocking::serve(ctx.state, &mut ctx.shell, E::table().has(v(7, 0)));
        }
        let level = E::table().redis.number();
        if ctx.state.level != level {
            // A swap ticks the new version before anybody is served by it.
            ctx.state.level = level;
            ctx.state.streams_came_or_went(&mut ctx.shell, E::table().has(v(5, 0)));
        }
        if ctx.state.modes & MODE_TRACKING != 0 {
            tracking::tell(ctx.state, &mut ctx.shell);
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

/// Before the request of `n` bytes at the front of a pipeline: fetches the keys that come, unless that
/// was done with an earlier one.
#[inline]
fn look_ahead<E: Edition>(ctx: &mut Ctx<'_, Kv<E>>, unread: &[u8], args: &[&[u8]], n: usize) {
    let session = &mut *ctx.session;
    if session.fetched == 0
        && let Some(key) = args.get(1)
    {
        let keys = &ctx.state.dbs[session.db as usize].keys;
        session.fetched = ahead::look(keys, unread, key, n).try_into().unwrap_or(u32::MAX);
    }
    session.fetched = session.fetched.saturating_sub(n as u32);
}

fn data_inline<E: Edition>(ctx: &mut Ctx<'_, Kv<E>>, unread: &[u8]) -> Flow {
    let mut args = Args::new();
    if let Some(n) = inline::plain(unread, &mut args) {
        return run_line(ctx, args.as_slice(), &unread[..n]);
    }
    match inline::parse(unread) {
        Line::Words(words, n) => {
            let args: Vec<&[u8]> = words.iter().map(AsRef::as_ref).collect();
            run_line(ctx, &args, &unread[..n])
        }
        Line::More => more(ctx, unread.len() + 1),
        Line::Broken(text) => broken(ctx, text),
    }
}

/// Waits until so much input is there, unless that is more than a client may have.
fn more<E: Edition>(ctx: &mut Ctx<'_, Kv<E>>, bytes: usize) -> Flow {
    if buffers::query_is_over(ctx.state, bytes) {
        ctx.shell.log(Level::Warn, "a client is over the limit of its input: closing it");
        return Flow::Close;
    }
    ctx.shell.need(bytes);
    Flow::NeedMore
}

/// Runs the words of a line, if there are any.
fn run_line<E: Edition>(ctx: &mut Ctx<'_, Kv<E>>, args: &[&[u8]], line: &[u8]) -> Flow {
    if args.is_empty() {
        ctx.begin(line.len());
        return Flow::Done(line.len());
    }
    run(ctx, args, line)
}

/// Whether CLIENT PAUSE holds this request back. It stays unread then.
#[cold]
fn held<E: Edition>(ctx: &mut Ctx<'_, Kv<E>>, args: &[&[u8]]) -> bool {
    ctx.begin(0);
    let (client, now) = (ctx.client(), ctx.shell.unix_ms());
    pause::holds(ctx.state, &mut ctx.shell, ctx.session, client, (E::table(), args), now)
}

/// The same before there is a session.
#[cold]
fn not_resp(reply: &mut Vec<u8>, text: &str) -> Flow {
    reply.extend_from_slice(format!("-ERR Protocol error: {text}\r\n").as_bytes());
    Flow::Close
}

/// The error of a client that does not speak RESP, which ends the connection.
#[cold]
fn broken<E: Edition>(ctx: &mut Ctx<'_, Kv<E>>, text: &str) -> Flow {
    view(ctx).out.error(&format!("ERR Protocol error: {text}"));
    Flow::Close
}

#[inline]
fn run<E: Edition>(ctx: &mut Ctx<'_, Kv<E>>, args: &[&[u8]], request: &[u8]) -> Flow {
    if ctx.state.modes & MODE_PAUSE != 0 && held(ctx, args) {
        return Flow::Blocked;
    }
    ctx.begin(request.len());
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
    let now = ctx.shell.unix_ms();
    Cx {
        state: ctx.state,
        session: ctx.session,
        out: Out::new(ctx.out.reborrow(), resp3),
        now,
        began_ns: ctx.shell.monotonic_ns(),
        replies_from: 0,
        shell: &mut ctx.shell,
        table: E::table(),
        client,
        after: After::Next,
        in_exec: false,
        told: false,
        dirty: false,
        mark: Mark::new(now),
    }
}

/// Whether the counts of the state agree.
fn check(state: &State) -> Result<(), String> {
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
