//! AUTH.

use crate::cx::{Cx, Outcome};
use crate::flags::{CONNECTION, Flags};
use crate::reply::Reply;
use crate::state::SESSION_AUTHENTICATED;
use crate::table::{NO_KEYS, rows, v};

const ALWAYS: Flags = CONNECTION.or(Flags::FAST).or(Flags::NO_AUTH).or(Flags::ALLOW_BUSY);

rows! { Connection:
    "auth", 2, ALWAYS, NO_KEYS, v(1, 0), auth,
        "O(1)", "Authenticates the connection.";
    "auth", -2, ALWAYS, NO_KEYS, v(6, 0), auth,
        "O(N) where N is the number of passwords defined for the user",
        "Authenticates the connection.";
}

/// What a wrong user or password is told.
pub const WRONG: &str = "WRONGPASS invalid username-password pair or user is disabled.";

fn auth(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let (user, password) = match *args {
        [_, password] => (&b"default"[..], password),
        [_, user, password] => (user, password),
        _ => return Err(crate::errors::SYNTAX),
    };
    if args.len() == 2 && cx.state.settings.password.is_empty() {
        return Err(if cx.has(v(6, 0)) {
            "ERR AUTH <password> called without any password configured for the default user. Are \
             you sure your configuration is correct?"
        } else {
            "ERR Client sent AUTH, but no password is set"
        });
    }
    if !matches(cx, user, password) {
        return Err(if cx.has(v(6, 0)) { WRONG } else { "ERR invalid password" });
    }
    cx.session.flags |= SESSION_AUTHENTICATED;
    cx.out.ok();
    Ok(())
}

/// Whether user and password fit. Takes as long whether the password begins right or not.
pub fn matches(cx: &Cx<'_>, user: &[u8], password: &[u8]) -> bool {
    let set = &cx.state.settings.password[..];
    let differing = set.iter().zip(password).fold(0, |all, (a, b)| all | (a ^ b));
    let fits = differing == 0 && set.len() == password.len();
    user == b"default" && (set.is_empty() || fits)
}
