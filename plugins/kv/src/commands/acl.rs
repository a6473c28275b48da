//! ACL: one user, who may do everything. Users and rules are absent; `requirepass` sets a password.

use sha2::{Digest, Sha256};

use super::command::{CATEGORIES, in_category, names};
use crate::cx::{Cx, Outcome, int, is};
use crate::dispatch;
use crate::flags::{CONNECTION, Flags};
use crate::help;
use crate::manual;
use crate::reply::Reply;
use crate::table::{NO_KEYS, rows, subs, v};

rows! { Server:
    "acl", -2, Flags::ADMIN.or(CONNECTION), NO_KEYS, v(6, 0), help::help,
        "Depends on subcommand.", "A container for Access List Control commands.", SUBS;
}

subs! {
    "cat", -2, v(6, 0), cat;
    "deluser", -3, v(6, 0), refused;
    "dryrun", -4, v(7, 0), refused;
    "genpass", -2, v(6, 0), genpass;
    "getuser", 3, v(6, 0), getuser;
    "help", 2, v(6, 0), help::help;
    "list", 2, v(6, 0), list;
    "load", 2, v(6, 0), no_file;
    "log", -2, v(6, 0), log;
    "save", 2, v(6, 0), no_file;
    "setuser", -3, v(6, 0), refused;
    "users", 2, v(6, 0), users;
    "whoami", 2, v(6, 0), whoami;
}

fn refused(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    Err(
        "ERR ACL users and rules are not supported by this server. Use CONFIG SET requirepass for a \
         password.",
    )
}

fn no_file(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    Err(
        "ERR This Redis instance is not configured to use an ACL file. You may want to specify users \
         via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis \
         configuration file set) in order to store users in the Redis configuration.",
    )
}

fn whoami(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.out.bulk(b"default");
    Ok(())
}

fn users(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.out.array(1);
    cx.out.bulk(b"default");
    Ok(())
}

/// The password's SHA-256 in hex; `None` when there is no password.
fn password(cx: &Cx<'_>) -> Option<String> {
    let password = &cx.state.settings.password;
    let digest = || Sha256::digest(&password[..]);
    (!password.is_empty()).then(|| digest().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn list(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    let password = password(cx).map_or("nopass".to_owned(), |hash| format!("#{hash}"));
    cx.out.array(1);
    cx.out.bulk(format!("user default on {password} ~* &* +@all").as_bytes());
    Ok(())
}

fn getuser(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if args[2] != b"default" {
        cx.out.null_array();
        return Ok(());
    }
    let password = password(cx);
    cx.out.map(6);
    cx.out.bulk(b"flags");
    let flags: &[&str] = if password.is_none() { &["on", "nopass"] } else { &["on"] };
    cx.out.set(flags.len());
    flags.iter().for_each(|flag| cx.out.bulk(flag.as_bytes()));
    cx.out.bulk(b"passwords");
    cx.out.array(usize::from(password.is_some()));
    password.iter().for_each(|hash| cx.out.bulk(hash.as_bytes()));
    for (name, rule) in [("commands", "+@all"), ("keys", "~*"), ("channels", "&*")] {
        cx.out.bulk(name.as_bytes());
        cx.out.bulk(rule.as_bytes());
    }
    cx.out.bulk(b"selectors");
    cx.out.array(0);
    Ok(())
}

fn cat(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let category = match args[2..] {
        [] => {
            cx.out.array(CATEGORIES.len());
            CATEGORIES.iter().for_each(|name| cx.out.bulk(name.as_bytes()));
            return Ok(());
        }
        [name] => name,
        _ => return dispatch::too_many(cx, args),
    };
    let Some(category) = CATEGORIES.iter().find(|name| is(category, name)) else {
        let name = String::from_utf8_lossy(category).into_owned();
        return cx.error(&format!("ERR Unknown category '{name}'"));
    };
    let pages = manual::pages();
    let names: Vec<_> = names(cx).filter(|name| in_category(&pages, name, category)).collect();
    cx.out.array(names.len());
    names.iter().for_each(|name| cx.out.bulk(name.as_bytes()));
    Ok(())
}

/// Random hex digits, as many as hold so many bits.
fn genpass(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    const BITS: i64 = 256;
    let bits = match args[2..] {
        [] => BITS,
        [bits] => int(bits)?,
        _ => return dispatch::too_many(cx, args),
    };
    if !(1..=4096).contains(&bits) {
        return Err(
            "ERR ACL GENPASS argument must be the number of bits for the output password, a positive number up to 4096",
        );
    }
    let digits = (bits as usize).div_ceil(4);
    let mut text = String::new();
    while text.len() < digits {
        text.push_str(&format!("{:016x}", cx.shell.random()));
    }
    cx.out.bulk(&text.as_bytes()[..digits]);
    Ok(())
}

/// Nothing is ever refused by a rule, so the log is empty.
fn log(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    match args[2..] {
        [] => cx.out.array(0),
        [word] if is(word, "reset") => cx.out.ok(),
        [count] => {
            int(count)?;
            cx.out.array(0);
        }
        _ => return dispatch::too_many(cx, args),
    }
    Ok(())
}
