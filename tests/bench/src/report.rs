//! What a benchmark found: notes, tables, and bars with PASS or FAIL. For people and as JSON.

use std::fmt;

use comfy_table::{Cell as Shown, CellAlignment, ContentArrangement, Table as Drawn, presets};
use serde::Serialize;
use serde_json::Value;

use crate::bars::Bar;

/// Widest line.
const WIDTH: u16 = 100;

/// Everything that one benchmark found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The subcommand.
    pub command: &'static str,
    /// How it was measured.
    pub notes: Vec<String>,
    /// The figures.
    pub tables: Vec<Table>,
    /// The figures that must hold.
    pub bars: Vec<Judged>,
}

/// A table of figures.
#[derive(Debug, Serialize)]
pub struct Table {
    title: String,
    header: Vec<&'static str>,
    rows: Vec<Vec<Value>>,
}

/// A bar with its figure.
#[derive(Debug, Serialize)]
pub struct Judged {
    what: String,
    measured: f64,
    #[serde(flatten)]
    bar: Bar,
    pass: bool,
}

impl Report {
    /// An empty report.
    pub fn new(command: &'static str) -> Self {
        Self { command, notes: Vec::new(), tables: Vec::new(), bars: Vec::new() }
    }

    /// Adds a line on how it was measured.
    pub fn note(&mut self, line: impl Into<String>) {
        self.notes.push(line.into());
    }

    /// Holds a figure against its bar.
    pub fn judge(&mut self, what: impl Into<String>, bar: Bar, measured: f64) {
        let pass = bar.holds(measured);
        self.bars.push(Judged { what: what.into(), measured, bar, pass });
    }

    /// Whether every bar holds.
    pub fn passes(&self) -> bool {
        self.bars.iter().all(|bar| bar.pass)
    }

    /// The report as JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("a report holds nothing that JSON cannot hold")
    }

    fn bars_table(&self) -> Table {
        let mut table = Table::new("bars", ["what", "measured", "bar", "verdict"]);
        for Judged { what, measured, bar, pass } in &self.bars {
            let verdict = if *pass { "PASS" } else { "FAIL" };
            let limit = bar.to_string();
            table.row([
                Value::from(what.as_str()),
                (*measured).into(),
                limit.into(),
                verdict.into(),
            ]);
        }
        table
    }
}

impl Table {
    /// A table without rows. Units stand in the header.
    pub fn new<const N: usize>(title: impl Into<String>, header: [&'static str; N]) -> Self {
        Self { title: title.into(), header: header.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub fn row<const N: usize>(&mut self, cells: [Value; N]) {
        assert_eq!(N, self.header.len(), "a cell for each column");
        self.rows.push(cells.to_vec());
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        for table in &self.tables {
            writeln!(f, "\n{table}")?;
        }
        if !self.bars.is_empty() {
            writeln!(f, "\n{}", self.bars_table())?;
        }
        Ok(())
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut drawn = Drawn::new();
        drawn.load_style(presets::UTF8_BORDERS_ONLY);
        drawn.set_width(WIDTH).set_content_arrangement(ContentArrangement::Dynamic);
        drawn.set_header(&self.header);
        for row in &self.rows {
            drawn.add_row(row.iter().map(shown));
        }
        write!(f, "{}\n{drawn}", self.title)
    }
}

fn shown(value: &Value) -> Shown {
    let right = |text: String| Shown::new(text).set_alignment(CellAlignment::Right);
    match value {
        Value::String(text) => Shown::new(text),
        Value::Number(number) if number.is_f64() => right(digits(number.as_f64().unwrap_or(0.0))),
        Value::Null => right("-".to_owned()),
        other => right(other.to_string()),
    }
}

/// Enough digits to tell a figure from its bar, and never fewer than the whole part has.
fn digits(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        100.0.. => format!("{number:.0}"),
        10.0.. => format!("{number:.1}"),
        0.1.. => format!("{number:.3}"),
        _ => format!("{number:.4}"),
    }
}
