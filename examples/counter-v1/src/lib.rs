//! counter: send a name on a line, hear how often it was sent.
//!
//! The smallest plugin worth reading. `counter-v2` is the next version of it: swap them under a
//! client's feet and the counts go on.

use std::io::Write;

use hotshell_plugin_api::collections::{HashMap, String};
use hotshell_plugin_api::prelude::*;

/// Everything the server knows. It outlives this version of the code.
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
        let name = String::from(&*std::string::String::from_utf8_lossy(line.text));
        let times = ctx.state.seen.entry(name).or_default();
        *times += 1;
        let _ = writeln!(ctx.out, "{times}");
        Flow::Done(line.consumed)
    }
}

export_plugin!(App, name = "counter");
