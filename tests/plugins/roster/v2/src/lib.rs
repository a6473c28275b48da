//! Version 2: wider numbers, a nickname, a note on each session. All by name. Its self-test refuses a
//! state with somebody under 999.

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
}

impl Roster {
    fn sound(&self) -> Result<(), Refusal> {
        match self.people.get(&999) {
            Some(_) => Err(Refusal::new("number 999 is among the people")),
            None => Ok(()),
        }
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
