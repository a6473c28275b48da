//! How long one command on something large takes, as the server itself counts it: nobody else is served
//! meanwhile.

use anyhow::{Context, Result};
use serde_json::json;

use super::KvArgs;
use super::client::Client;
use super::large::{Fill, fill};
use crate::bars;
use crate::report::{Report, Table};

/// A command on something large.
#[derive(Debug, Clone, Copy)]
struct Call {
    /// What there is.
    fill: Fill,
    /// What is asked then, `big` being the key; words.
    words: &'static str,
}

const CALLS: [Call; 22] = [
    Call { fill: Fill::List, words: "DEL big" },
    Call { fill: Fill::Hash, words: "DEL big" },
    Call { fill: Fill::Set, words: "DEL big" },
    Call { fill: Fill::Zset, words: "DEL big" },
    Call { fill: Fill::String, words: "DEL big" },
    Call { fill: Fill::List, words: "UNLINK big" },
    Call { fill: Fill::Hash, words: "UNLINK big" },
    Call { fill: Fill::Set, words: "UNLINK big" },
    Call { fill: Fill::Zset, words: "UNLINK big" },
    Call { fill: Fill::String, words: "UNLINK big" },
    Call { fill: Fill::List, words: "RENAME small big" },
    Call { fill: Fill::Hash, words: "RENAME small big" },
    Call { fill: Fill::Set, words: "RENAME small big" },
    Call { fill: Fill::Zset, words: "RENAME small big" },
    Call { fill: Fill::Set, words: "SUNIONSTORE big none" },
    Call { fill: Fill::Hash, words: "SET big small" },
    Call { fill: Fill::List, words: "LTRIM big 1 0" },
    Call { fill: Fill::Keys, words: "FLUSHALL" },
    Call { fill: Fill::Keys, words: "FLUSHALL ASYNC" },
    Call { fill: Fill::Keys, words: "FLUSHDB SYNC" },
    Call { fill: Fill::String, words: "GET big" },
    Call { fill: Fill::String, words: "GETRANGE big 0 -1" },
];

/// Measures all calls.
pub fn run(args: &KvArgs, report: &mut Report) -> Result<()> {
    report.note(format!(
        "calls: the duration that INFO commandstats has of one command, of {} elements or a string of \
         100 MiB, in a fresh server that has run no such command before; the least of {} rounds",
        args.large, args.rounds
    ));
    let mut table = Table::new("one call (us)", ["filled by", "call", "took", "peer's", "ratio"]);
    for call in CALLS {
        let (mut ours, mut theirs) = (u64::MAX, u64::MAX);
        for _ in 0..args.rounds {
            let (host, peer) = super::servers(args)?;
            theirs = theirs.min(took_us(&mut Client::connect(peer.address)?, call, args.large)?);
            ours = ours.min(took_us(&mut Client::connect(host.address)?, call, args.large)?);
        }
        table.row([
            json!(call.fill.command()),
            json!(call.words),
            json!(ours),
            json!(theirs),
            json!(ours as f64 / theirs.max(1) as f64),
        ]);
        let beyond_ms = (ours as f64 - theirs as f64) / 1000.0;
        let what = format!("{} .. {}: beyond the peer's (ms)", call.fill.command(), call.words);
        report.judge(what, bars::STOP_BEYOND_PEER_MS, beyond_ms);
    }
    report.tables.push(table);
    Ok(())
}

fn took_us(client: &mut Client, call: Call, elements: u64) -> Result<u64> {
    client.ask(&["SADD", "small", "member"])?;
    fill(client, call.fill, elements)?;
    client.ask(&["CONFIG", "RESETSTAT"])?;
    let words: Vec<&str> = call.words.split(' ').collect();
    client.ask(&words)?;
    let info = client.ask(&["INFO", "commandstats"])?;
    let name = words[0].to_lowercase();
    total_us(&String::from_utf8_lossy(&info), &name)
        .with_context(|| format!("INFO commandstats has no usec of one '{name}'"))
}

/// The time of all calls of a command, of which there was one.
fn total_us(info: &str, name: &str) -> Option<u64> {
    let start = format!("cmdstat_{name}:calls=1,usec=");
    let rest = info.lines().find_map(|line| line.strip_prefix(start.as_str()))?;
    rest.split(',').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_one_call_is_found() {
        let info = "# Commandstats\r\n\
            cmdstat_getrange:calls=1,usec=7,usec_per_call=7.00\r\n\
            cmdstat_get:calls=1,usec=81234,usec_per_call=81234.00,rejected_calls=0\r\n";
        assert_eq!(total_us(info, "get"), Some(81_234));
        assert_eq!(total_us(info, "del"), None);
        assert_eq!(total_us("cmdstat_get:calls=2,usec=9,", "get"), None, "of two it is no one's");
    }
}
