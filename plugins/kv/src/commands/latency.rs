//! LATENCY: events that took long, and how long commands take.

use hotshell_plugin_api::collections::Bytes;

use crate::command_stats::Counters;
use crate::cx::{Cx, Outcome};
use crate::flags::Flags;
use crate::help;
use crate::latency;
use crate::reply::Reply;
use crate::table::{NO_KEYS, rows, subs, v};

rows! { Server:
    "latency", -2, Flags::ADMIN.or(Flags::NOSCRIPT).or(Flags::LOADING).or(Flags::STALE), NO_KEYS, v(2, 8), doctor,
        "Depends on subcommand.", "A container for latency diagnostics commands.", SUBS;
}

subs! {
    "doctor", 2, v(2, 8), doctor;
    "graph", 3, v(2, 8), graph;
    "help", 2, v(5, 0), help::help;
    "histogram", -2, v(7, 0), histogram;
    "history", 3, v(2, 8), history;
    "latest", 2, v(2, 8), latest;
    "reset", -2, v(2, 8), reset;
}

fn latest(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    cx.out.array(cx.state.latency.len());
    for (event, spikes) in cx.state.latency.iter() {
        let last = spikes.samples.back().copied().unwrap_or_default();
        cx.out.array(4);
        cx.out.bulk(event);
        cx.out.int(last.time_s as i64);
        cx.out.int(last.ms as i64);
        cx.out.int(spikes.max_ms as i64);
    }
    Ok(())
}

fn history(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let Some(spikes) = cx.state.latency.get(args[2]) else {
        cx.out.array(0);
        return Ok(());
    };
    cx.out.array(spikes.samples.len());
    for sample in spikes.samples.iter() {
        cx.out.array(2);
        cx.out.int(sample.time_s as i64);
        cx.out.int(sample.ms as i64);
    }
    Ok(())
}

fn graph(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let Some(spikes) = cx.state.latency.get(args[2]) else {
        let event = String::from_utf8_lossy(args[2]);
        return cx.error(&format!("ERR No samples available for event '{event}'"));
    };
    let text = latency::picture(&String::from_utf8_lossy(args[2]), spikes, cx.now / 1000);
    cx.out.verbatim(text.as_bytes());
    Ok(())
}

/// How often commands took how long, in microseconds, cumulated.
fn histogram(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let names = &args[2..];
    // The name of a container stands for all its subcommands.
    let wanted = |counters: &&Counters| {
        let named = |name: &&[u8]| {
            let name = name.to_ascii_lowercase();
            let sub = counters.name.strip_prefix(&name[..]);
            sub.is_some_and(|rest| rest.is_empty() || rest.starts_with(b"|"))
        };
        counters.timed() > 0 && (names.is_empty() || names.iter().any(named))
    };
    let all: Vec<&Counters> = cx.state.commands.iter().filter(wanted).collect();
    cx.out.map(all.len());
    for counters in all {
        cx.out.bulk(&counters.name);
        cx.out.map(2);
        cx.out.bulk(b"calls");
        cx.out.int(counters.timed() as i64);
        cx.out.bulk(b"histogram_usec");
        cx.out.map(counters.cumulated().count());
        for (ns, count) in counters.cumulated() {
            cx.out.int((ns / 1000) as i64);
            cx.out.int(count as i64);
        }
    }
    Ok(())
}

fn reset(cx: &mut Cx<'_>, args: &[&[u8]]) -> Outcome {
    let all: Vec<Bytes> = match &args[2..] {
        [] => cx.state.latency.keys().cloned().collect(),
        events => events.iter().map(|event| Bytes::from(*event)).collect(),
    };
    let removed = all.iter().filter(|event| cx.state.latency.remove(&event[..]).is_some()).count();
    cx.out.int(removed as i64);
    Ok(())
}

fn doctor(cx: &mut Cx<'_>, _: &[&[u8]]) -> Outcome {
    if cx.state.settings.latency_ms == 0 {
        let scheme = if cx.has(v(6, 0)) { "https" } else { "http" };
        let text = format!(
            "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis \
             instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order \
             to enable it. If we weren't in a deep space mission I'd suggest to take a look at \
             {scheme}://redis.io/topics/latency-monitor.\n"
        );
        cx.out.verbatim(text.as_bytes());
        return Ok(());
    }
    if cx.state.latency.is_empty() {
        cx.out.verbatim(
            b"Dave, no latency spike was observed during the lifetime of this Redis instance, not in \
              the slightest bit. I honestly think you ought to sit down calmly, take a stress pill, \
              and think things over.\n",
        );
        return Ok(());
    }
    let mut text = String::from("Dave, I have observed latency spikes in this Redis instance.\n\n");
    for (event, spikes) in cx.state.latency.iter() {
        let (count, max) = (spikes.samples.len(), spikes.max_ms);
        let total: u64 = spikes.samples.iter().map(|sample| sample.ms).sum();
        let name = String::from_utf8_lossy(event);
        let mean = total / count.max(1) as u64;
        text.push_str(&format!(
            "{name}: {count} latency spikes (average {mean}ms, worst {max}ms).\n"
        ));
    }
    cx.out.verbatim(text.as_bytes());
    Ok(())
}
