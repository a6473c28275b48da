//! What has no plan, with the path and both sides.

use hotshell_plugin_api::collections::{HashMap, HashSet, String, Vec};
use hotshell_plugin_api::migrate::plan::Why;
use hotshell_plugin_api::state;

use crate::refused;

pub mod v1 {
    use super::*;

    #[state]
    pub struct Books {
        pub all: HashMap<u64, Vec<Book>>,
    }

    #[state]
    pub struct Book {
        pub title: String,
        pub price: u64,
    }

    #[state(key)]
    pub struct Id(pub u32, pub u32);

    #[state]
    pub struct ById {
        pub books: HashSet<Id>,
    }

    #[state(schema = 1)]
    pub struct Clock {
        pub time: u64,
    }
}

pub mod v2 {
    use super::*;

    #[state]
    pub struct Books {
        pub all: HashMap<u64, Vec<Book>>,
    }

    #[state]
    pub struct Book {
        pub title: String,
        pub price: f64,
    }

    #[state(key)]
    pub struct Id(pub u32, pub u64);

    #[state]
    pub struct ById {
        pub books: HashSet<Id>,
    }

    #[state(schema = 2)]
    pub struct Clock {
        pub time: u64,
    }

    #[state]
    pub struct Volume {
        pub title: String,
        pub price: u64,
    }

    #[state(no_default)]
    pub struct NoStart {
        pub x: u64,
    }
}

pub mod v3 {
    use super::*;

    #[state(no_default)]
    pub struct Book {
        pub title: String,
        pub price: u64,
        pub start: v2::NoStart,
    }
}

#[test]
fn another_type_is_refused_where_it_stands() {
    let refused = refused::<v1::Books, v2::Books>();
    assert_eq!(refused.why, Why::Type);
    assert_eq!(
        refused.to_string(),
        "state.all[][].price: u64 | f64: the one does not become the other by name"
    );
}

#[test]
fn another_name_is_refused_unless_the_author_says_so() {
    let refused = refused::<v1::Book, v2::Volume>();
    assert_eq!(refused.to_string(), "state: Book | Volume: the type has another name");
}

#[test]
fn a_key_may_not_change() {
    let refused = refused::<v1::ById, v2::ById>();
    assert_eq!(refused.to_string(), "state.books<key>: Id | Id: the key of a map cannot change");
}

#[test]
fn another_number_for_the_same_layout_demands_a_function() {
    let refused = refused::<v1::Clock, v2::Clock>();
    assert_eq!(
        refused.to_string(),
        "state: Clock (schema 1) | Clock (schema 2): \
         the schema number changed and the layout did not, so the meaning changed"
    );
}

#[test]
fn a_new_field_needs_a_default() {
    let refused = refused::<v1::Book, v3::Book>();
    assert_eq!(
        refused.to_string(),
        "state.start: no such field | NoStart: the new field has no default to start with"
    );
}

#[test]
fn every_reason_has_words_and_a_next_step() {
    for why in
        [Why::Type, Why::Name, Why::Key, Why::Meaning, Why::OneWay, Why::NoDefault, Why::Format]
    {
        assert!(!why.reason().is_empty() && !why.next().is_empty());
    }
}
