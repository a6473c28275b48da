//! counter, version 2: the same state, friendlier answers, and a report for the admin.

use std::io::Write;

use hotshell_plugin_api::collections::{HashMap, String};
use hotshell_plugin_api::prelude::*;

/// Everything the server knows, as version 1 left it.
#[state(schema = 1)]
pub struct Counter {
    seen: HashMap<String, u64>,
}

struct App;

impl Plugin for App {
    type State = Counter;
    type Session = ();

    fn init(_: &mut InitCtx<'_>) -> Result<Counter, Refusal> {
        Ok(Counter::default())
    }

    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let Some(line) = framing::line(unread) else { return Flow::NeedMore };
        ctx.begin(line.consumed);
        let name = std::string::String::from_utf8_lossy(line.text);
        let times = ctx.state.seen.entry(String::from(&*name)).or_default();
        *times += 1;
        let _ = writeln!(ctx.out, "{name}: {times} so far");
        Flow::Done(line.consumed)
    }

    /// `hotshell command names`: how many different names were seen.
    fn command(ctx: &mut CommandCtx<'_, Self>, args: &[&[u8]]) -> Result<(), Refusal> {
        match args {
            [b"names"] => Ok(writeln!(ctx.out, "{}", ctx.state.seen.len())?),
            _ => Err(Refusal::new("the only command is 'names'")),
        }
    }
}

export_plugin!(App, name = "counter");
