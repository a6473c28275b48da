//! guestbook, version 2: the state of version 1 in another shape. What changed is said where it
//! changed; docs/MIGRATION.md walks through it.

use std::io::Write;

use hotshell_plugin_api::collections::{HashMap, Option, String};
use hotshell_plugin_api::prelude::*;

/// Everything the server knows.
#[state]
pub struct Guestbook {
    guests: HashMap<String, Guest>,
    /// Renamed and widened: it was `hits: u32`.
    #[state(was = "hits")]
    visits: u64,
    /// `open` has moved in here.
    door: Door,
}

/// The door. `open` is the one that stood in the guest book.
#[state]
pub struct Door {
    #[state(default = true)]
    open: bool,
    /// New.
    opened: u32,
}

/// What is known of a guest.
#[state]
pub struct Guest {
    /// Wider.
    visits: u64,
    seen: Seen,
    /// New: how they were called last.
    nick: Option<String>,
}

/// When somebody came last, in milliseconds since the Unix epoch: the same bytes as in version 1,
/// with another meaning.
#[state(schema = 2, from = SeenInSeconds, with = to_milliseconds, back = to_seconds)]
pub struct Seen {
    at: u64,
}

/// What version 1 called `Seen`.
#[state(schema = 1, was = "Seen")]
pub struct SeenInSeconds {
    at: u64,
}

fn to_milliseconds(old: &SeenInSeconds) -> Seen {
    Seen { at: old.at.saturating_mul(1000) }
}

fn to_seconds(new: &Seen) -> SeenInSeconds {
    SeenInSeconds { at: new.at / 1000 }
}

struct App;

impl Plugin for App {
    type State = Guestbook;
    type Session = ();

    fn init(_: &mut InitCtx<'_>) -> Result<Guestbook, Refusal> {
        Ok(Guestbook::default())
    }

    /// A line is a guest's name, with `as NICK` behind it if they like. `open` and `close` are the
    /// door.
    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let Some(line) = framing::line(unread) else { return Flow::NeedMore };
        ctx.begin(line.consumed);
        let text = std::string::String::from_utf8_lossy(line.text);
        let now = ctx.shell.unix_ms();
        if matches!(&*text, "open" | "close") {
            ctx.state.door.open = text == "open";
            ctx.state.door.opened += u32::from(text == "open");
            let _ = writeln!(ctx.out, "the door is {text}");
            return Flow::Done(line.consumed);
        }
        if !ctx.state.door.open {
            let _ = writeln!(ctx.out, "closed");
            return Flow::Done(line.consumed);
        }
        ctx.state.visits += 1;
        let (name, nick) = text.split_once(" as ").map_or((&*text, None), |(n, k)| (n, Some(k)));
        let guest = ctx.state.guests.entry(String::from(name)).or_default();
        let before = guest.seen.at;
        guest.visits += 1;
        guest.seen.at = now;
        if let Some(nick) = nick {
            guest.nick = Option::Some(String::from(nick));
        }
        let nick = guest.nick.as_ref().map_or("", |nick| nick);
        let visits = guest.visits;
        let _ =
            writeln!(ctx.out, "{name}: visit {visits}, at {now} ms, before {before} ms, {nick}");
        Flow::Done(line.consumed)
    }
}

export_plugin!(App, name = "guestbook");
