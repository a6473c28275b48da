//! Version 3: ages in days, and requests in hundredths, by function. The conversion panics over the age
//! of 13 years and over the note `unlucky`.

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
#[state(schema = 3, from = PersonInYears, with = to_days, back = to_years)]
#[derive(Debug)]
pub struct Person {
    days: u64,
    nick: Option<String>,
}

/// What version 2 called `Person`.
#[state(was = "Person")]
#[derive(Debug)]
pub struct PersonInYears {
    age: u64,
    nick: Option<String>,
}

/// A connection.
#[state(schema = 3, from = WholeRequests, with = to_hundredths, back = to_whole)]
#[derive(Debug)]
pub struct Session {
    hundredths: u64,
    note: String,
}

/// What version 2 called `Session`.
#[state(was = "Session")]
#[derive(Debug)]
pub struct WholeRequests {
    note: String,
    requests: u64,
}

fn to_days(old: &PersonInYears) -> Person {
    assert!(old.age != 13, "13 years are not converted");
    Person { days: old.age * 365, nick: old.nick.clone() }
}

fn to_years(new: &Person) -> PersonInYears {
    PersonInYears { age: new.days / 365, nick: new.nick.clone() }
}

fn to_hundredths(old: &WholeRequests) -> Session {
    assert!(&*old.note != "unlucky", "that note is not converted");
    Session { hundredths: old.requests * 100, note: old.note.clone() }
}

fn to_whole(new: &Session) -> WholeRequests {
    WholeRequests { note: new.note.clone(), requests: new.hundredths / 100 }
}

impl Roster {
    fn sound(&self) -> Result<(), Refusal> {
        Ok(())
    }
}

impl Person {
    fn of(age: u64) -> Self {
        Self { days: age * 365, nick: Option::None }
    }

    fn age(&self) -> u64 {
        self.days / 365
    }
}

impl Session {
    fn count(&mut self) {
        self.hundredths += 100;
    }

    fn note(&mut self, text: &str) -> std::string::String {
        self.note = text.into();
        "noted".to_owned()
    }

    fn tell(&self) -> std::string::String {
        format!("{} {}", self.hundredths / 100, &*self.note)
    }
}

include!("../../protocol.rs");
