//! [`Scene`]: what is under way when a host is killed. [`Counter`]: whose counting is looked at.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use crate::admin::Admin;
use crate::artifacts;
use crate::durability::client::{Client, Lines};

/// Keys beside the counters: what a snapshot and a drain take their time over.
const OTHERS: u64 = 60_000;
/// What fills a segment of 64 MiB quickly.
const FILLER_BYTES: usize = 1 << 20;

/// What is under way when the host is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    Load,
    Swap,
    Rollback,
    Rotation,
    Snapshot,
    Drain,
    DrainBack,
    SnapshotAndSwap,
}

/// All of them.
pub const SCENES: [Scene; 8] = [
    Scene::Load,
    Scene::Swap,
    Scene::Rollback,
    Scene::Rotation,
    Scene::Snapshot,
    Scene::Drain,
    Scene::DrainBack,
    Scene::SnapshotAndSwap,
];

impl Scene {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Swap => "a swap, in any stage",
            Self::Rollback => "a swap and its rollback",
            Self::Rotation => "rotation of the journal",
            Self::Snapshot => "snapshots",
            Self::Drain => "a swap and its drain",
            Self::DrainBack => "a drain and its rollback",
            Self::SnapshotAndSwap => "a snapshot that a change of shape gives up",
        }
    }

    /// Whose counting is looked at.
    pub const fn counter(self) -> Counter {
        match self {
            Self::Drain | Self::DrainBack | Self::SnapshotAndSwap => Counter::Ledger,
            _ => Counter::Kv,
        }
    }

    /// Does it, over and over where it is short. The host may die at any moment of it.
    pub fn act(self, address: SocketAddr, admin: &Path, over: &AtomicBool) {
        let Ok(mut admin) = Admin::connect(admin) else { return };
        let Ok(second) = self.counter().second() else { return };
        let swap = ["swap", &*second.to_string_lossy()];
        let verbs: &[&[&str]] = match self {
            Self::Load => return,
            Self::Rotation => return rotate(address, over),
            Self::Swap | Self::Drain => &[&swap],
            Self::Rollback | Self::DrainBack => &[&swap, &["rollback"]],
            Self::Snapshot => {
                while !over.load(Ordering::Relaxed) && admin.ask(&["snapshot"]).is_ok() {}
                return;
            }
            Self::SnapshotAndSwap => {
                let wanted = admin.tell(&["snapshot"]);
                let Ok(mut other) = Admin::connect(admin.path()) else { return };
                drop((wanted, other.ask(&swap)));
                return;
            }
        };
        for verb in verbs {
            if admin.ask(verb).is_err() {
                return;
            }
        }
    }
}

/// Overwrites one large value until the host is gone.
fn rotate(address: SocketAddr, over: &AtomicBool) {
    let Ok(mut client) = Client::connect(address) else { return };
    let large = vec![b'x'; FILLER_BYTES];
    while !over.load(Ordering::Relaxed) && client.call(&[b"SET", b"filler", &large]).is_ok() {}
}

/// A plugin that counts, in two versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counter {
    /// kv, whose versions have states alike.
    Kv,
    /// The ledger, whose accounts another version has in another shape, and in which it adds more.
    Ledger,
}

impl Counter {
    /// The version that a round begins with.
    pub fn first(self) -> Result<PathBuf> {
        match self {
            Self::Kv => artifacts::kv_v1(),
            Self::Ledger => artifacts::ledger_v1(),
        }
    }

    fn second(self) -> Result<PathBuf> {
        match self {
            Self::Kv => artifacts::kv_v2(),
            Self::Ledger => artifacts::ledger_v2(),
        }
    }

    /// The most that one request adds.
    pub const fn most(self) -> u64 {
        match self {
            Self::Kv => 1,
            Self::Ledger => 10,
        }
    }

    /// A client of it.
    pub fn connect(self, address: SocketAddr) -> Result<Counting> {
        Ok(match self {
            Self::Kv => Counting::Kv(Client::connect(address)?),
            Self::Ledger => Counting::Ledger(Lines::connect(address)?),
        })
    }

    /// Makes the keys beside the counters.
    pub fn fill(self, address: SocketAddr) -> Result<()> {
        match self {
            Self::Kv => Client::connect(address)?.fill(OTHERS),
            Self::Ledger => Lines::connect(address)?.fill(OTHERS),
        }
    }
}

/// A client that counts.
#[derive(Debug)]
pub enum Counting {
    Kv(Client),
    Ledger(Lines),
}

impl Counting {
    /// Adds to counter `n`; answers its new value.
    pub fn add(&mut self, n: usize) -> Result<u64> {
        match self {
            Self::Kv(client) => client.number(&[b"INCR", &key(n)]),
            Self::Ledger(lines) => total(&lines.ask(&format!("counter-{n}"))?),
        }
    }

    /// The value of counter `n`.
    pub fn look(&mut self, n: usize) -> Result<u64> {
        match self {
            Self::Kv(client) => client.number(&[b"GET", &key(n)]),
            Self::Ledger(lines) => total(&lines.ask(&format!("=counter-{n}"))?),
        }
    }
}

fn key(n: usize) -> Vec<u8> {
    format!("counter:{n}").into_bytes()
}

/// `counter-1 17`, with a note behind it in version 2.
fn total(line: &str) -> Result<u64> {
    let word = line.split(' ').nth(1).with_context(|| format!("no total in {line:?}"))?;
    word.parse().with_context(|| format!("no total in {line:?}"))
}
