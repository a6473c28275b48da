//! Lines about how the data are kept: what a plugin hears of it, and asks for.

use std::io::Write;

use hotshell_plugin_api::durability::{Durability, KEPT_JOURNAL};
use hotshell_plugin_api::prelude::*;

use crate::App;

/// `save` is answered when the snapshot has ended, `set KEY VALUE`, `stop yes|no`, `tell`.
pub fn obey(ctx: &mut Ctx<'_, App>, order: &str) -> Flow {
    let words: Vec<&str> = order.split(' ').collect();
    match words[..] {
        ["save"] => {
            let client = ctx.client();
            if ctx.shell.snapshot_for(client) {
                return Flow::Blocked;
            }
            let _ = writeln!(ctx.out, "nothing is kept");
        }
        ["set", key, value] => {
            let done = ctx.shell.set(key, value);
            let _ = writeln!(ctx.out, "{done:?}");
        }
        ["stop", save] => ctx.shell.stop_saving(save == "yes"),
        _ => tell(ctx),
    }
    Flow::Done(0)
}

/// The snapshot that a client waited for has ended.
pub fn saved(ctx: &mut Ctx<'_, App>) {
    let Durability { snapshots, snapshots_failed, snapshot_running, .. } = ctx.shell.durability();
    let _ =
        writeln!(ctx.out, "saved {snapshots} failed {snapshots_failed}, {snapshot_running} run");
}

fn tell(ctx: &mut Ctx<'_, App>) {
    let Durability { kept, fsync, snapshot_every_ms, snapshot_after, changes, .. } =
        ctx.shell.durability();
    let kept = if kept == KEPT_JOURNAL { "journal" } else { "no journal" };
    let (every, after) = (snapshot_every_ms, snapshot_after);
    let _ = writeln!(ctx.out, "{kept}, fsync {fsync}, {every} ms, {after}, {changes} changes");
}
