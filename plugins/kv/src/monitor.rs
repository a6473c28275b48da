//! MONITOR: clients that see every command.

use core::fmt::Write;

use hotshell_plugin_api::ctx::ClientId;

use crate::cx::{Cx, is};
use crate::flags::Flags;
use crate::manual;
use crate::state::{MODE_MONITOR, SESSION_MONITOR, State};
use crate::table::{Row, v};

/// Options behind which so many arguments are secret.
const SECRET_OPTIONS: [(&str, &str, usize); 3] =
    [("hello", "auth", 2), ("migrate", "auth", 1), ("migrate", "auth2", 2)];
/// Parameters whose values are secret.
const SECRET_PARAMETERS: [&str; 5] =
    ["masterauth", "masteruser", "requirepass", "tls-client-key-file-pass", "tls-key-file-pass"];
/// Lets the client see all commands from now on. False when it does already.
pub fn begin(cx: &mut Cx<'_>) -> bool {
    if cx.session.has(SESSION_MONITOR) {
        return false;
    }
    cx.session.flags |= SESSION_MONITOR;
    cx.state.monitors.push(cx.client);
    cx.state.set_mode(MODE_MONITOR, true);
    true
}

/// Ends it for a client.
pub fn end(state: &mut State, client: ClientId) {
    state.monitors.retain(|&monitor| monitor != client);
    state.set_mode(MODE_MONITOR, !state.monitors.is_empty());
}

/// Whether a command is shown before it runs, as by Redis 4 all but EXEC: since then behind it, with the
/// database that is selected by then.
pub fn shows_first(cx: &Cx<'_>, row: &Row) -> bool {
    !cx.has(v(7, 0)) && row.name != "exec"
}

/// Shows a command that is executed.
#[cold]
pub fn show(cx: &mut Cx<'_>, row: &Row, args: &[&[u8]]) {
    if is_hidden(cx, row, args) {
        return;
    }
    let peer = cx.shell.client_info(cx.client).map(|info| info.peer().to_string());
    let (seconds, ms) = (cx.now / 1000, cx.now % 1000);
    let peer = peer.unwrap_or_default();
    let mut line = format!("+{seconds}.{:06} [{} {peer}]", ms * 1000, cx.session.db);
    for arg in redacted(row, args) {
        line.push(' ');
        quote(&mut line, arg);
    }
    line.push_str("\r\n");
    cx.shell.send_many(&cx.state.monitors, line.as_bytes());
}

/// What is for admins is not shown. Since Redis 7 that is a matter of the subcommand.
fn is_hidden(cx: &Cx<'_>, row: &Row, args: &[&[u8]]) -> bool {
    let sub = args.get(1).filter(|_| cx.has(v(7, 0)) && !row.subs.is_empty());
    let page = sub.and_then(|word| {
        let word = String::from_utf8_lossy(word).to_ascii_lowercase();
        manual::page(&format!("{}|{word}", row.name))
    });
    match page {
        Some(page) => page.flags().contains(&"admin"),
        None => row.flags.has(Flags::ADMIN),
    }
}

/// The arguments without those that nobody else is to see.
pub fn redacted<'a>(row: &Row, args: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let mut shown = args.to_vec();
    let hide = |places: &mut [&'a [u8]]| places.fill(b"(redacted)");
    let sub = |name| args.get(1).is_some_and(|word| is(word, name));
    match row.name {
        "auth" => hide(&mut shown[1..]),
        "acl" if sub("setuser") => hide(&mut shown[2..]),
        "config" if sub("set") => {
            for pair in shown[2..].chunks_exact_mut(2) {
                if SECRET_PARAMETERS.iter().any(|name| is(pair[0], name)) {
                    hide(&mut pair[1..]);
                }
            }
        }
        name => {
            for (_, option, count) in SECRET_OPTIONS.iter().filter(|(of, ..)| *of == name) {
                let at = args.iter().position(|word| is(word, option));
                if let Some(places) = at.and_then(|at| shown.get_mut(at + 1..at + 1 + count)) {
                    hide(places);
                }
            }
        }
    }
    shown
}

/// Writes bytes in quotes, what cannot be printed with escapes (`sdscatrepr`).
pub fn quote(line: &mut String, bytes: &[u8]) {
    line.push('"');
    for &b in bytes {
        match b {
            b'\\' | b'"' => {
                line.push('\\');
                line.push(char::from(b));
            }
            b'\n' => line.push_str("\\n"),
            b'\r' => line.push_str("\\r"),
            b'\t' => line.push_str("\\t"),
            7 => line.push_str("\\a"),
            8 => line.push_str("\\b"),
            b' '..=b'~' => line.push(char::from(b)),
            // Writing to a String cannot fail.
            _ => drop(write!(line, "\\x{b:02x}")),
        }
    }
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_printed_is_escaped() {
        let mut line = String::new();
        quote(&mut line, b"a \"b\"\\\n\x00\xff");
        assert_eq!(line, r#""a \"b\"\\\n\x00\xff""#);
    }
}
