//! guestbook, version 1: who came, how often, and when last. Version 2 keeps all of it in another
//! shape; docs/MIGRATION.md walks through the two.

use std::io::Write;

use hotshell_plugin_api::collections::{HashMap, String};
use hotshell_plugin_api::prelude::*;

/// Everything the server knows.
#[state]
pub struct Guestbook {
    guests: HashMap<String, Guest>,
    hits: u32,
    #[state(default = true)]
    open: bool,
}

/// What is known of a guest.
#[state]
pub struct Guest {
    visits: u32,
    seen: Seen,
}

/// When somebody came last, in seconds since the Unix epoch.
#[state(schema = 1)]
pub struct Seen {
    at: u64,
}

struct App;

impl Plugin for App {
    type State = Guestbook;
    type Session = ();

    fn init(_: &mut InitCtx<'_>) -> Result<Guestbook, Refusal> {
        Ok(Guestbook::default())
    }

    /// A line is a guest's name. `open` and `close` are the door.
    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let Some(line) = framing::line(unread) else { return Flow::NeedMore };
        ctx.begin(line.consumed);
        let name = std::string::String::from_utf8_lossy(line.text);
        let now = ctx.shell.unix_ms() / 1000;
        if matches!(&*name, "open" | "close") {
            ctx.state.open = name == "open";
            let _ = writeln!(ctx.out, "the door is {name}");
            return Flow::Done(line.consumed);
        }
        if !ctx.state.open {
            let _ = writeln!(ctx.out, "closed");
            return Flow::Done(line.consumed);
        }
        ctx.state.hits += 1;
        let guest = ctx.state.guests.entry(String::from(&*name)).or_default();
        guest.visits += 1;
        guest.seen.at = now;
        let _ = writeln!(ctx.out, "{name}: visit {}, at {now} s", guest.visits);
        Flow::Done(line.consumed)
    }
}

export_plugin!(App, name = "guestbook");
