//! The state of version 2, and sessions with a field whose default panics.

use hotshell_plugin_api::collections::{BTreeMap, HashMap, Option, String};
use hotshell_plugin_api::prelude::*;

/// Everything the server knows.
#[state]
#[derive(Debug)]
pub struct Roster {
    people: HashMap<u64, Person>,
    ranks: BTreeMap<u64, Person>,
}

/// Somebody.
#[state]
#[derive(Debug)]
pub struct Person {
    age: u64,
    nick: Option<String>,
}

/// A connection.
#[state]
#[derive(Debug)]
pub struct Session {
    note: String,
    requests: u64,
    #[state(default = never())]
    never: u8,
}

fn never() -> u8 {
    panic!("there is no default for this")
}

impl Roster {
    fn sound(&self) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Person {
    fn of(age: u64) -> Self {
        Self { age, nick: Option::None }
    }

    fn age(&self) -> u64 {
        self.age
    }
}

impl Session {
    fn count(&mut self) {
        self.requests += 1;
    }

    fn note(&mut self, text: &str) -> std::string::String {
        self.note = text.into();
        "noted".to_owned()
    }

    fn tell(&self) -> std::string::String {
        format!("{} {}", self.requests, &*self.note)
    }
}

include!("../../protocol.rs");
