//! The tables and the bars of `swap`.

use hdrhistogram::Histogram;
use serde_json::json;

use super::{Found, SwapArgs};
use crate::bars;
use crate::clock::MILLISECOND;
use crate::machine::Latencies;
use crate::report::{Report, Table};
use crate::traffic::{Cast, MODES, Outcome, Points, ROLES, Started};

/// All that was found, and how it is judged.
pub(super) fn report(args: &SwapArgs, cast: &Cast, found: &Found) -> Report {
    let mut report = Report::new("swap");
    let Found { started, outcome, .. } = found;
    let Started { saturated, rate } = started;
    report.note(match saturated {
        Some(most) => format!(
            "{rate:.0} requests/s by schedule: {} of the {most:.0} that clients without pauses reach",
            args.load
        ),
        None => format!("{rate:.0} requests/s by schedule"),
    });
    let late = Points::of(&outcome.late);
    report.note(format!(
        "without swaps the host is on a CPU {:.0} % of the time, the clients {:.0} %; these sent {:.0} us \
         late at p99, which counts into the latencies",
        100.0 * found.engine_busy,
        100.0 * found.clients_busy,
        late.p99
    ));
    let count = |of: fn(&Latencies) -> u64| outcome.samples.latencies().map(of).sum::<u64>();
    report.note(format!(
        "{} of {} requests met a pause of a processor or its aftermath: the bars are without them",
        count(Latencies::disturbed),
        count(|latencies| latencies.all.len())
    ));
    let roles: Vec<String> =
        cast.counts.iter().zip(ROLES).map(|(count, role)| format!("{count} {role}")).collect();
    report.note(format!("{} clients: {}", cast.clients(), roles.join(", ")));
    report.tables.extend([
        stops(found),
        clients(args, outcome, "all requests", |latencies| &latencies.all),
        clients(args, outcome, "those during which no processor paused", |latencies| {
            &latencies.undisturbed
        }),
        machine(outcome),
        states(outcome),
        verdicts(found),
        memory(found),
    ]);
    outcome.tally.examples.iter().for_each(|example| report.note(example.clone()));
    judge_loss(&mut report, found);
    if !args.quick {
        judge_times(&mut report, found);
    }
    report
}

fn stops(found: &Found) -> Table {
    let mut table = Table::new(
        "stop of the server, and the whole verb (us, as the host measured them)",
        ["mode", "swaps", "stop p50", "stop p99", "stop max", "verb p50", "verb p99", "verb max"],
    );
    for (mode, answers) in MODES.iter().zip(&found.answers) {
        let (pause, total) =
            (Points::of_micros(&answers.pause_us), Points::of_micros(&answers.total_us));
        if pause.count > 0 {
            table.row([
                json!(mode),
                json!(pause.count),
                json!(pause.p50),
                json!(pause.p99),
                json!(pause.max),
                json!(total.p50),
                json!(total.p99),
                json!(total.max),
            ]);
        }
    }
    table
}

fn clients(
    args: &SwapArgs,
    outcome: &Outcome,
    which: &str,
    of: fn(&Latencies) -> &Histogram<u64>,
) -> Table {
    let title = format!(
        "latency from the scheduled time (us), {which}; around: within {} ms of the verb or its answer",
        args.window_ms
    );
    let mut table =
        Table::new(title, ["when", "requests", "p50", "p99", "p99.9", "max", "p99.9 / steady"]);
    let samples = &outcome.samples;
    let steady = Points::of(of(&samples.steady));
    let around = MODES.iter().zip(&samples.around);
    let rows = [("steady".to_owned(), steady)]
        .into_iter()
        .chain(around.map(|(mode, near)| (format!("around {mode} swaps"), Points::of(of(near)))));
    for (when, points) in rows.filter(|(_, points)| points.count > 0) {
        table.row([
            json!(when),
            json!(points.count),
            json!(points.p50),
            json!(points.p99),
            json!(points.p999),
            json!(points.max),
            json!(points.p999 / steady.p999),
        ]);
    }
    table
}

fn machine(outcome: &Outcome) -> Table {
    let mut table = Table::new(
        "how late a thread was that comes first on its processor and only wakes every millisecond (us)",
        ["processor", "wakes", "p50", "p99", "p99.9", "max", "pauses", "paused (ms)"],
    );
    for beats in &outcome.machine {
        let Points { p50, p99, p999, max, count } = Points::of(&beats.late);
        let seen = |number: u64| if beats.first { json!(number) } else { json!("not known") };
        let paused_ms = seen(beats.paused_ns / MILLISECOND);
        table.row([
            json!(beats.cpu),
            json!(count),
            json!(p50),
            json!(p99),
            json!(p999),
            json!(max),
            seen(beats.pauses),
            paused_ms,
        ]);
    }
    table
}

fn states(outcome: &Outcome) -> Table {
    let mut table = Table::new(
        "swaps met by clients in a state (swap times client)",
        ["half-sent request", "open MULTI", "blocked", "unread replies", "awaiting a reply"],
    );
    let met = outcome.met;
    let in_flight: u64 = outcome.samples.in_flight.iter().sum();
    table.row([met.half, met.multi, met.blocked, met.unread, in_flight].map(|n| json!(n)));
    table
}

fn verdicts(found: &Found) -> Table {
    let mut table = Table::new(
        "replies, each compared byte by byte",
        ["right", "wrong", "missing", "doubled", "connections lost", "keys changed"],
    );
    let tally = &found.outcome.tally;
    let Found { keys_wrong, .. } = *found;
    let row = [
        tally.right,
        tally.wrong,
        tally.missing,
        tally.doubled,
        tally.lost_connections,
        keys_wrong,
    ];
    table.row(row.map(|n| json!(n)));
    table
}

fn memory(found: &Found) -> Table {
    let mut table = Table::new(
        "memory of the host (KiB), and images at the end",
        ["mode", "RSS after 10 swaps", "RSS after all", "resident", "retained", "panics"],
    );
    let status = |name: &str| found.status[name].clone();
    for (mode, answers) in MODES.iter().zip(&found.answers).filter(|(_, a)| a.rss_end_kib.is_some())
    {
        table.row([
            json!(mode),
            json!(answers.rss_settled_kib),
            json!(answers.rss_end_kib),
            status("generations_resident"),
            status("images_retained"),
            status("panics"),
        ]);
    }
    table
}

fn judge_loss(report: &mut Report, found: &Found) {
    let tally = &found.outcome.tally;
    report.judge("connections lost", bars::LOST, tally.lost_connections as f64);
    report.judge("replies wrong", bars::LOST, tally.wrong as f64);
    report.judge("replies missing", bars::LOST, tally.missing as f64);
    report.judge("replies doubled", bars::LOST, tally.doubled as f64);
    report.judge("keys changed", bars::LOST, found.keys_wrong as f64);
    report.judge("panics", bars::LOST, found.status["panics"].as_f64().unwrap_or(f64::NAN));
    let asked: usize = found.answers.iter().map(|answers| answers.pause_us.len()).sum();
    let counted = found.status["swaps"].as_f64().unwrap_or(f64::NAN);
    report.judge("swaps the host did not do", bars::LOST, (asked as f64 - counted).abs());
}

fn judge_times(report: &mut Report, found: &Found) {
    for (mode, answers) in MODES.iter().zip(&found.answers) {
        let pause = Points::of_micros(&answers.pause_us);
        if pause.count > 0 {
            report.judge(format!("{mode}: stop p50 (us)"), bars::STOP_P50_US, pause.p50);
            report.judge(format!("{mode}: stop p99 (us)"), bars::STOP_P99_US, pause.p99);
            report.judge(format!("{mode}: stop max (us)"), bars::STOP_MAX_US, pause.max);
        }
    }
    let total = Points::of_micros(&found.answers[0].total_us);
    if total.count > 0 {
        report.judge("warm: use p50 (us)", bars::USE_US, total.p50);
    }
    report.judge("engine busy without swaps", bars::ENGINE_BUSY, found.engine_busy);
    let samples = &found.outcome.samples;
    let steady = Points::of(&samples.steady.undisturbed);
    for (mode, around) in MODES.iter().zip(&samples.around) {
        let around = Points::of(&around.undisturbed);
        if around.count > 0 {
            let ratio = around.p999 / steady.p999;
            let what = format!("{mode}: client p99.9 around / steady");
            report.judge(what, bars::CLIENT_P999_RATIO, ratio);
        }
    }
    for (mode, answers) in MODES.iter().zip(&found.answers) {
        if let (Some(settled), Some(end)) = (answers.rss_settled_kib, answers.rss_end_kib) {
            let ratio = end as f64 / settled as f64;
            report.judge(format!("{mode}: RSS after all / after 10 swaps"), bars::RSS_RATIO, ratio);
        }
    }
}
