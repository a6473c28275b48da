//! INFO.

use core::fmt::Write;

use crate::command_stats::Counters;
use crate::cx::{Cx, Outcome, is};
use crate::flags::Flags;
use crate::reply::Reply;
use crate::table::{NO_KEYS, rows, v};

rows! { Server:
    "info", -1, Flags::LOADING.or(Flags::STALE), NO_KEYS, v(1, 0), info,
        "O(1)", "Returns information and statistics about the server.";
}

type Section = fn(&mut Cx<'_>, &mut String) -> core::fmt::Result;

/// Sections in the order of the answer.
const SECTIONS: [(&str, Section); 11] = [
    ("Server", server),
    ("Hotshell", hotshell),
    ("Clients", clients),
    ("Memory", memory),
    ("Persistence", persistence),
    ("Stats", stats),
    ("Replication", replication),
    ("Commandstats", commandstats),
    ("Errorstats", errorstats),
    ("Cluster", cluster),
    ("Keyspace", keyspace),
];

fn info(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    if args.len() > 2 && !cx.has(v(7, 0)) {
        return Err("ERR syntax error");
    }
    let wanted = |name: &str| {
        let words = &args[1..];
        let default = name != "Commandstats";
        (words.is_empty() && default)
            || words.iter().any(|word| {
                let all = is(word, "all") || is(word, "everything");
                is(word, name) || all || (is(word, "default") && default)
            })
    };
    let mut text = String::new();
    for (name, section) in SECTIONS {
        if wanted(name) {
            if !text.is_empty() {
                text.push_str("\r\n");
            }
            text.push_str(&format!("# {name}\r\n"));
            // Writing to a String cannot fail.
            let _ = section(cx, &mut text);
        }
    }
    cx.out.verbatim(text.as_bytes());
    Ok(())
}

fn server(cx: &mut Cx<'_>, text: &mut String) -> core::fmt::Result {
    let info = cx.shell.server_info();
    let (major, minor, patch) = cx.table.redis.parts();
    let uptime = cx.now.saturating_sub(info.started_ms) / 1000;
    write!(
        text,
        "redis_version:{major}.{minor}.{patch}\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\n\
         redis_mode:standalone\r\nos:Linux\r\narch_bits:64\r\nprocess_id:{}\r\ntcp_port:{}\r\n\
         uptime_in_seconds:{uptime}\r\nuptime_in_days:{}\r\nhz:10\r\n",
        info.pid,
        info.port,
        uptime / 86_400,
    )
}

fn hotshell(cx: &mut Cx<'_>, text: &mut String) -> core::fmt::Result {
    let info = cx.shell.server_info();
    let (version, generation, swaps) = (cx.table.plugin, info.generation, info.swaps);
    write!(
        text,
        "plugin_name:kv\r\nplugin_version:{version}\r\ngeneration:{generation}\r\nswaps:{swaps}\r\n"
    )
}

fn clients(cx: &mut Cx<'_>, text: &mut String) -> core::fmt::Result {
    let info = cx.shell.server_info();
    let blocked: usize = cx
        .shell
        .client_ids()
        .into_iter()
        .filter(|&id| cx.shell.client_info(id).is_some_and(|client| client.blocked != 0))
        .count();
    write!(
        text,
        "connected_clients:{}\r\nmaxclients:{}\r\nblocked_clients:{blocked}\r\n",
        info.clients, info.max_clients
    )
}

fn memory(cx: &mut Cx<'_>, text: &mut String) -> core::fmt::Result {
    let info = cx.shell.server_info();
    write!(
        text,
        "used_memory:{}\r\nused_memory_human:{:.2}M\r\nused_memory_peak:{}\r\nmaxmemory:{}\r\n\
         maxmemory_policy:{}\r\nmem_fragmentation_ratio:1.00\r\nlazyfree_pending_objects:{}\r\n",
        info.state_bytes,
        info.state_bytes as f64 / (1 << 20) as f64,
        info.state_bytes_peak,
        cx.state.settings.maxmemory,
        cx.state.settings.policy.name(),
        cx.state.graveyard.iter().map(|grave| grave.len()).sum::<usize>(),
    )
}

fn persistence(_: &mut Cx<'_>, text: &mut String) -> core::fmt::Result {
    text.write_str("loading:0\r\nrdb_bgsave_in_progress:0\r\naof_enabled:0\r\n")
}

fn stats(cx: &mut Cx<'_>, text: &mut String) -> core::fmt::Result {
    let (info, stats) = (cx.shell.server_info(), &cx.state.stats);
    write!(
        text,
        "total_connections_received:{}\r\ntotal_commands_processed:{}\r\nrejected_connections:{}\r\n\
         total_net_input_bytes:{}\r\ntotal_net_output_bytes:{}\r\nexpired_keys:{}\r\nevicted_keys:{}\r\n\
         keyspace_hits:{}\r\nkeyspace_misses:{}\r\npubsub_channels:{}\r\npubsub_patterns:{}\r\n\
         total_error_replies:{}\r\n",
        info.connections,
        stats.commands,
        info.rejected,
        info.bytes_in,
        info.bytes_out,
        stats.expired,
        stats.evicted,
        stats.hits,
        stats.misses,
        cx.state.channels.len(),
        cx.state.patterns.len(),
        stats.errors,
    )
}

fn replication(_: &mut Cx<'_>, text: &mut String) -> core::fmt::Result {
    text.write_str("role:master\r\nconnected_slaves:0\r\n")
}

fn commandstats(cx: &mut Cx<'_>, text: &mut String) -> core::fmt::Result {
    let long = cx.has(v(6, 2));
    let called = |counters: &&Counters| counters.calls + counters.rejected > 0;
    for counters in cx.state.commands.iter().filter(called) {
        let (name, us) = (String::from_utf8_lossy(&counters.name), counters.total_ns / 1000);
        let per_call = us as f64 / counters.calls.max(1) as f64;
        let calls = counters.calls;
        write!(text, "cmdstat_{name}:calls={calls},usec={us},usec_per_call={per_call:.2}")?;
        if long {
            let (rejected, failed) = (counters.rejected, counters.failed);
            write!(text, ",rejected_calls={rejected},failed_calls={failed}")?;
        }
        text.push_str("\r\n");
    }
    Ok(())
}

fn errorstats(cx: &mut Cx<'_>, text: &mut String) -> core::fmt::Result {
    for (code, count) in cx.state.error_codes.iter() {
        write!(text, "errorstat_{}:count={count}\r\n", String::from_utf8_lossy(code))?;
    }
    Ok(())
}

fn cluster(_: &mut Cx<'_>, text: &mut String) -> core::fmt::Result {
    text.write_str("cluster_enabled:0\r\n")
}

fn keyspace(cx: &mut Cx<'_>, text: &mut String) -> core::fmt::Result {
    for (n, db) in cx.state.dbs.iter().enumerate() {
        if !db.keys.is_empty() {
            let (keys, expires) = (db.keys.len(), db.expires.len());
            write!(text, "db{n}:keys={keys},expires={expires},avg_ttl=0\r\n")?;
        }
    }
    Ok(())
}
