//! The text of INFO while it is written.

use core::fmt::{Display, Write};

use crate::table::Level;

/// Sections of lines, as far as the level has them.
#[derive(Debug)]
pub struct Page {
    text: String,
    level: Level,
}

impl Page {
    /// An empty page of a level.
    pub fn new(level: Level) -> Self {
        Self { text: String::new(), level }
    }

    /// Begins a section.
    pub fn section(&mut self, name: &str) {
        let gap = if self.text.is_empty() { "" } else { "\r\n" };
        self.put(format_args!("{gap}# {name}\r\n"));
    }

    /// A line that all levels have.
    pub fn line(&mut self, name: &str, value: impl Display) {
        self.put(format_args!("{name}:{value}\r\n"));
    }

    /// A line that Redis has since a level.
    pub fn since(&mut self, level: Level, name: &str, value: impl Display) {
        if self.level >= level {
            self.line(name, value);
        }
    }

    /// Lines that Redis has since a level, and that are 0 here.
    pub fn zeros(&mut self, level: Level, names: &[&str]) {
        names.iter().for_each(|name| self.since(level, name, 0));
    }

    /// Bytes, and the same for people in a line of its own.
    pub fn bytes(&mut self, name: &str, bytes: u64) {
        self.line(name, bytes);
        self.line(&format!("{name}_human"), human(bytes));
    }

    /// What was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn put(&mut self, text: core::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(text);
    }
}

/// Bytes for people (`bytesToHuman`).
fn human(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["K", "M", "G", "T"];
    if bytes < 1024 {
        return format!("{bytes}B");
    }
    let mut amount = bytes as f64 / 1024.0;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        (amount, unit) = (amount / 1024.0, unit + 1);
    }
    format!("{amount:.2}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::human;

    #[test]
    fn bytes_are_shown_as_redis_shows_them() {
        for (bytes, shown) in [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1_572_864, "1.50M"),
            (3 << 30, "3.00G"),
            (5 << 50, "5120.00T"),
        ] {
            assert_eq!(human(bytes), shown);
        }
    }
}
