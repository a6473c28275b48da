//! kill -9 at random moments: in plain load, in each stage of a swap, in a rotation of the journal, in a
//! snapshot, and while the last switch's entries are converted. Then a start, and every counter is looked
//! at.

mod scene;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;
use tempfile::TempDir;

use self::scene::{Counter, SCENES, Scene};
use super::DurabilityArgs;
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
/// What `everysec` may lose: a second, and the bit that a sync takes.
const SECOND_AND_A_BIT_NS: u64 = 1_500 * MILLISECOND;

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
        "kill -9: {} rounds, {COUNTERS} clients that each count, killed within {LIFE_MS} ms; seed {}",
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
        for (scene, count) in SCENES.iter().zip(found.by_scene) {
            report.note(format!("kill -9, {fsync}: {count} rounds in {}", scene.name()));
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

/// A data folder, and what was in it when it was last looked at.
struct Place {
    folder: TempDir,
    known: [u64; COUNTERS],
    rounds: u64,
}

fn rounds(args: &DurabilityArgs, fsync: &str) -> Result<Found> {
    let mut random = Random::new(args.seed ^ fsync.len() as u64);
    let (mut found, mut places) = (Found::default(), [None, None]);
    for round in 0..args.rounds / 2 {
        let at = round as usize % SCENES.len();
        let life = Duration::from_millis(1 + random.below(LIFE_MS));
        let (scene, counter) = (SCENES[at], SCENES[at].counter());
        let place: &mut Option<Place> = &mut places[counter as usize];
        if place.as_ref().is_none_or(|place| place.rounds == ROUNDS_PER_FOLDER) {
            *place = Some(Place::fresh(args, counter, fsync)?);
        }
        let place = place.as_mut().expect("just made");
        let killed = place.one_life(fsync, scene, life)?;
        let host = start(place.folder.path(), counter, fsync)?;
        place.known = killed.check(&host, counter, &mut found)?;
        place.rounds += 1;
        found.rounds += 1;
        found.by_scene[at] += 1;
    }
    Ok(found)
}

fn start(folder: &Path, counter: Counter, fsync: &str) -> Result<Host> {
    Host::with(&counter.first()?, |serve| {
        serve.arg("--data").arg(folder.join("data")).args(["--fsync", fsync]);
        // Each round begins with the first version, so that there is something to swap to.
        serve.args(["--probation", "0", "--ignore-permanent"]);
    })
}

/// What clients knew when their host was killed.
struct Killed {
    at_ns: u64,
    /// Per client, each value and when it was acknowledged.
    acknowledged: Vec<Vec<(u64, u64)>>,
    known: [u64; COUNTERS],
}

impl Place {
    fn fresh(args: &DurabilityArgs, counter: Counter, fsync: &str) -> Result<Self> {
        let folder = args.fresh_folder()?;
        let mut host = start(folder.path(), counter, fsync)?;
        counter.fill(host.address)?;
        host.admin.ask(&["snapshot"])?;
        Ok(Self { folder, known: [0; COUNTERS], rounds: 0 })
    }

    fn one_life(&self, fsync: &str, scene: Scene, life: Duration) -> Result<Killed> {
        let counter = scene.counter();
        let mut host = start(self.folder.path(), counter, fsync)?;
        let (address, over, admin) = (host.address, AtomicBool::new(false), host.admin_path());
        std::thread::scope(|scope| {
            let over = &over;
            let counting: Vec<_> =
                (0..COUNTERS).map(|n| scope.spawn(move || count(counter, address, n))).collect();
            let acting = scope.spawn(move || scene.act(address, &admin, over));
            std::thread::sleep(life);
            let at_ns = now_ns();
            host.process.kill();
            over.store(true, Ordering::Relaxed);
            let acknowledged =
                counting.into_iter().map(|one| one.join().expect("no panics")).collect();
            acting.join().expect("no panics");
            Ok(Killed { at_ns, acknowledged, known: self.known })
        })
    }
}

/// Counts until the host is gone.
fn count(counter: Counter, address: SocketAddr, n: usize) -> Vec<(u64, u64)> {
    let mut acknowledged = Vec::new();
    let Ok(mut client) = counter.connect(address) else { return acknowledged };
    while let Ok(value) = client.add(n) {
        acknowledged.push((value, now_ns()));
    }
    acknowledged
}

impl Killed {
    /// Compares what is there with what was acknowledged; answers what is there.
    fn check(&self, host: &Host, counter: Counter, found: &mut Found) -> Result<[u64; COUNTERS]> {
        let mut client = counter.connect(host.address)?;
        let mut now = [0; COUNTERS];
        for (n, now) in now.iter_mut().enumerate() {
            *now = client.look(n)?;
            let heard = &self.acknowledged[n];
            let last = heard.last().map_or(self.known[n], |(value, _)| *value);
            found.acknowledged += heard.len() as u64;
            found.missing += u64::from(last > *now);
            // One request may have been under way when the host was killed.
            found.doubled += u64::from(*now > last + counter.most());
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
