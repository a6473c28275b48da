//! Benchmarks of hotshell. Every figure is a ratio against a peer in the same run, or a stop that the
//! host measured itself.

mod admin;
mod artifacts;
mod bars;
mod boundary;
mod callgrind;
mod clock;
mod collections;
mod durability;
mod host;
mod kv;
mod load;
mod machine;
mod median;
mod migrate;
mod peer;
mod probation;
mod process;
mod random;
mod redis_benchmark;
mod rehearse;
mod report;
mod resp;
mod soak;
mod steady;
mod swap;
mod throughput;
mod traffic;
mod versions;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The allocator of the host, so that peers in this process have the same one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Benchmarks of hotshell: ratios against a peer in the same run, or stops that the host measured.
///
/// Build first: cargo build --release --workspace
#[derive(Debug, Parser)]
#[command(name = "hotshell-bench", version)]
struct Cli {
    #[command(subcommand)]
    what: What,
    /// Print one JSON object instead of tables
    #[arg(long, global = true)]
    json: bool,
    /// Exit with 1 when a bar does not hold
    #[arg(long, global = true)]
    strict: bool,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Swaps under traffic: the stop, what clients notice, whether anything is lost
    Swap(swap::SwapArgs),
    /// A swap that changes the shape of every entry of a large map
    Migrate(migrate::MigrateArgs),
    /// Swaps between the two versions of kv: stops, and whether a key or a stream is lost
    Versions(versions::VersionsArgs),
    /// Versions that panic or hang: how soon the host is back, or names the place
    Probation(probation::ProbationArgs),
    /// Many swaps under light traffic: whether memory stays flat
    Soak(soak::SoakArgs),
    /// `load` stage by stage, and `use`
    Load(load::LoadArgs),
    /// Requests per second and CPU time per request against a peer, with redis-benchmark
    Throughput(throughput::ThroughputArgs),
    /// All tests of redis-benchmark, memory per key, and the longest calls, against a Redis
    Kv(kv::KvArgs),
    /// Instructions per request of a loaded plugin against the same one linked statically
    Boundary(boundary::BoundaryArgs),
    /// The collections of server state against hashbrown's and std's
    Collections(collections::CollectionsArgs),
    /// Instructions that a hash map at rest pays for being able to change its shape
    Steady(steady::SteadyArgs),
    /// What a kill loses, what the journal costs, how long a start takes
    Durability(durability::DurabilityArgs),
    /// The traffic of `swap` against any RESP server, without swaps
    Rehearse(rehearse::RehearseArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(u8::from(cli.strict)),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Answers whether all bars hold.
fn run(cli: &Cli) -> Result<bool> {
    let report = match &cli.what {
        What::Swap(args) => swap::run(args),
        What::Migrate(args) => migrate::run(args),
        What::Versions(args) => versions::run(args),
        What::Probation(args) => probation::run(args),
        What::Soak(args) => soak::run(args),
        What::Load(args) => load::run(args),
        What::Throughput(args) => throughput::run(args),
        What::Kv(args) => kv::run(args),
        What::Boundary(args) => boundary::run(args),
        What::Collections(args) => collections::run(args),
        What::Steady(args) => steady::run(args),
        What::Durability(args) => durability::run(args),
        What::Rehearse(args) => rehearse::run(args),
    }?;
    if cli.json {
        println!("{}", report.json());
    } else {
        println!("{report}");
    }
    Ok(report.passes())
}
