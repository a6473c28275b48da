//! [`Answer`]: what a verb answers.

use serde::Serialize;

/// What a verb answers: for people and for programs.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// For people.
    pub text: Text,
    /// For programs: one JSON value.
    pub json: String,
}

/// An answer for people.
#[derive(Debug, Clone, PartialEq)]
pub enum Text {
    /// One line.
    Line(String),
    /// A table or a longer text.
    Lines(Vec<String>),
    /// Bytes that a plugin answered.
    Raw(Vec<u8>),
}

impl Answer {
    /// An answer from its two forms.
    pub fn new(text: Text, json: &impl Serialize) -> Self {
        let json = serde_json::to_string(json).expect("reports hold nothing that JSON cannot hold");
        Self { text, json }
    }

    /// The first line, for the log.
    pub fn first_line(&self) -> &str {
        match &self.text {
            Text::Line(line) => line,
            Text::Lines(lines) => lines.first().map_or("", |line| line),
            Text::Raw(_) => "answered",
        }
    }
}
