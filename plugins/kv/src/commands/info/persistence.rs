//! INFO of how the data are kept.

use hotshell_plugin_api::durability::{DISK_OK, KEPT_JOURNAL, KEPT_MEMORY};

use super::page::Page;
use crate::cx::Cx;
use crate::saving::{self, Work};
use crate::table::v;

pub(super) fn persistence(cx: &mut Cx<'_>, page: &mut Page) {
    let (told, running) = (cx.shell.durability(), saving::running(cx.state, cx.shell));
    let status = if told.snapshot_failed == 0 { "ok" } else { "err" };
    let took = match told.snapshots {
        0 => -1,
        _ => (told.snapshot_us / 1_000_000) as i64,
    };
    let since = match told.snapshot_since_ms {
        0 => -1,
        ms => (cx.now.saturating_sub(ms) / 1000) as i64,
    };
    let changes = if told.kept == KEPT_MEMORY { cx.state.changes } else { told.changes };
    let of = |work, seconds| if running == Some(work) { seconds } else { -1 };
    page.line("loading", 0);
    page.zeros(v(7, 0), &["async_loading"]);
    page.zeros(v(6, 2), &["current_cow_peak", "current_cow_size", "current_cow_size_age"]);
    page.since(v(6, 2), "current_fork_perc", "0.00");
    page.zeros(v(6, 2), &["current_save_keys_processed", "current_save_keys_total"]);
    page.line("rdb_changes_since_last_save", changes);
    page.line("rdb_bgsave_in_progress", u32::from(running == Some(Work::Save)));
    page.line("rdb_last_save_time", saving::last_save_ms(cx.shell) / 1000);
    page.line("rdb_last_bgsave_status", status);
    page.line("rdb_last_bgsave_time_sec", took);
    page.line("rdb_current_bgsave_time_sec", of(Work::Save, since));
    page.since(v(7, 0), "rdb_saves", told.snapshots);
    page.zeros(v(4, 0), &["rdb_last_cow_size"]);
    page.zeros(v(7, 0), &["rdb_last_load_keys_expired", "rdb_last_load_keys_loaded"]);
    page.line("aof_enabled", u32::from(told.kept == KEPT_JOURNAL));
    page.line("aof_rewrite_in_progress", u32::from(running == Some(Work::Rewrite)));
    page.line("aof_rewrite_scheduled", 0);
    page.line("aof_last_rewrite_time_sec", took);
    page.line("aof_current_rewrite_time_sec", of(Work::Rewrite, since));
    page.line("aof_last_bgrewrite_status", status);
    page.since(v(7, 0), "aof_rewrites", cx.state.saving.rewrites);
    page.zeros(v(7, 0), &["aof_rewrites_consecutive_failures"]);
    page.line("aof_last_write_status", if told.disk == DISK_OK { "ok" } else { "err" });
    page.zeros(v(4, 0), &["aof_last_cow_size"]);
    page.zeros(v(6, 2), &["module_fork_in_progress", "module_fork_last_cow_size"]);
    if told.kept == KEPT_JOURNAL {
        page.line("aof_current_size", told.journal_bytes);
        page.line("aof_base_size", told.snapshot_bytes);
        page.line("aof_pending_rewrite", 0);
        page.line("aof_buffer_length", told.journal_bytes - told.journal_durable_bytes);
        page.line("aof_pending_bio_fsync", 0);
        page.line("aof_delayed_fsync", 0);
    }
}
