//! PING, ECHO, SELECT, HELLO, RESET, QUIT.

use crate::cx::{After, Cx, Outcome, int, is};
use crate::dispatch;
use crate::errors;
use crate::flags::{ANYWHERE, CONNECTION, Flags};
use crate::pubsub;
use crate::reply::Reply;
use crate::state::{
    DATABASES, MODE_AUTH, SESSION_AUTHENTICATED, SESSION_REPLY_OFF, SESSION_SKIP_NEXT,
};
use crate::table::{NO_KEYS, rows, v};
use crate::tracking;

const ALWAYS: Flags = CONNECTION.or(Flags::FAST).or(Flags::NO_AUTH).or(Flags::ALLOW_BUSY);

rows! { Connection:
    "ping", -1, Flags::FAST.or(Flags::IN_SUBSCRIBED), NO_KEYS, v(1, 0), ping,
        "O(1)", "Returns the server's liveliness response.";
    "echo", 2, ANYWHERE.or(Flags::FAST), NO_KEYS, v(1, 0), echo,
        "O(1)", "Returns the given string.";
    "select", 2, ANYWHERE.or(Flags::FAST), NO_KEYS, v(1, 0), select,
        "O(1)", "Changes the selected database.";
    "hello", -1, ALWAYS, NO_KEYS, v(6, 0), hello,
        "O(1)", "Handshakes with the server.";
    "reset", 1, ALWAYS.or(Flags::IN_SUBSCRIBED).or(Flags::AT_ONCE), NO_KEYS, v(6, 2), reset,
        "O(1)", "Resets the connection.";
    "quit", -1, ALWAYS.or(Flags::IN_SUBSCRIBED).or(Flags::AT_ONCE), NO_KEYS, v(1, 0), quit,
        "O(1)", "Closes the connection.";
}

fn ping(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if args.len() > 2 {
        return cx.arity("ping");
    }
    if cx.session.only_listens() {
        cx.out.array(2);
        cx.out.bulk(b"pong");
        cx.out.bulk(args.get(1).unwrap_or(&[].as_slice()));
        return Ok(());
    }
    match args.get(1) {
        Some(text) => cx.out.bulk(text),
        None => cx.out.put(b"+PONG\r\n"),
    }
    Ok(())
}

fn echo(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.out.bulk(args[1]);
    Ok(())
}

fn select(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    cx.session.db = if cx.has(v(6, 2)) {
        db_number(args[1])?
    } else {
        let db = int(args[1]).map_err(|_| "ERR invalid DB index")?;
        in_range(db).ok_or(errors::DB_RANGE)?
    };
    cx.out.ok();
    Ok(())
}

/// An argument as the number of a database.
///
/// # Errors
/// When it is no number, or there is no such database.
pub fn db_number(arg: &[u8]) -> Result<u32, &'static str> {
    let db = int(arg)?;
    if i32::try_from(db).is_err() {
        return Err("ERR value is out of range, value must between -2147483648 and 2147483647");
    }
    in_range(db).ok_or(errors::DB_RANGE)
}

fn in_range(db: i64) -> Option<u32> {
    (0..DATABASES as i64).contains(&db).then_some(db as u32)
}

fn hello(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let mut resp3 = cx.session.is_resp3();
    if let Some(version) = args.get(1) {
        match int(version) {
            Err(_) => {
                return Err("ERR Protocol version is not an integer or out of range");
            }
            Ok(2) => resp3 = false,
            Ok(3) => resp3 = true,
            Ok(_) => return Err("NOPROTO unsupported protocol version"),
        }
    }
    let mut rest = args.get(2..).unwrap_or_default();
    while let Some((&option, more)) = rest.split_first() {
        match more {
            [value, more @ ..] if is(option, "setname") => {
                super::client::check_name(value)?;
                cx.session.name = (*value).into();
                rest = more;
            }
            [user, password, more @ ..] if is(option, "auth") => {
                let wanted = &cx.state.settings.password;
                if *user != b"default" || (!wanted.is_empty() && wanted != *password) {
                    return Err("WRONGPASS invalid username-password pair or user is disabled.");
                }
                cx.session.flags |= SESSION_AUTHENTICATED;
                rest = more;
            }
            _ => {
                let option = String::from_utf8_lossy(option).into_owned();
                return cx.error(&format!("ERR Syntax error in HELLO option '{option}'"));
            }
        }
    }
    if cx.state.modes & MODE_AUTH != 0 && !cx.session.has(SESSION_AUTHENTICATED) {
        return Err(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO \
             <proto> AUTH <user> <pass> option can be used to authenticate the client and select the \
             RESP protocol version at the same time",
        );
    }
    speak(cx, resp3);
    let (major, minor, patch) = cx.table.redis.parts();
    cx.out.map(7);
    cx.out.bulk(b"server");
    cx.out.bulk(b"redis");
    cx.out.bulk(b"version");
    cx.out.bulk(format!("{major}.{minor}.{patch}").as_bytes());
    cx.out.bulk(b"proto");
    cx.out.int(if resp3 { 3 } else { 2 });
    cx.out.bulk(b"id");
    cx.out.int(cx.client as i64);
    cx.out.bulk(b"mode");
    cx.out.bulk(b"standalone");
    cx.out.bulk(b"role");
    cx.out.bulk(b"master");
    cx.out.bulk(b"modules");
    cx.out.array(0);
    Ok(())
}

fn speak(cx: &mut Cx<'_>, resp3: bool) {
    cx.state.speak(cx.client, cx.session, resp3);
    cx.out.set_resp3(resp3);
}

fn reset(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    dispatch::discard(cx);
    pubsub::forget(cx.state, cx.client, cx.session);
    tracking::end(cx.state, cx.client);
    cx.session.db = 0;
    cx.session.name.clear();
    cx.session.flags &= !(SESSION_REPLY_OFF | SESSION_SKIP_NEXT);
    speak(cx, false);
    cx.out.put(b"+RESET\r\n");
    Ok(())
}

fn quit(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.after = After::Close;
    cx.out.ok();
    Ok(())
}
