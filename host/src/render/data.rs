//! The lines of `hotshell data`.

use comfy_table::CellAlignment;

use super::{lines, plural, table};
use crate::data::survey::{FileSurvey, GoneSurvey, ServerSurvey, Survey};
use crate::text::bytes;

/// The lines of `data inspect`.
pub fn survey(survey: &Survey) -> Vec<String> {
    let mut text = vec![first_line(survey)];
    for server in &survey.servers {
        text.extend([String::new(), title(server)]);
        text.extend(server.permanent.iter().map(|permanent| format!("starts from {permanent}")));
        text.extend(torn(survey, server));
        text.extend(gone(server));
        text.push(String::new());
        text.extend(files(&server.files));
    }
    text
}

/// The lines of `data check`.
pub fn soundness(survey: &Survey) -> Vec<String> {
    let mut text = vec![first_line(survey)];
    for server in &survey.servers {
        let verdict = if server.problems.is_empty() { "sound" } else { "DAMAGED" };
        text.push(format!("{}: {verdict}", title(server)));
        text.extend(torn(survey, server));
        text.extend(gone(server));
    }
    text
}

fn first_line(survey: &Survey) -> String {
    let folder = survey.folder.display();
    match survey.host_pid {
        Some(pid) => format!("{folder}, on which a host runs, pid {pid}"),
        None => format!("{folder}, on which no host runs"),
    }
}

fn title(server: &ServerSurvey) -> String {
    let ServerSurvey { server: name, frames, records, .. } = server;
    let newest = server.newest_at.as_deref().unwrap_or("never");
    let size = bytes(server.bytes);
    format!("server {name}: {size}, {frames} calls with {records} records, newest {newest}")
}

fn torn(survey: &Survey, server: &ServerSurvey) -> Option<String> {
    let torn = server.torn.as_ref()?;
    let why = match survey.host_pid {
        Some(_) => "the host is writing there, or",
        None => "a start cuts it off:",
    };
    Some(format!(
        "the last {} of '{}' are no whole frame; {why} a crash left it unfinished",
        plural(torn.bytes, "byte"),
        torn.file
    ))
}

fn gone(server: &ServerSurvey) -> impl Iterator<Item = String> {
    server.gone.iter().map(|gone| {
        let GoneSurvey { file, generation, digest } = gone;
        format!(
            "the artifact of generation {generation}, which wrote '{file}', is gone: the permanent one reads \
             it, whose state has the same shape ({digest})"
        )
    })
}

fn files(files: &[FileSurvey]) -> Vec<String> {
    let mut table = table();
    table.set_header(["FILE", "KIND", "BYTES", "CALLS", "RECORDS", "GEN", "CHANGED"]);
    let number = |n: Option<u64>| n.map_or(String::new(), |n| n.to_string());
    for file in files {
        let changed = file.changed_at.as_deref().unwrap_or_default();
        table.add_row([
            short(&file.file),
            file.kind.to_owned(),
            file.bytes.to_string(),
            number(file.frames),
            number(file.records),
            number(file.generation),
            changed.get(..19).unwrap_or(changed).replace('T', " "),
        ]);
    }
    for column in 2..6 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    lines(&table)
}

/// The name of an artifact is its digest: as short as in `list`.
fn short(file: &str) -> String {
    match file.strip_suffix(".so").and_then(|name| name.strip_prefix("artifacts/")) {
        Some(digest) if digest.len() > 10 => format!("artifacts/{}….so", &digest[..10]),
        _ => file.to_owned(),
    }
}
