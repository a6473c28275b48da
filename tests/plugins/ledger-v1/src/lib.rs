//! A ledger that keeps a journal: a line is a name, to whose total 1 is added. `=NAME` only looks.
//!
//! Its records are names, and mean what this version does with them: the other version adds 10. So a
//! record that is read back by the wrong one is seen. `!WORD` is about how the data are kept.

mod keeping;

use std::io::Write;

use hotshell_plugin_api::collections::{HashMap, String};
use hotshell_plugin_api::prelude::*;

/// Everything the server knows.
#[state]
pub struct Ledger {
    accounts: HashMap<String, Account>,
}

/// What a name has.
#[state]
pub struct Account {
    total: u32,
}

struct App;

impl Ledger {
    fn add(&mut self, name: &str) {
        self.accounts.entry(String::from(name)).or_default().total += 1;
    }
}

impl Plugin for App {
    type State = Ledger;
    type Session = ();

    const REPLAYS: bool = true;

    fn init(_: &mut InitCtx<'_>) -> Result<Ledger, Refusal> {
        Ok(Ledger::default())
    }

    fn data(ctx: &mut Ctx<'_, Self>, unread: &[u8]) -> Flow {
        let Some(line) = framing::line(unread) else { return Flow::NeedMore };
        ctx.begin(line.consumed);
        let text = std::string::String::from_utf8_lossy(line.text);
        if let Some(order) = text.strip_prefix('!') {
            let flow = keeping::obey(ctx, order);
            return if flow == Flow::Blocked { flow } else { Flow::Done(line.consumed) };
        }
        let name = text.trim_start_matches('=');
        if !text.starts_with('=') {
            ctx.state.add(name);
            ctx.shell.journal(name.as_bytes());
        }
        let total = ctx.state.accounts.get(name).map_or(0, |account| account.total);
        let _ = writeln!(ctx.out, "{name} {total}");
        Flow::Done(line.consumed)
    }

    fn resume(ctx: &mut Ctx<'_, Self>) -> Flow {
        keeping::saved(ctx);
        Flow::Done(0)
    }

    fn replay(ctx: &mut ServerCtx<'_, Self>, record: &[u8]) -> Result<(), Refusal> {
        ctx.state.add(&std::string::String::from_utf8_lossy(record));
        Ok(())
    }
}

export_plugin!(App, name = "ledger");
