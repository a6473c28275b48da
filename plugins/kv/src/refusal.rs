//! Requests that are answered with an error in place of a command.

use hotshell_plugin_api::ctx::Level as LogLevel;

use crate::cx::{After, Cx, is};
use crate::dispatch;
use crate::flags::Flags;
use crate::inline::{self, Line};
use crate::resp::{self, Args, Front};
use crate::state::SESSION_FAILED;
use crate::table::{Level, Row, Table};

/// Refuses a request that names no command, or has the wrong number of arguments.
#[cold]
pub fn reject(cx: &mut Cx<'_>, row: Option<&'static Row>, args: &[&[u8]]) {
    if row.is_none() && (is(args[0], "post") || is(args[0], "host:")) {
        // A browser that was made to send requests here, as Redis thinks, too.
        cx.shell.log(LogLevel::Warn, "a client speaks HTTP: closing it");
        cx.after = After::Close;
        return;
    }
    let Some(named) = row else {
        fail_transaction(cx);
        let text = unknown(cx, args);
        let _ = cx.error_bytes(&text);
        return;
    };
    refuse(cx, row, &format!("ERR wrong number of arguments for '{}' command", named.name));
}

/// Answers with an error in place of a command, which spoils a transaction; EXEC itself ends it.
pub fn refuse(cx: &mut Cx<'_>, row: Option<&'static Row>, text: &str) {
    if let Some(row) = row {
        let number = cx.state.commands.number_of(row.name);
        cx.state.commands.of(number).rejected += 1;
    }
    if row.is_some_and(|row| row.name == "exec") && cx.has(Level::of(6, 2, 0)) {
        dispatch::discard(cx);
        let text = text.strip_prefix("ERR ").unwrap_or(text);
        let _ = cx.error(&format!("EXECABORT Transaction discarded because of: {text}"));
        return;
    }
    fail_transaction(cx);
    let _ = cx.error(text);
}

/// The error of a command that there is not, which quotes the bytes of the request as they are.
fn unknown(cx: &Cx<'_>, args: &[&[u8]]) -> Vec<u8> {
    const SHOWN: usize = 128;
    let old = !cx.has(Level::of(7, 0, 0));
    let (open, close, behind) = if old { (b'`', b'`', ", ") } else { (b'\'', b'\'', " ") };
    // Redis 4 shows all of the name.
    let name = until_zero(args[0], if old { usize::MAX } else { SHOWN });
    let mut text = [b"ERR unknown command ", &[open][..], name, &[close]].concat();
    text.extend_from_slice(b", with args beginning with: ");
    let begin = text.len();
    for arg in &args[1..] {
        let shown = text.len() - begin;
        if shown >= SHOWN {
            break;
        }
        text.push(open);
        text.extend_from_slice(until_zero(arg, SHOWN - shown));
        text.push(close);
        text.extend_from_slice(behind.as_bytes());
    }
    text
}

/// So many bytes at most, and none behind a 0, which ends texts of C.
fn until_zero(bytes: &[u8], most: usize) -> &[u8] {
    let bytes = &bytes[..bytes.len().min(most)];
    bytes.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A request that cannot be queued spoils the transaction.
fn fail_transaction(cx: &mut Cx<'_>) {
    if cx.session.in_multi() {
        cx.session.flags |= SESSION_FAILED;
    }
}

/// Refuses a command of a subscriber, who could not tell its reply from messages.
#[cold]
pub fn only_listens(cx: &mut Cx<'_>, row: &'static Row, args: &[&[u8]]) {
    let text = if cx.has(Level::of(7, 0, 0)) {
        let name = full_name(row, args);
        format!(
            "ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / \
             RESET are allowed in this context"
        )
    } else {
        "ERR only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT allowed in this context".to_owned()
    };
    refuse(cx, Some(row), &text);
}

/// The name with the subcommand's, as Redis 7 has it: `config|get`.
fn full_name(row: &Row, args: &[&[u8]]) -> String {
    let sub = args.get(1).and_then(|word| row.subs.iter().find(|sub| is(word, sub.name)));
    sub.map_or(row.name.to_owned(), |sub| format!("{}|{}", row.name, sub.name))
}

/// Whether Redis refuses a command while it cannot save.
pub fn needs_saving(cx: &Cx<'_>, row: &Row) -> bool {
    row.name == "ping" || writes(cx, row)
}

/// Whether a command may change data. EXEC counts by what it would run.
pub fn writes(cx: &Cx<'_>, row: &Row) -> bool {
    let queued = || {
        let queue = cx.session.queue.iter();
        queue
            .filter_map(|request| command_of(cx.table, request))
            .any(|row| row.flags.has(Flags::WRITE))
    };
    row.flags.has(Flags::WRITE) || (row.name == "exec" && queued())
}

/// The command of a request that was queued.
fn command_of(table: &Table, request: &[u8]) -> Option<&'static Row> {
    let mut args = Args::new();
    match resp::parse(request, &mut args) {
        Front::Request(_) => table.find(args.as_slice()[0]),
        _ => match inline::parse(request) {
            Line::Words(words, _) => table.find(words.first()?),
            _ => None,
        },
    }
}
