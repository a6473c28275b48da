//! The second version of the ledger: a line adds 10, and `NAME as NOTE` leaves a note, too, for which
//! the first version has no place. `=NAME` only looks.

use std::io::Write;

use hotshell_plugin_api::collections::{HashMap, Option, String};
use hotshell_plugin_api::prelude::*;

/// Everything the server knows.
#[state]
pub struct Ledger {
    accounts: HashMap<String, Account>,
}

/// What a name has.
#[state]
pub struct Account {
    total: u64,
    note: Option<String>,
}

struct App;

impl Ledger {
    fn add(&mut self, line: &str) {
        let (name, note) =
            line.split_once(" as ").map_or((line, None), |(n, note)| (n, Some(note)));
        let account = self.accounts.entry(String::from(name)).or_default();
        account.total += 10;
        if let Some(note) = note {
            account.note = Option::Some(String::from(note));
        }
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
        if !text.starts_with('=') {
            ctx.state.add(&text);
            ctx.shell.journal(text.as_bytes());
        }
        let name = text.trim_start_matches('=').split(" as ").next().unwrap_or_default();
        let account = ctx.state.accounts.get(name);
        let total = account.map_or(0, |account| account.total);
        let note = account.and_then(|a| a.note.as_std()).map_or("-", |note| note);
        let _ = writeln!(ctx.out, "{name} {total} {note}");
        Flow::Done(line.consumed)
    }

    fn replay(ctx: &mut ServerCtx<'_, Self>, record: &[u8]) -> Result<(), Refusal> {
        ctx.state.add(&std::string::String::from_utf8_lossy(record));
        Ok(())
    }
}

export_plugin!(App, name = "ledger");
