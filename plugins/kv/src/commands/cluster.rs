//! Cluster: there is none. Whatever is asked of it is answered with one error, but as in Redis the
//! subcommand is looked up first.

use crate::cx::{Cx, Outcome};
use crate::errors;
use crate::flags::Flags;
use crate::reply::Reply;
use crate::table::{NO_KEYS, rows, subs, v};

const MODE: Flags = Flags::FAST.or(Flags::LOADING).or(Flags::STALE);

rows! { Cluster:
    "cluster", -2, Flags::ADMIN.or(Flags::STALE), NO_KEYS, v(3, 0), none,
        "Depends on subcommand.", "A container for Redis Cluster commands.", SUBS;
    "readonly", 1, MODE, NO_KEYS, v(3, 0), none,
        "O(1)", "Enables read-only queries for a connection to a Redis Cluster replica node.";
    "readwrite", 1, MODE, NO_KEYS, v(3, 0), choose_writes,
        "O(1)", "Enables read-write queries for a connection to a Redis Cluster replica node.";
    "asking", 1, Flags::FAST, NO_KEYS, v(3, 0), none,
        "O(1)", "Signals that a cluster client is following an -ASK redirect.";
}

subs! {
    "addslots", -3, v(3, 0), none;
    "addslotsrange", -4, v(7, 0), none;
    "bumpepoch", 2, v(3, 0), none;
    "count-failure-reports", 3, v(3, 0), none;
    "countkeysinslot", 3, v(3, 0), none;
    "delslots", -3, v(3, 0), none;
    "delslotsrange", -4, v(7, 0), none;
    "failover", -2, v(3, 0), none;
    "flushslots", 2, v(3, 0), none;
    "forget", 3, v(3, 0), none;
    "getkeysinslot", 4, v(3, 0), none;
    "help", 2, v(5, 0), none;
    "info", 2, v(3, 0), none;
    "keyslot", 3, v(3, 0), none;
    "links", 2, v(7, 0), none;
    "meet", -4, v(3, 0), none;
    "myid", 2, v(3, 0), none;
    "nodes", 2, v(3, 0), none;
    "replicas", 3, v(5, 0), none;
    "replicate", 3, v(3, 0), none;
    "reset", -2, v(3, 0), none;
    "saveconfig", 2, v(3, 0), none;
    "set-config-epoch", 3, v(3, 0), none;
    "setslot", -4, v(3, 0), none;
    "shards", 2, v(7, 0), none;
    "slaves", 3, v(3, 0), none;
    "slots", 2, v(3, 0), none;
}

/// Redis 4 lets every client write that wants to.
fn choose_writes(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if cx.has(v(7, 0)) {
        return none(cx, args);
    }
    cx.out.ok();
    Ok(())
}

fn none(_: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    Err(errors::NO_CLUSTER)
}
