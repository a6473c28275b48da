//! kill -9 at random moments: in plain load, in each stage of a swap, in a rotation of the journal, and
//! while the last switch's entries are converted. Then a start, and every counter is looked at.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tempfile::TempDir;

use super::DurabilityArgs;
use super::client::Client;
use crate::artifacts;
use crate::bars;
use crate::clock::{MILLISECOND, SECOND, now_ns};
use crate::host::Host;
use crate::random::Random;
use crate::report::{Report, Table};

/// Clients that count, a key each.
const COUNTERS: usize = 8;
/// Rounds on one folder: the journal is read back in each, so it should stay short.
const ROUNDS_PER_FOLDER: u64 = 20;
/// How long a host lives at most once it is under load.
const LIFE_MS: u64 = 200;
/// What fills a segment of 64 MiB quickly.
const FILLER_BYTES: usize = 1 << 20;
/// What `everysec` may lose: a second, and the bit that a sync takes.
const SECOND_AND_A_BIT_NS: u64 = 1_500 * MILLISECOND;

/// What is under way when the host is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scene {
    Load,
    Swap,
    Rollback,
    Rotation,
}

const SCENES: [(Scene, &str); 4] = [
    (Scene::Load, "load"),
    (Scene::Swap, "a swap, in any stage"),
    (Scene::Rollback, "a swap and its rollback"),
    (Scene::Rotation, "rotation of the journal"),
];

/// What the rounds of one policy found.
#[derive(Debug, Default)]
struct Found {
    rounds: u64,
    acknowledged: u64,
    missing: u64,
    doubled: u64,
    /// Age of the oldest acknowledged write that was lost, at the kill.
    oldest_lost_ns: u64,
    by_scene: [u64; SCENES.len()],
}

/// Adds the figures.
pub fn run(args: &DurabilityArgs, report: &mut Report) -> Result<()> {
    report.note(format!(
        "kill -9: {} rounds, {COUNTERS} clients that each increment a key, killed within {LIFE_MS} ms; \
         seed {}",
        args.rounds, args.seed
    ));
    let mut table = Table::new(
        "kill -9",
        ["fsync", "rounds", "acknowledged", "missing", "doubled", "oldest lost ms"],
    );
    for fsync in ["always", "everysec"] {
        let found = rounds(args, fsync)?;
        let oldest_ms = found.oldest_lost_ns as f64 / MILLISECOND as f64;
        table.row([
            json!(fsync),
            json!(found.rounds),
            json!(found.acknowledged),
            json!(found.missing),
            json!(found.doubled),
            json!(oldest_ms),
        ]);
        for ((_, name), count) in SCENES.iter().zip(found.by_scene) {
            report.note(format!("kill -9, {fsync}: {count} rounds in {name}"));
        }
        if fsync == "always" {
            report.judge("always: acknowledged writes missing", bars::LOST, found.missing as f64);
        } else {
            let age_s = found.oldest_lost_ns as f64 / SECOND as f64;
            report.judge("everysec: age of the oldest lost write, s", bars::EVERYSEC_LOST_S, age_s);
        }
        report.judge(format!("{fsync}: writes doubled"), bars::LOST, found.doubled as f64);
    }
    report.tables.push(table);
    Ok(())
}

fn rounds(args: &DurabilityArgs, fsync: &str) -> Result<Found> {
    let mut random = Random::new(args.seed ^ fsync.len() as u64);
    let (mut found, mut known) = (Found::default(), [0; COUNTERS]);
    let mut folder: Option<TempDir> = None;
    for round in 0..args.rounds / 2 {
        if round % ROUNDS_PER_FOLDER == 0 {
            known = [0; COUNTERS];
            folder = None;
        }
        let place = match folder.take() {
            Some(place) => place,
            None => args.fresh_folder()?,
        };
        let at = random.below(SCENES.len() as u64) as usize;
        let life = Duration::from_millis(1 + random.below(LIFE_MS));
        let killed = one_life(place.path(), fsync, SCENES[at].0, life, &known)?;
        let mut host = start(place.path(), fsync)?;
        known = killed.check(&mut host, &mut found)?;
        found.rounds += 1;
        found.by_scene[at] += 1;
        folder = Some(place);
    }
    Ok(found)
}

fn start(folder: &Path, fsync: &str) -> Result<Host> {
    Host::with(&artifacts::kv_v1()?, |serve| {
        serve.arg("--data").arg(folder.join("data")).args(["--fsync", fsync]);
        serve.args(["--probation", "0"]);
    })
}

/// What clients knew when their host was killed.
struct Killed {
    at_ns: u64,
    /// Per client, each increment and when it was acknowledged.
    acknowledged: Vec<Vec<(u64, u64)>>,
    known: [u64; COUNTERS],
}

fn one_life(
    folder: &Path,
    fsync: &str,
    scene: Scene,
    life: Duration,
    known: &[u64; COUNTERS],
) -> Result<Killed> {
    let mut host = start(folder, fsync)?;
    let (address, over) = (host.address, AtomicBool::new(false));
    std::thread::scope(|scope| {
        let over = &over;
        let counting: Vec<_> =
            (0..COUNTERS).map(|n| scope.spawn(move || count(address, n))).collect();
        let filling = (scene == Scene::Rotation).then(|| scope.spawn(move || fill(address, over)));
        let began = std::time::Instant::now();
        let (v2, socket) = (artifacts::kv_v2()?, host.admin_path());
        let swapping = matches!(scene, Scene::Swap | Scene::Rollback).then(|| {
            scope.spawn(move || {
                let Ok(mut admin) = crate::admin::Admin::connect(&socket) else { return };
                let v2 = v2.to_string_lossy();
                // The host may die at any moment of these.
                let _ = admin.ask(&["swap", &v2]);
                if scene == Scene::Rollback {
                    let _ = admin.ask(&["rollback"]);
                }
            })
        });
        std::thread::sleep(life.saturating_sub(began.elapsed()));
        let at_ns = now_ns();
        host.process.kill();
        over.store(true, Ordering::Relaxed);
        let acknowledged = counting.into_iter().map(|one| one.join().expect("no panics")).collect();
        for thread in filling.into_iter().chain(swapping) {
            thread.join().expect("no panics");
        }
        Ok(Killed { at_ns, acknowledged, known: *known })
    })
}

fn key(n: usize) -> Vec<u8> {
    format!("counter:{n}").into_bytes()
}

/// Increments a key until the host is gone.
fn count(address: SocketAddr, n: usize) -> Vec<(u64, u64)> {
    let mut acknowledged = Vec::new();
    let Ok(mut client) = Client::connect(address) else { return acknowledged };
    while let Ok(value) = client.number(&[b"INCR", &key(n)]) {
        acknowledged.push((value, now_ns()));
    }
    acknowledged
}

/// Overwrites one large value until the host is gone.
fn fill(address: SocketAddr, over: &AtomicBool) {
    let Ok(mut client) = Client::connect(address) else { return };
    let large = vec![b'x'; FILLER_BYTES];
    while !over.load(Ordering::Relaxed) && client.call(&[b"SET", b"filler", &large]).is_ok() {}
}

impl Killed {
    /// Compares what is there with what was acknowledged; answers what is there.
    fn check(&self, host: &mut Host, found: &mut Found) -> Result<[u64; COUNTERS]> {
        let mut client = Client::connect(host.address)?;
        let mut now = [0; COUNTERS];
        for (n, now) in now.iter_mut().enumerate() {
            *now = client.number(&[b"GET", &key(n)])?;
            let heard = &self.acknowledged[n];
            let last = heard.last().map_or(self.known[n], |(value, _)| *value);
            found.acknowledged += heard.len() as u64;
            found.missing += last.saturating_sub(*now);
            // One request may have been under way when the host was killed.
            found.doubled += now.saturating_sub(last + 1);
            let lost = heard.iter().find(|(value, _)| value > now);
            if let Some((_, at_ns)) = lost {
                let age = self.at_ns.saturating_sub(*at_ns);
                found.oldest_lost_ns = found.oldest_lost_ns.max(age);
                ensure!(age < 60 * SECOND, "a write of {age} ns before the kill is missing");
            } else if last > *now {
                // Nothing that an earlier round has looked at may be lost later.
                found.oldest_lost_ns = found.oldest_lost_ns.max(SECOND_AND_A_BIT_NS * 2);
            }
        }
        Ok(now)
    }
}
