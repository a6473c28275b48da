//! What the journal costs: SET against Redis with its append-only file, both on the same disk.

use anyhow::Result;
use serde_json::json;

use super::DurabilityArgs;
use crate::artifacts;
use crate::bars;
use crate::host::Host;
use crate::peer::Peer;
use crate::redis_benchmark::{Load, Work};
use crate::report::{Report, Table};
use crate::throughput::compare;

/// Connections.
const CLIENTS: u64 = 50;

/// Adds the figures.
pub fn run(args: &DurabilityArgs, report: &mut Report) -> Result<()> {
    report.note(format!(
        "throughput: redis-benchmark SET, {CLIENTS} connections, 100000 keys, 3 byte values; \
         medians of {} measurements of each side, by turns",
        args.measurements
    ));
    let mut table = Table::new(
        "SET with a journal, against Redis with its append-only file",
        [
            "fsync",
            "pipeline",
            "ours req/s",
            "Redis req/s",
            "ratio",
            "ours CPU us/req",
            "Redis CPU us/req",
        ],
    );
    let small = args.requests / 10;
    for (fsync, pipeline, requests) in
        [("everysec", 1, args.requests), ("everysec", 16, args.requests * 8), ("always", 1, small)]
    {
        let folder = args.fresh_folder()?;
        let data = folder.path().join("data");
        let host = Host::with(&artifacts::kv_v2()?, |serve| {
            serve.arg("--data").arg(&data).args(["--fsync", fsync]);
        })?;
        let peer = Peer::redis_on(folder.path(), &["--appendonly", "yes", "--appendfsync", fsync])?;
        let (keyspace, size, threads) = (100_000, 3, 1);
        let load = Load { clients: CLIENTS, requests, pipeline, keyspace, size, threads };
        let sides = (&host, &peer);
        let (ours, theirs) = compare(load, Work::Test("set"), args.measurements, sides)?;
        let ratio = ours.requests_per_s / theirs.requests_per_s;
        table.row([
            json!(fsync),
            json!(pipeline),
            json!(ours.requests_per_s),
            json!(theirs.requests_per_s),
            json!(ratio),
            json!(ours.cpu_us),
            json!(theirs.cpu_us),
        ]);
        report.judge(
            format!("{fsync}, pipeline {pipeline}: requests/s, ours / Redis"),
            bars::JOURNAL_RPS,
            ratio,
        );
    }
    report.tables.push(table);
    Ok(())
}
