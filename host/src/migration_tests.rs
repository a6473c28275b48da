//! Goal: what an admin is told of a plan, and what it takes to be allowed. Method: real schemas.

use hotshell_plugin_api::collections::{HashMap, String as Text};
use hotshell_plugin_api::migrate::lineage::Lineage;
use hotshell_plugin_api::schema::Schema;
use hotshell_plugin_api::state;
use hotshell_plugin_api::state::StateType;

use super::*;

mod v1 {
    use super::*;

    #[state]
    pub struct Guests {
        pub names: HashMap<Text, u64>,
        pub visits: u32,
    }
}

mod v2 {
    use super::*;

    #[state]
    pub struct Guests {
        pub names: HashMap<Text, u64>,
        pub visits: u64,
        pub last: Text,
    }
}

mod one_way {
    use super::*;

    #[state(schema = 1, from = v1::Guests, with = up)]
    pub struct Guests {
        pub names: HashMap<Text, u64>,
        pub visits: u32,
    }

    fn up(_: &v1::Guests) -> Guests {
        Guests::default()
    }
}

mod wrong {
    use super::*;

    #[state]
    pub struct Guests {
        pub visits: u32,
        pub prices: HashMap<Text, u64>,
    }
}

fn version<Root: StateType>(title: &str) -> Version {
    let (lineage, _) = Lineage::of::<Root, ()>();
    let shape = Shape::new(Schema::of::<Root, ()>(), lineage);
    Version { title: title.to_owned(), plugin: "guests".to_owned(), shape }
}

fn way<Old: StateType, New: StateType>() -> Result<Migration> {
    Migration::between(
        &version::<Old>("guests 1.0.0 (generation 1)"),
        &version::<New>("guests 2.0.0"),
    )
}

#[test]
fn a_refusal_names_both_sides_and_the_next_step() {
    let error = way::<v1::Guests, HashMap<Text, u64>>().expect_err("no struct");
    assert_eq!(error.code, Code::Schema);
    assert_eq!(
        error.message,
        "guests 2.0.0 cannot take over the state of guests 1.0.0 (generation 1)"
    );
    assert_eq!(
        error.detail,
        "state: guests 1.0.0 (generation 1) has Guests, guests 2.0.0 has HashMap<String, u64>; \
         the one does not become the other by name"
    );
    assert!(error.hint.starts_with("convert it by function: #[state(from = OLD"), "{error}");
}

#[test]
fn a_way_by_name_needs_no_permission() {
    let way = way::<v1::Guests, v2::Guests>().expect("by name");
    assert_eq!((way.word(), way.sets_aside()), ("by-name", Vec::<String>::new()));
    way.allowed(&Options::default()).expect("there is a way back");
}

#[test]
fn a_way_without_a_way_back_wants_to_be_meant() {
    let way = way::<v1::Guests, one_way::Guests>().expect("by function");
    assert_eq!(way.word(), "by-function");
    let error = way.allowed(&Options::default()).expect_err("one-way");
    assert_eq!(error.code, Code::OneWay);
    assert_eq!(
        error.message,
        "there would be no way back from guests 2.0.0 to guests 1.0.0 (generation 1)"
    );
    assert!(error.detail.contains("the conversion between them has no way back"), "{error}");
    assert!(error.hint.contains("write back = FUNCTION") && error.hint.contains("--one-way"));
    way.allowed(&Options { one_way: true, ..Options::default() }).expect("it is meant");
}

#[test]
fn a_way_that_leaves_most_behind_wants_to_be_meant() {
    let way = way::<v1::Guests, wrong::Guests>().expect("by name");
    assert_eq!(way.sets_aside(), ["state.names"]);
    let error = way.allowed(&Options::default()).expect_err("the wrong plugin");
    assert_eq!(error.code, Code::OtherPlugin);
    assert_eq!(
        error.message,
        "guests 2.0.0 would set aside most of the state of guests 1.0.0 (generation 1)"
    );
    assert_eq!(error.detail, "0 of its 1 fields with collections would be taken over");
    assert!(error.hint.contains("--replace-plugin"), "{error}");
    way.allowed(&Options { replace_plugin: true, ..Options::default() }).expect("it is meant");
}

#[test]
fn a_refused_plan_still_has_its_fields() {
    let (old, new) = (version::<HashMap<u64, v1::Guests>>("a"), version::<HashMap<u64, Text>>("b"));
    let (fields, way) = Migration::compare(&old, &new);
    assert!(way.is_err());
    let lines = crate::render::fields(&fields);
    assert_eq!(
        lines,
        [
            "FIELD    OLD     NEW     HOW      WAY BACK  COST",
            "state[]  Guests  String  refused  none      O(1)",
            "session  ()      ()      adopt    yes       O(1)",
        ]
    );
}
