//! What a snapshot costs those who are served meanwhile: the longest stop by the server's own clock,
//! throughput against steady state, peak memory; and the same of Redis' BGSAVE.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::json;

use super::DurabilityArgs;
use super::client::Client;
use crate::admin::{Admin, number};
use crate::artifacts;
use crate::bars;
use crate::host::Host;
use crate::peer::Peer;
use crate::process::Process;
use crate::redis_benchmark::{Load, Measured, Work, measure, middle};
use crate::report::{Report, Table};

/// Requests of one measurement: a fraction of a second, so that a snapshot spans several.
const REQUESTS: u64 = 50_000;
/// Steady measurements before the snapshot.
const STEADY: usize = 16;

/// What was measured of one side.
struct Cost {
    stop_us: f64,
    /// Without the time in which the thread waited for a processor; unknown of Redis.
    stop_own_us: Option<f64>,
    /// Resident memory before.
    state_mib: f64,
    seconds: f64,
    steady: Figures,
    meanwhile: Figures,
    memory: f64,
}

/// What clients saw.
struct Figures {
    rps: f64,
    /// The median over measurements of the longest request of each.
    longest_ms: f64,
}

/// Adds the figures.
pub fn run(args: &DurabilityArgs, report: &mut Report) -> Result<()> {
    report.note(format!(
        "snapshot: {} keys of 16 bytes with values of 32, redis-benchmark SET on them, 50 connections; \
         ours `snapshot`, theirs BGSAVE; stops by each server's own clock, which also counts what others \
         run on its processor, memory without that of Redis' child; longest: the median over \
         measurements of {REQUESTS} requests of the longest request of each",
        args.snapshot_keys
    ));
    let (ours, theirs) = (args.fresh_folder()?, args.fresh_folder()?);
    let ours = our_side(args, ours.path())?;
    let theirs = their_side(args, theirs.path())?;
    let mut taken = Table::new(
        "a snapshot under load",
        ["server", "stop us", "its own us", "state MiB", "takes s", "peak memory"],
    );
    let mut seen = Table::new(
        "what clients saw: before, and meanwhile",
        ["server", "req/s", "meanwhile", "ratio", "longest ms", "meanwhile"],
    );
    for (name, cost) in [("hotshell", &ours), ("Redis", &theirs)] {
        taken.row([
            json!(name),
            json!(cost.stop_us),
            json!(cost.stop_own_us),
            json!(cost.state_mib),
            json!(cost.seconds),
            json!(cost.memory),
        ]);
        seen.row([
            json!(name),
            json!(cost.steady.rps),
            json!(cost.meanwhile.rps),
            json!(cost.meanwhile.rps / cost.steady.rps),
            json!(cost.steady.longest_ms),
            json!(cost.meanwhile.longest_ms),
        ]);
    }
    report.tables.extend([taken, seen]);
    report.judge("a snapshot's longest stop, us", bars::SNAPSHOT_STOP_US, ours.stop_us);
    let ratio = ours.meanwhile.rps / ours.steady.rps;
    report.judge("requests/s during a snapshot / steady", bars::SNAPSHOT_RPS, ratio);
    report.judge("peak memory of a snapshot / before", bars::SNAPSHOT_MEMORY, ours.memory);
    Ok(())
}

fn our_side(args: &DurabilityArgs, folder: &Path) -> Result<Cost> {
    let host = Host::with(&artifacts::kv_v2()?, |serve| {
        serve.arg("--data").arg(folder.join("data"));
        serve.args(["--snapshot-every", "0", "--snapshot-after", "0"]);
    })?;
    Client::connect(host.address)?.fill(args.snapshot_keys)?;
    let admin = host.admin_path();
    let (steady, before) = steady(args, host.address, &host.process)?;
    let began = Instant::now();
    let asked = std::thread::spawn(move || Admin::connect(&admin)?.ask(&["snapshot"]));
    let (mut measured, mut over) = (Vec::new(), false);
    while !over {
        over = asked.is_finished();
        measured.push(measure(load(args), Work::Test("set"), host.address, &host.process)?);
    }
    let answer = asked.join().expect("no panics")?;
    ensure!(began.elapsed() < Duration::from_secs(600), "it does not end");
    Ok(Cost {
        stop_us: number(&answer, "stop_us")?,
        stop_own_us: Some(number(&answer, "stop_own_us")?),
        state_mib: before / 1024.0,
        seconds: number(&answer, "total_us")? / 1e6,
        steady,
        meanwhile: during(&measured),
        memory: host.process.peak_kib()? as f64 / before,
    })
}

fn their_side(args: &DurabilityArgs, folder: &Path) -> Result<Cost> {
    let peer = Peer::redis_on(folder, &["--appendonly", "yes", "--appendfsync", "everysec"])?;
    let mut client = Client::connect(peer.address)?;
    client.fill(args.snapshot_keys)?;
    let (steady, before) = steady(args, peer.address, &peer.process)?;
    let began = Instant::now();
    client.call(&[b"BGSAVE"])?;
    let (mut measured, mut over) = (Vec::new(), false);
    let mut seconds = 0.0;
    while !over {
        over = info(&mut client, "rdb_bgsave_in_progress")? == 0.0;
        seconds = if over { seconds } else { began.elapsed().as_secs_f64() };
        measured.push(measure(load(args), Work::Test("set"), peer.address, &peer.process)?);
    }
    Ok(Cost {
        stop_us: info(&mut client, "latest_fork_usec")?,
        stop_own_us: None,
        state_mib: before / 1024.0,
        seconds,
        steady,
        meanwhile: during(&measured),
        memory: peer.process.peak_kib()? as f64 / before,
    })
}

fn load(args: &DurabilityArgs) -> Load {
    Load {
        clients: 50,
        requests: REQUESTS,
        pipeline: 1,
        keyspace: args.snapshot_keys,
        size: 32,
        threads: 1,
    }
}

/// What clients see before a snapshot, and memory in KiB then.
fn steady(
    args: &DurabilityArgs,
    address: std::net::SocketAddr,
    process: &Process,
) -> Result<(Figures, f64)> {
    let one = |_| measure(load(args), Work::Test("set"), address, process);
    let measured: Vec<Measured> = (0..STEADY).map(one).collect::<Result<_>>()?;
    process.forget_peak()?;
    Ok((figures(&measured), process.rss_kib()? as f64))
}

/// Of what was measured before the end was seen.
fn during(measured: &[Measured]) -> Figures {
    figures(&measured[..measured.len().max(2) - 1])
}

fn figures(measured: &[Measured]) -> Figures {
    let rps = measured.iter().map(|one| one.requests_per_s).sum::<f64>() / measured.len() as f64;
    Figures { rps, longest_ms: middle(measured).longest_ms }
}

fn info(client: &mut Client, field: &str) -> Result<f64> {
    let text = String::from_utf8_lossy(&client.call(&[b"INFO"])?).into_owned();
    let found = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    Ok(found.and_then(|value| value.trim().parse().ok()).unwrap_or_default())
}
