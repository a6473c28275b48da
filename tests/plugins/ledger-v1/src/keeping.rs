//! Lines about how the data are kept: what a plugin hears of it, and asks for.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use hotshell_plugin_api::durability::{Durability, KEPT_JOURNAL};
use hotshell_plugin_api::prelude::*;

use crate::App;

/// The next client that is resumed panics, with a record told.
static PANICS: AtomicBool = AtomicBool::new(false);

/// `save` is answered when the snapshot has ended, `set KEY VALUE`, `stop yes|no`, `tell`; `wait` blocks,
/// `wake NAME` adds to a name and resumes all who wait, of whom the first panics.
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
        ["wait"] => return Flow::Blocked,
        ["wake", name] => {
            ctx.state.add(name);
            ctx.shell.journal(name.as_bytes());
            PANICS.store(true, Ordering::Relaxed);
            let all: Vec<_> = ctx.shell.clients().collect();
            all.into_iter().for_each(|client| _ = ctx.shell.resume(client));
            let _ = writeln!(ctx.out, "woke");
        }
        ["stop", save] => ctx.shell.stop_saving(save == "yes"),
        _ => tell(ctx),
    }
    Flow::Done(0)
}

/// The snapshot that a client waited for has ended, or it was woken.
pub fn saved(ctx: &mut Ctx<'_, App>) {
    if PANICS.swap(false, Ordering::Relaxed) {
        ctx.state.add("ghost");
        ctx.shell.journal(b"ghost");
        panic!("a resumed client panics");
    }
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
