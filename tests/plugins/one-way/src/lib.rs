//! Takes over the state of guestbook 1.0.0 by a conversion without a way back. Panics on `panic`, so
//! that probation has something to undo.

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

/// The day somebody came last: the second is forgotten for good.
#[state(schema = 9, from = Second, with = to_day)]
pub struct Seen {
    day: u64,
}

/// What version 1 called `Seen`.
#[state(schema = 1, was = "Seen")]
pub struct Second {
    at: u64,
}

fn to_day(old: &Second) -> Seen {
    Seen { day: old.at / 86_400 }
}

struct App;

impl Plugin for App {
    type State = Guestbook;
    type Session = ();

    fn init(_: &mut InitCtx<'_>) -> Result<Guestbook, Refusal> {
        Ok(Guestbook::default())
    }

    /// A line is a guest's name: the visits so far, and none is counted.
    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let Some(line) = framing::line(unread) else { return Flow::NeedMore };
        ctx.begin(line.consumed);
        let name = std::string::String::from_utf8_lossy(line.text);
        assert!(name != "panic", "as was asked for");
        let visits = ctx.state.guests.get(&*name).map_or(0, |guest| guest.visits);
        let _ = writeln!(ctx.out, "{name}: {visits}");
        Flow::Done(line.consumed)
    }

    fn panicked(ctx: &mut Ctx<'_, Self>, _: &str) -> Flow {
        let _ = writeln!(ctx.out, "panicked");
        Flow::Done(0)
    }
}

export_plugin!(App, name = "guestbook");
