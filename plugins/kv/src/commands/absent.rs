//! Subsystems that this server lacks: the commands of scripts, functions, replication and modules (the
//! cluster's are in `cluster`). Empty ones answer as an empty Redis does; the README says what to use instead.

use super::blocking::timeout_ms_of;
use super::dump::restore;
use crate::blocking::{self, Wish};
use crate::cx::{Cx, Outcome, int, is};
use crate::errors;
use crate::flags::{CONNECTION, Flags, WRITE};
use crate::help;
use crate::rdb;
use crate::reply::Reply;
use crate::table::{NO_KEYS, ONE_KEY, rows, subs, v};

const SCRIPT: Flags =
    Flags::NOSCRIPT.or(Flags::STALE).or(Flags::SKIP_MONITOR).or(Flags::NO_MANDATORY_KEYS);
const SCRIPT_RO: Flags = SCRIPT.or(Flags::READONLY);
const ADMIN: Flags = Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::STALE).or(Flags::NO_ASYNC_LOADING);
const SYNC: Flags =
    Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::NO_MULTI).or(Flags::NO_ASYNC_LOADING);

mod scripts {
    use super::*;

    rows! { Scripting:
        "eval", -3, SCRIPT, NO_KEYS, v(2, 6), no_scripts,
            "Depends on the script that is executed.", "Executes a server-side Lua script.";
        "evalsha", -3, SCRIPT, NO_KEYS, v(2, 6), no_script,
            "Depends on the script that is executed.", "Executes a server-side Lua script by SHA1 digest.";
        "eval_ro", -3, SCRIPT_RO, NO_KEYS, v(7, 0), no_scripts,
            "Depends on the script that is executed.", "Executes a read-only server-side Lua script.";
        "evalsha_ro", -3, SCRIPT_RO, NO_KEYS, v(7, 0), no_script,
            "Depends on the script that is executed.", "Executes a read-only server-side Lua script by SHA1 digest.";
        "fcall", -3, SCRIPT, NO_KEYS, v(7, 0), no_function,
            "Depends on the function that is executed.", "Invokes a function.";
        "fcall_ro", -3, SCRIPT_RO, NO_KEYS, v(7, 0), no_function,
            "Depends on the function that is executed.", "Invokes a read-only function.";
        "script", -2, Flags::NOSCRIPT, NO_KEYS, v(2, 6), no_scripts,
            "Depends on subcommand.", "A container for Lua scripts management commands.", SUBS;
    }

    subs! {
        "debug", 3, v(3, 2), debug;
        "exists", -3, v(2, 6), exists;
        "flush", -2, v(2, 6), flush;
        "help", 2, v(5, 0), help::help;
        "kill", 2, v(2, 6), kill;
        "load", 3, v(2, 6), no_scripts;
    }

    fn debug(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
        if cx.out.has_pending() {
            return Err("ERR SCRIPT DEBUG must be called outside a pipeline");
        }
        if is(args[2], "no") {
            cx.out.ok();
            return Ok(());
        }
        if is(args[2], "yes") || is(args[2], "sync") {
            return no_scripts(cx, args);
        }
        let new = cx.has(v(7, 0));
        Err(if new {
            "ERR Use SCRIPT DEBUG YES/SYNC/NO"
        } else {
            "ERR Use SCRIPT DEBUG yes/sync/no"
        })
    }

    /// Length of a SHA1 digest in hexadecimal.
    const DIGEST: usize = 40;

    fn exists(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
        cx.out.array(args.len() - 2);
        args[2..].iter().for_each(|_| cx.out.int(0));
        Ok(())
    }

    fn flush(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
        let fine = match args[2..] {
            [] => true,
            [word] => is(word, "async") || is(word, "sync"),
            _ => false,
        };
        if !fine {
            return Err("ERR SCRIPT FLUSH only support SYNC|ASYNC option");
        }
        cx.out.ok();
        Ok(())
    }

    pub fn kill(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        Err("NOTBUSY No scripts in execution right now.")
    }

    fn check_keys(args: &[&[u8]]) -> Outcome {
        let keys = int(args[2])?;
        if keys > args.len() as i64 - 3 {
            return Err("ERR Number of keys can't be greater than number of args");
        }
        if keys < 0 {
            return Err("ERR Number of keys can't be negative");
        }
        Ok(())
    }

    fn no_script(_: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
        // What is no digest is refused before the keys are counted.
        if args[1].len() == DIGEST {
            check_keys(args)?;
        }
        Err("NOSCRIPT No matching script. Please use EVAL.")
    }

    /// Redis looks for the function before it counts the keys.
    fn no_function(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        Err("ERR Function not found")
    }

    fn no_scripts(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        Err(
            "ERR Lua scripts are not supported by this server. Use MULTI/EXEC with WATCH, or write \
             the logic as a hotshell plugin.",
        )
    }
}

mod functions {
    use super::*;

    rows! { Scripting:
        "function", -2, Flags::NOSCRIPT, NO_KEYS, v(7, 0), list,
            "Depends on subcommand.", "A container for function commands.", SUBS;
    }

    subs! {
        "delete", 3, v(7, 0), no_library;
        "dump", 2, v(7, 0), dump;
        "flush", -2, v(7, 0), flush;
        "help", 2, v(7, 0), help::help;
        "kill", 2, v(7, 0), super::scripts::kill;
        "list", -2, v(7, 0), list;
        "load", -3, v(7, 0), no_functions;
        "restore", -3, v(7, 0), restore;
        "stats", 2, v(7, 0), stats;
    }

    fn flush(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
        let fine = match args[2..] {
            [] => true,
            [word] => is(word, "async") || is(word, "sync"),
            _ => false,
        };
        if !fine {
            return Err("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
        }
        cx.out.ok();
        Ok(())
    }

    /// There are none, but what is asked is checked as in Redis.
    fn list(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
        let (mut code, mut name) = (false, false);
        let mut rest = args[2..].iter();
        while let Some(word) = rest.next() {
            if !code && is(word, "withcode") {
                code = true;
            } else if !name && is(word, "libraryname") {
                name = true;
                if rest.next().is_none() {
                    return Err("ERR library name argument was not given");
                }
            } else {
                let word = String::from_utf8_lossy(word).into_owned();
                return cx.error(&format!("ERR Unknown argument {word}"));
            }
        }
        cx.out.array(0);
        Ok(())
    }

    fn dump(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        let payload = rdb::nothing(cx.table.redis);
        cx.out.bulk(&payload);
        Ok(())
    }

    fn restore(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
        let policies = ["append", "replace", "flush"];
        match args[3..] {
            [] => {}
            [word] if policies.iter().any(|policy| is(word, policy)) => {}
            [_] => {
                return Err(
                    "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
                );
            }
            _ => {
                return cx.error(&format!(
                    "ERR unknown subcommand or wrong number of arguments for '{}'. Try FUNCTION HELP.",
                    String::from_utf8_lossy(args[1])
                ));
            }
        }
        if !rdb::is_sound(args[2], cx.table.redis) {
            return Err("ERR DUMP payload version or checksum are wrong");
        }
        if !rdb::is_nothing(args[2]) {
            return no_functions(cx, args);
        }
        cx.out.ok();
        Ok(())
    }

    /// No script runs, and the one engine of Redis has no libraries.
    fn stats(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        cx.out.map(2);
        cx.out.bulk(b"running_script");
        cx.out.null();
        cx.out.bulk(b"engines");
        cx.out.map(1);
        cx.out.bulk(b"LUA");
        cx.out.map(2);
        for count in ["libraries_count", "functions_count"] {
            cx.out.bulk(count.as_bytes());
            cx.out.int(0);
        }
        Ok(())
    }

    fn no_library(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        Err("ERR Library not found")
    }

    fn no_functions(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        Err(
            "ERR Functions are not supported by this server. Use MULTI/EXEC with WATCH, or write the \
             logic as a hotshell plugin.",
        )
    }
}

mod remote {
    use super::*;

    rows! { Generic:
        "migrate", -6, Flags::WRITE, (3, 3, 1), v(2, 6), no_migration,
            "O(1)", "Atomically transfers a key from one Redis instance to another.";
        "wait", 3, Flags::NOSCRIPT, NO_KEYS, v(3, 0), wait,
            "O(1)", "Blocks until the asynchronous replication of all preceding write commands sent by the connection is completed.";
    }

    fn no_migration(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        Err(
            "ERR MIGRATE is not supported by this server: it opens no connections. Use DUMP here and \
             RESTORE there.",
        )
    }

    /// There are no replicas, so whoever waits for some waits until the timeout.
    fn wait(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
        let replicas = int(args[1])?;
        let timeout = int(args[2]).map_err(|_| "ERR timeout is not an integer or out of range")?;
        let timeout_ms = timeout_ms_of(cx, timeout)?;
        if replicas <= 0 || cx.in_exec {
            cx.out.int(0);
            return Ok(());
        }
        let until_ms = if timeout_ms == 0 { 0 } else { cx.now + timeout_ms };
        blocking::wait(cx, &[], Wish::Replicas, until_ms);
        Ok(())
    }
}

mod others {
    use super::*;

    rows! { Server:
        "module", -2, Flags::ADMIN.or(Flags::NOSCRIPT), NO_KEYS, v(4, 0), modules,
            "Depends on subcommand.", "A container for module commands.", SUBS;
        "replicaof", 3, ADMIN, NO_KEYS, v(5, 0), replicaof,
            "O(1)", "Configures a server as replica of another, or promotes it to a master.";
        "slaveof", 3, ADMIN, NO_KEYS, v(1, 0), replicaof,
            "O(1)", "Sets a Redis server as a replica of another, or promotes it to being a master.";
        "restore-asking", -4, WRITE.or(Flags::ASKING), ONE_KEY, v(3, 0), restore,
            "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of objects composing the value and M their average size.",
            "Is RESTORE, as nodes of a cluster send it to each other.";
        "role", 1, Flags::NOSCRIPT.or(Flags::LOADING).or(Flags::STALE).or(Flags::FAST), NO_KEYS, v(2, 8), role,
            "O(1)", "Returns the replication role.";
        "psync", -3, SYNC, NO_KEYS, v(2, 8), no_replication,
            "", "An internal command used in replication.";
        "replconf", -1, CONNECTION.or(Flags::ADMIN).or(Flags::ALLOW_BUSY), NO_KEYS, v(3, 0), no_replication,
            "O(1)", "An internal command for configuring the replication stream.";
        "failover", -1, Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::STALE), NO_KEYS, v(6, 2), failover,
            "O(1)", "Starts a coordinated failover from a server to one of its replicas.";
        "sync", 1, SYNC, NO_KEYS, v(1, 0), no_replication,
            "", "An internal command used in replication.";
        "lolwut", -1, Flags::READONLY.or(Flags::FAST), NO_KEYS, v(5, 0), lolwut,
            "", "Displays computer art and the Redis version.";
    }

    subs! {
        "help", 2, v(5, 0), help::help;
        "list", 2, v(4, 0), modules;
        "load", -3, v(4, 0), no_modules;
        "loadex", -3, v(7, 0), no_modules;
        "unload", 3, v(4, 0), no_modules;
    }

    fn modules(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        cx.out.array(0);
        Ok(())
    }

    fn no_modules(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        Err(
            "ERR Modules are not supported by this server. Load a hotshell plugin on the admin socket.",
        )
    }

    fn no_replication(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        Err("ERR Replication is not supported by this server.")
    }

    /// There is nobody to hand over to, but what is asked is checked as in Redis.
    fn failover(_: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
        if args.len() == 2 && is(args[1], "abort") {
            return Err("ERR No failover in progress.");
        }
        let (mut timeout, mut host, mut force) = (false, false, false);
        let mut rest = &args[1..];
        while let Some((&word, more)) = rest.split_first() {
            rest = match *more {
                [ms, ref more @ ..] if is(word, "timeout") && !timeout => {
                    timeout = true;
                    if int(ms)? <= 0 {
                        return Err("ERR FAILOVER timeout must be greater than 0");
                    }
                    more
                }
                [_, port, ref more @ ..] if is(word, "to") && !host => {
                    host = true;
                    int(port)?;
                    more
                }
                ref more if is(word, "force") && !force => {
                    force = true;
                    more
                }
                _ => return Err(errors::SYNTAX),
            };
        }
        Err("ERR FAILOVER requires connected replicas.")
    }

    fn replicaof(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
        if !is(args[1], "no") || !is(args[2], "one") {
            return no_replication(cx, args);
        }
        cx.out.ok();
        Ok(())
    }

    fn role(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
        cx.out.array(3);
        cx.out.bulk(b"master");
        cx.out.int(0);
        cx.out.array(0);
        Ok(())
    }

    fn lolwut(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
        if let [_, word, version, ..] = *args
            && is(word, "version")
        {
            int(version)?;
        }
        let (major, minor, patch) = cx.table.redis.parts();
        cx.out.verbatim(format!("Redis ver. {major}.{minor}.{patch}\n").as_bytes());
        Ok(())
    }
}

pub use functions::ROWS as FUNCTIONS;
pub use others::ROWS as OTHERS;
pub use remote::ROWS as REMOTE;
pub use scripts::ROWS as SCRIPTS;
