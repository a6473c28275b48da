//! Version 1: ages in years, sessions that count.

use hotshell_plugin_api::collections::{BTreeMap, HashMap};
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
    age: u32,
}

/// A connection.
#[state]
#[derive(Debug)]
pub struct Session {
    requests: u32,
}

impl Roster {
    fn sound(&self) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Person {
    fn of(age: u64) -> Self {
        Self { age: age as u32 }
    }

    fn age(&self) -> u64 {
        self.age.into()
    }
}

impl Session {
    fn count(&mut self) {
        self.requests += 1;
    }

    fn note(&mut self, _: &str) -> std::string::String {
        "version 1 keeps no notes".to_owned()
    }

    fn tell(&self) -> std::string::String {
        format!("{} -", self.requests)
    }
}

include!("../../protocol.rs");
