//! INFO of the process and of what it is not: a replica.

use sha2::{Digest, Sha256};

use super::page::Page;
use crate::cx::Cx;
use crate::process;
use crate::table::v;

/// Bytes of the id of a run, in hexadecimal twice as many.
const RUN_ID: usize = 20;
/// Seconds of Redis' clock for idle times, after which it begins anew.
const LRU_CLOCK: u64 = 1 << 24;

pub(super) fn server(cx: &mut Cx<'_>, page: &mut Page) {
    let info = cx.shell.server_info();
    let (major, minor, patch) = cx.table.redis.parts();
    let uptime = cx.now.saturating_sub(info.started_ms) / 1000;
    let hz = cx.state.settings.hz;
    page.line("redis_version", format_args!("{major}.{minor}.{patch}"));
    page.line("redis_git_sha1", "00000000");
    page.line("redis_git_dirty", 0);
    page.line("redis_build_id", format_args!("{:x}", cx.table.fingerprint));
    page.line("redis_mode", "standalone");
    page.line("os", process::system());
    page.line("arch_bits", usize::BITS);
    page.since(v(6, 2), "monotonic_clock", "POSIX clock_gettime");
    page.line("multiplexing_api", "epoll");
    page.line("atomicvar_api", "none");
    page.line("gcc_version", "0.0.0");
    page.line("process_id", info.pid);
    page.since(v(6, 2), "process_supervised", "no");
    page.line("run_id", run_id(cx, "run"));
    page.line("tcp_port", info.port);
    page.since(v(6, 2), "server_time_usec", cx.now * 1000);
    page.line("uptime_in_seconds", uptime);
    page.line("uptime_in_days", uptime / 86_400);
    page.line("hz", hz);
    page.since(v(5, 0), "configured_hz", hz);
    page.line("lru_clock", cx.now / 1000 % LRU_CLOCK);
    page.line("executable", process::executable());
    page.line("config_file", "");
    page.since(v(6, 0), "io_threads_active", 0);
}

pub(super) fn hotshell(cx: &mut Cx<'_>, page: &mut Page) {
    let info = cx.shell.server_info();
    page.line("plugin_name", "kv");
    page.line("plugin_version", cx.table.plugin);
    page.line("generation", info.generation);
    page.line("swaps", info.swaps);
}

pub(super) fn replication(cx: &mut Cx<'_>, page: &mut Page) {
    page.line("role", "master");
    page.line("connected_slaves", 0);
    if cx.state.settings.wants_replicas() {
        page.line("min_slaves_good_slaves", 0);
    }
    page.since(v(6, 2), "master_failover_state", "no-failover");
    page.line("master_replid", run_id(cx, "replication"));
    page.line("master_replid2", "0".repeat(2 * RUN_ID));
    page.line("master_repl_offset", 0);
    page.line("second_repl_offset", -1);
    page.line("repl_backlog_active", 0);
    page.line("repl_backlog_size", 1 << 20);
    page.line("repl_backlog_first_byte_offset", 0);
    page.line("repl_backlog_histlen", 0);
}

pub(super) fn cpu(_: &mut Cx<'_>, page: &mut Page) {
    let (all, engine) = (process::cpu(), process::cpu_of_thread());
    let mut line = |name: &str, seconds: f64| page.line(name, format_args!("{seconds:.6}"));
    line("used_cpu_sys", all.system);
    line("used_cpu_user", all.user);
    line("used_cpu_sys_children", all.system_children);
    line("used_cpu_user_children", all.user_children);
    page.since(v(6, 2), "used_cpu_sys_main_thread", format_args!("{:.6}", engine.system));
    page.since(v(6, 2), "used_cpu_user_main_thread", format_args!("{:.6}", engine.user));
}

/// Forty digits that no other run of a server has, and that a swap leaves as they are.
fn run_id(cx: &Cx<'_>, of: &str) -> String {
    let info = cx.shell.server_info();
    let text = format!("{of} {} {} {}", info.pid, info.port, info.started_ms);
    let digest = Sha256::digest(text.as_bytes());
    digest[..RUN_ID].iter().map(|byte| format!("{byte:02x}")).collect()
}
