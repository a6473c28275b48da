//! INFO of memory.

use super::page::Page;
use crate::buffers;
use crate::cx::Cx;
use crate::memory::table_bytes;
use crate::process;
use crate::table::v;

pub(super) fn memory(cx: &mut Cx<'_>, page: &mut Page) {
    let info = cx.shell.server_info();
    let (used, peak) = (info.state_bytes, info.state_bytes_peak.max(info.state_bytes));
    let resident = process::resident();
    let tables = |db: &crate::state::Db| table_bytes(&db.keys) + table_bytes(&db.expires);
    let overhead = (cx.state.dbs.iter().map(tables).sum::<usize>() as u64).min(used);
    let dataset = used - overhead;
    let percent = |part: u64, of: u64| match of {
        0 => 0.0,
        of => 100.0 * part as f64 / of as f64,
    };
    page.bytes("used_memory", used);
    page.bytes("used_memory_rss", resident);
    page.bytes("used_memory_peak", peak);
    page.line("used_memory_peak_perc", format_args!("{:.2}%", percent(used, peak)));
    page.line("used_memory_overhead", overhead);
    page.line("used_memory_startup", 0);
    page.line("used_memory_dataset", dataset);
    page.line("used_memory_dataset_perc", format_args!("{:.2}%", percent(dataset, used)));
    page.since(v(5, 0), "allocator_allocated", used);
    page.since(v(5, 0), "allocator_active", used);
    page.since(v(5, 0), "allocator_resident", resident);
    page.bytes("total_system_memory", process::machine_memory());
    page.bytes("used_memory_lua", 0);
    nothing_of_scripts(page);
    page.bytes("maxmemory", cx.state.settings.maxmemory);
    page.line("maxmemory_policy", cx.state.settings.policy.name());
    fragmentation(page, used, resident);
    clients_and_allocator(cx, page);
}

fn nothing_of_scripts(page: &mut Page) {
    page.zeros(v(7, 0), &["used_memory_vm_eval", "used_memory_scripts_eval"]);
    page.zeros(v(5, 0), &["number_of_cached_scripts"]);
    page.zeros(
        v(7, 0),
        &["number_of_functions", "number_of_libraries", "used_memory_vm_functions"],
    );
    page.zeros(v(7, 0), &["used_memory_vm_total"]);
    page.since(v(7, 0), "used_memory_vm_total_human", "0B");
    page.zeros(v(7, 0), &["used_memory_functions"]);
    page.zeros(v(5, 0), &["used_memory_scripts"]);
    page.since(v(5, 0), "used_memory_scripts_human", "0B");
}

/// What the process has beyond the bytes of the state.
fn fragmentation(page: &mut Page, used: u64, resident: u64) {
    let ratio = resident as f64 / used.max(1) as f64;
    let beyond = resident.saturating_sub(used);
    page.since(v(5, 0), "allocator_frag_ratio", "1.00");
    page.zeros(v(5, 0), &["allocator_frag_bytes"]);
    page.since(v(5, 0), "allocator_rss_ratio", format_args!("{ratio:.2}"));
    page.since(v(5, 0), "allocator_rss_bytes", beyond);
    page.since(v(5, 0), "rss_overhead_ratio", "1.00");
    page.zeros(v(5, 0), &["rss_overhead_bytes"]);
    page.line("mem_fragmentation_ratio", format_args!("{ratio:.2}"));
    page.since(v(5, 0), "mem_fragmentation_bytes", beyond);
}

fn clients_and_allocator(cx: &mut Cx<'_>, page: &mut Page) {
    let held = buffers::held(cx.shell);
    page.zeros(v(5, 0), &["mem_not_counted_for_evict", "mem_replication_backlog"]);
    page.zeros(v(7, 0), &["mem_total_replication_buffers"]);
    page.zeros(v(5, 0), &["mem_clients_slaves"]);
    page.since(v(5, 0), "mem_clients_normal", held);
    page.zeros(v(7, 0), &["mem_cluster_links"]);
    page.zeros(v(5, 0), &["mem_aof_buffer"]);
    page.line("mem_allocator", "hotshell");
    page.line("active_defrag_running", 0);
    let pending: usize = cx.state.graveyard.iter().map(|grave| grave.len()).sum();
    page.line("lazyfree_pending_objects", pending + cx.state.value_graves.len());
    page.zeros(v(6, 2), &["lazyfreed_objects"]);
}
