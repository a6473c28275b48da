//! INFO of clients and of what happened.

use super::page::Page;
use crate::cx::Cx;
use crate::pubsub;
use crate::state::Rates;
use crate::table::v;

/// A rate is measured anew when it is so old, milliseconds.
const RATE_MS: u64 = 100;
/// Keys whose readers are counted; more are taken to have as many each.
const SAMPLE: usize = 1000;

pub(super) fn clients(cx: &mut Cx<'_>, page: &mut Page) {
    let info = cx.shell.server_info();
    let ids = cx.shell.client_ids();
    let clients = ids.into_iter().filter_map(|id| cx.shell.client_info(id));
    let (mut blocked, mut unread, mut unsent) = (0, 0, 0);
    for client in clients {
        blocked += u64::from(client.blocked);
        unread = unread.max(client.unread);
        unsent = unsent.max(client.unsent);
    }
    let most = match cx.state.settings.max_clients {
        0 => info.max_clients,
        most => most,
    };
    page.line("connected_clients", info.clients);
    page.since(v(7, 0), "cluster_connections", 0);
    page.since(v(6, 2), "maxclients", most);
    let [input, output] = if cx.has(v(5, 0)) {
        ["client_recent_max_input_buffer", "client_recent_max_output_buffer"]
    } else {
        ["client_biggest_input_buf", "client_longest_output_list"]
    };
    page.line(input, unread);
    page.line(output, unsent);
    page.line("blocked_clients", blocked);
    page.since(v(6, 0), "tracking_clients", cx.state.tracking.clients.len());
    page.since(v(6, 0), "clients_in_timeout_table", cx.state.deadlines.len());
}

/// Measures rates from the last look to this one.
fn rates(cx: &mut Cx<'_>) -> Rates {
    let info = cx.shell.server_info();
    let (now, commands) = (cx.now, cx.state.stats.commands);
    let rates = &mut cx.state.rates;
    let from = if rates.at_ms == 0 { info.started_ms } else { rates.at_ms };
    let ms = now.saturating_sub(from);
    if ms < RATE_MS {
        return *rates;
    }
    let per_second = |new: u64, old: u64| new.saturating_sub(old) as f64 * 1e3 / ms as f64;
    *rates = Rates {
        at_ms: now,
        ops: per_second(commands, rates.commands),
        input: per_second(info.bytes_in, rates.bytes_in),
        output: per_second(info.bytes_out, rates.bytes_out),
        commands,
        bytes_in: info.bytes_in,
        bytes_out: info.bytes_out,
    };
    *rates
}

pub(super) fn stats(cx: &mut Cx<'_>, page: &mut Page) {
    let (info, rates) = (cx.shell.server_info(), rates(cx));
    let stats = &cx.state.stats;
    let kbps = |bytes: f64| format!("{:.2}", bytes / 1024.0);
    page.line("total_connections_received", info.connections);
    page.line("total_commands_processed", stats.commands);
    page.line("instantaneous_ops_per_sec", rates.ops as u64);
    page.line("total_net_input_bytes", info.bytes_in);
    page.line("total_net_output_bytes", info.bytes_out);
    page.zeros(v(7, 0), &["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    page.line("instantaneous_input_kbps", kbps(rates.input));
    page.line("instantaneous_output_kbps", kbps(rates.output));
    page.since(v(7, 0), "instantaneous_input_repl_kbps", "0.00");
    page.since(v(7, 0), "instantaneous_output_repl_kbps", "0.00");
    page.line("rejected_connections", info.rejected);
    page.zeros(v(1, 0), &["sync_full", "sync_partial_ok", "sync_partial_err"]);
    page.line("expired_keys", stats.expired);
    page.line("expired_stale_perc", "0.00");
    page.line("expired_time_cap_reached_count", stats.expired_time_caps);
    page.zeros(v(6, 0), &["expire_cycle_cpu_milliseconds"]);
    page.line("evicted_keys", stats.evicted);
    page.since(v(7, 0), "evicted_clients", stats.evicted_clients);
    page.zeros(v(7, 0), &["total_eviction_exceeded_time"]);
    page.zeros(v(7, 0), &["current_eviction_exceeded_time"]);
    page.line("keyspace_hits", stats.hits);
    page.line("keyspace_misses", stats.misses);
    page.line("pubsub_channels", cx.state.channels.len());
    page.line("pubsub_patterns", pubsub::count_patterns(cx));
    page.since(v(7, 0), "pubsubshard_channels", cx.state.shards.len());
    page.zeros(v(1, 0), &["latest_fork_usec"]);
    page.zeros(v(6, 2), &["total_forks"]);
    page.zeros(v(1, 0), &["migrate_cached_sockets", "slave_expires_tracked_keys"]);
    page.zeros(v(4, 0), &["active_defrag_hits", "active_defrag_misses"]);
    page.zeros(v(4, 0), &["active_defrag_key_hits", "active_defrag_key_misses"]);
    page.zeros(v(7, 0), &["total_active_defrag_time", "current_active_defrag_time"]);
    tracking_and_errors(cx, page);
}

fn tracking_and_errors(cx: &mut Cx<'_>, page: &mut Page) {
    let (info, tracking) = (cx.shell.server_info(), &cx.state.tracking);
    let sampled: usize = tracking.readers.values().take(SAMPLE).map(|clients| clients.len()).sum();
    let keys = tracking.readers.len();
    let items = (sampled * keys).checked_div(keys.min(SAMPLE)).unwrap_or(0);
    page.since(v(6, 0), "tracking_total_keys", keys);
    page.since(v(6, 0), "tracking_total_items", items);
    page.since(v(6, 0), "tracking_total_prefixes", tracking.prefixes.len());
    page.zeros(v(6, 0), &["unexpected_error_replies"]);
    page.since(v(6, 2), "total_error_replies", cx.state.stats.errors);
    page.zeros(v(6, 2), &["dump_payload_sanitizations"]);
    page.since(v(6, 0), "total_reads_processed", info.calls);
    page.since(v(6, 0), "total_writes_processed", info.calls);
    page.zeros(v(6, 0), &["io_threaded_reads_processed", "io_threaded_writes_processed"]);
    page.zeros(v(7, 0), &["reply_buffer_shrinks", "reply_buffer_expands"]);
}
