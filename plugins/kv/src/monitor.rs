//! MONITOR: clients that see every command.

use core::fmt::Write;

use hotshell_plugin_api::ctx::ClientId;

use crate::cx::Cx;
use crate::flags::Flags;
use crate::state::{MODE_MONITOR, SESSION_MONITOR, State};
use crate::table::Row;

/// Commands whose arguments nobody else is to see.
const SECRET: [&str; 2] = ["auth", "hello"];

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

/// Shows a command that is about to be executed.
#[cold]
pub fn show(cx: &mut Cx<'_>, row: &Row, args: &[&[u8]]) {
    if row.flags.has(Flags::ADMIN) || row.flags.has(Flags::SKIP_MONITOR) {
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

/// The arguments without those that nobody else is to see.
pub fn redacted<'a>(row: &Row, args: &[&'a [u8]]) -> Vec<&'a [u8]> {
    let secret = SECRET.contains(&row.name);
    let hide =
        |(n, arg): (usize, &&'a [u8])| if secret && n > 0 { &b"(redacted)"[..] } else { arg };
    args.iter().enumerate().map(hide).collect()
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
