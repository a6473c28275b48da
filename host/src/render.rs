//! Tables for people, at most 100 columns wide and without colour.

mod data;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use crate::answer::Text;
use crate::control::{Listed, Status, Swapped};
use crate::migration::Field;
use crate::probation::Sample;
use crate::text::bytes;
use crate::time;
pub use data::{soundness, survey};

/// The lines of `list`.
pub fn list(rows: &[Listed]) -> Vec<String> {
    let several = rows.iter().any(|row| row.server != rows[0].server);
    let mut header =
        vec!["GEN", "PLUGIN", "VERSION", "STATUS", "TEMP", "SCHEMA", "DIGEST", "LOADED"];
    header.push("NOTES");
    if several {
        header.insert(0, "SERVER");
    }
    let mut table = table();
    table.set_header(header);
    for row in rows {
        let loaded = row.loaded_at.get(..19).unwrap_or(&row.loaded_at).replace('T', " ");
        let mut cells = vec![
            row.generation.to_string(),
            row.plugin.clone(),
            row.version.clone(),
            row.status.to_owned(),
            row.temperature.to_owned(),
            row.schema.to_string(),
            short_digest(&row.digest),
            loaded,
            notes(row),
        ];
        if several {
            cells.insert(0, row.server.clone());
        }
        table.add_row(cells);
    }
    for name in [usize::from(several), usize::from(several) + 5] {
        if let Some(column) = table.column_mut(name) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    lines(&table)
}

/// A swap, a switch or a rollback: one line, and of a dry run that changes something the plan as a table.
pub fn swapped(swapped: &Swapped) -> Text {
    if swapped.fields.iter().all(|field| field.how == "adopt") {
        return Text::Line(swapped.line());
    }
    let mut all = vec![swapped.line(), String::new()];
    all.extend(fields(&swapped.fields));
    Text::Lines(all)
}

/// The lines of a migration plan, field by field. Wider than a page where types have long names:
/// nothing is cut.
pub fn fields(fields: &[Field]) -> Vec<String> {
    let words = |text: &str| match text {
        "constant" => "O(1)".to_owned(),
        "lazy" => "lazy O(n)".to_owned(),
        "session" => "O(1) per session".to_owned(),
        "whole" => "O(n) whole".to_owned(),
        text => text.replace('-', " "),
    };
    let mut table = table();
    table.set_header(["FIELD", "OLD", "NEW", "HOW", "WAY BACK", "COST"]);
    for field in fields {
        let side = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
        table.add_row([
            field.path.clone(),
            side(&field.old),
            side(&field.new),
            match field.fits || field.new.is_none() || field.how == "refused" {
                true => words(&field.how),
                false => format!("{}, what fits", words(&field.how)),
            },
            words(&field.way_back),
            words(&field.cost),
        ]);
    }
    lines(&table)
}

fn notes(row: &Listed) -> String {
    let mut notes = Vec::new();
    if row.status == "active" {
        notes.push(plural(row.sessions, "client"));
    }
    if row.probation.is_some() {
        notes.push("on probation".to_owned());
    }
    if row.permanent && row.status != "active" {
        notes.push("permanent".to_owned());
    }
    if row.rollback_target {
        notes.push("way back".to_owned());
    }
    if row.retained.is_some() {
        notes.push("image retained".to_owned());
    }
    notes.join(", ")
}

/// The lines of `status`.
pub fn status(status: &Status) -> Vec<String> {
    let Status { plugin, version, generation, schema, .. } = status;
    let mut table = table();
    let mut row = |name: &str, value: String| {
        table.add_row([name.to_owned(), value]);
    };
    row("server", format!("{} on {}", status.server, status.listen));
    row("plugin", format!("{plugin} {version} (generation {generation}), schema {schema}"));
    row("up", format!("{}, pid {}", time::uptime(status.uptime_s), status.pid));
    row("clients", {
        let (all, rejected) = (status.connections, status.rejected);
        format!("{} now, {all} since the start, {rejected} turned away", status.clients)
    });
    row("calls", format!("{}, {} failed", status.calls, status.failed));
    row("panics", status.panics.to_string());
    row("swaps", swaps(status));
    row("state", {
        let peak = bytes(status.state_bytes_peak);
        let mut state =
            format!("{}, peak {peak}, {} set aside", bytes(status.state_bytes), status.set_aside);
        if status.draining > 0 {
            state.push_str(&format!(", {} entries still to convert", status.draining));
        }
        state
    });
    row("durability", durability(status));
    if let Some(journal) = &status.journal {
        row("journal", journal.line());
    }
    for (key, text) in &status.settings {
        row("set", format!("{key} {text}, at run time"));
    }
    row("traffic", format!("{} in, {} out", bytes(status.bytes_in), bytes(status.bytes_out)));
    row("closed", {
        let (slow, unread) = (status.closed_slow, status.closed_unread);
        format!("{slow} too slow to read, {unread} with a request too long")
    });
    row("resident", {
        let retained = plural(status.images_retained as u64, "retained image");
        format!("{}, {retained}", plural(status.generations_resident as u64, "generation"))
    });
    if let Some(watched) = &status.probation {
        let Sample { calls, panics, failed, conversions_panicked, .. } = watched.sample;
        row("probation", {
            let (generation, left) = (watched.generation, watched.seconds_left);
            let more = if watched.extended { " (extended: too few calls)" } else { "" };
            let conversions = match conversions_panicked {
                0 => String::new(),
                n => format!(", {}", plural(n, "panicked conversion")),
            };
            format!(
                "generation {generation}, {left:.0} s left{more}, {calls} calls, {panics} panics, \
                 {failed} failed{conversions}"
            )
        });
    }
    if let Some(judged) = &status.last_probation {
        let reason = judged.reason.as_deref().map_or(String::new(), |why| format!(": {why}"));
        row("verdict", format!("generation {} {}{reason}", judged.generation, judged.verdict));
    }
    row("started", format!("from {}", status.started_from.display()));
    for (name, count) in &status.plugin_counters {
        row("counter", format!("{name} {count}"));
    }
    if let Some(running) = status.call_running_us.filter(|us| *us > 1e6) {
        let running = time::short_duration((running * 1e3) as u64);
        row(
            "STUCK?",
            format!(
                "{} of the plugin has been running for {running}",
                status.call_kind.unwrap_or("a call")
            ),
        );
    }
    if let Some(work) = &status.busy {
        let title = format!("{} {}", work.verb, work.what);
        let since = time::short(work.since);
        row("busy", format!("`{}` by {} since {since}", title.trim_end(), work.by));
    }
    lines(&table)
}

/// What a crash leaves.
fn durability(status: &Status) -> String {
    let (kept, at) = (status.durability, status.snapshot_at.as_deref());
    let last = at.map_or(String::new(), |at| format!(", the last snapshot of {at}"));
    match kept {
        "memory" => "memory: a crash leaves nothing".to_owned(),
        "snapshot" => format!("snapshot: a crash leaves the last one{last}"),
        _ => format!("{kept}{last}"),
    }
}

fn swaps(status: &Status) -> String {
    let stop = |us: Option<f64>| us.map(|us| time::short_duration((us * 1e3) as u64));
    match (stop(status.swap_pause_us_last), stop(status.swap_pause_us_max)) {
        (Some(last), Some(most)) => format!("{}, last stop {last}, longest {most}", status.swaps),
        _ => status.swaps.to_string(),
    }
}

fn table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn lines(table: &Table) -> Vec<String> {
    let trim = |line: String| line.trim_end().strip_prefix(' ').unwrap_or(&line).to_owned();
    table.lines().map(trim).map(|line| line.trim_end().to_owned()).collect()
}

fn short_digest(digest: &str) -> String {
    digest.strip_prefix("sha256:").unwrap_or(digest).chars().take(10).collect()
}

fn plural(n: u64, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
