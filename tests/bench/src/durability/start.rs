//! How long a start takes: from the program's start until it answers, with the keys of a folder that an
//! earlier run has written.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::json;

use super::DurabilityArgs;
use super::client::Client;
use crate::admin::{Admin, number};
use crate::artifacts;
use crate::bars;
use crate::host::Host;
use crate::median::median;
use crate::peer::Peer;
use crate::report::{Report, Table};

/// How long the journal may take to be on disk.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
/// Starts of each side; the median counts.
const STARTS: usize = 3;
/// Redis' own append-only file, not a snapshot in its place.
const AOF: [&str; 4] = ["--appendonly", "yes", "--aof-use-rdb-preamble", "no"];

/// A snapshot instead.
const RDB: [&str; 2] = ["--appendonly", "no"];
/// Snapshots when they are asked for only.
const NO_SNAPSHOTS: [&str; 4] = ["--snapshot-every", "0", "--snapshot-after", "0"];

/// Adds the figures.
pub fn run(args: &DurabilityArgs, report: &mut Report) -> Result<()> {
    report.note(format!(
        "start: {} keys of 16 bytes with values of 32; until the first answer, medians of {STARTS} \
         starts of each side, by turns",
        args.keys
    ));
    let (ours, theirs) = (args.fresh_folder()?, args.fresh_folder()?);
    {
        let host = our_start(ours.path())?;
        Client::connect(host.address)?.fill(args.keys)?;
        let peer = Peer::redis_on(theirs.path(), &AOF)?;
        Client::connect(peer.address)?.fill(args.keys)?;
        // Redis has written before it answers; ours writes beside, and says how much is not on disk.
        written(host.admin_path().as_path())?;
    }
    let columns = ["read back from", "keys", "ours s", "Redis s", "ratio"];
    let mut table = Table::new("from the start until the first answer", columns);
    let (a, b) = both(args, (ours.path(), theirs.path()), &AOF)?;
    table.row([json!("journal"), json!(args.keys), json!(a), json!(b), json!(a / b)]);
    report.judge("start from the journal, ours / Redis from its AOF", bars::START, a / b);
    {
        let host = our_start(ours.path())?;
        Admin::connect(&host.admin_path())?.ask(&["snapshot"])?;
        let peer = Peer::redis_on(theirs.path(), &AOF)?;
        Client::connect(peer.address)?.call(&[b"SAVE"])?;
    }
    let (a, b) = both(args, (ours.path(), theirs.path()), &RDB)?;
    table.row([json!("snapshot"), json!(args.keys), json!(a), json!(b), json!(a / b)]);
    report.judge("start from a snapshot, ours / Redis from its RDB", bars::START, a / b);
    report.tables.push(table);
    Ok(())
}

/// Returns when all of the journal is on disk.
fn written(admin: &Path) -> Result<()> {
    let (mut admin, began) = (Admin::connect(admin)?, Instant::now());
    while number(&admin.ask(&["status"])?["journal"], "lag_bytes")? > 0.0 {
        ensure!(began.elapsed() < PATIENCE, "the journal is not on disk after {PATIENCE:?}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    Ok(())
}

/// Medians of both sides, by turns.
fn both(
    args: &DurabilityArgs,
    (ours, theirs): (&Path, &Path),
    options: &[&str],
) -> Result<(f64, f64)> {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        a.push(timed(args.keys, || our_start(ours).map(|host| (host.address, host)))?);
        let peer = || Peer::redis_on(theirs, options);
        b.push(timed(args.keys, || peer().map(|peer| (peer.address, peer)))?);
    }
    Ok((median(a), median(b)))
}

fn our_start(folder: &Path) -> Result<Host> {
    Host::with(&artifacts::kv_v2()?, |serve| {
        serve.arg("--data").arg(folder.join("data")).args(NO_SNAPSHOTS);
    })
}

/// Seconds until a server has all its keys; it ends then.
fn timed<T>(keys: u64, start: impl FnOnce() -> Result<(SocketAddr, T)>) -> Result<f64> {
    let began = Instant::now();
    let (address, _server) = start()?;
    let found = Client::connect(address)?.number(&[b"DBSIZE"])?;
    let took = began.elapsed().as_secs_f64();
    ensure!(found == keys, "{found} keys are there, {keys} were written");
    Ok(took)
}
