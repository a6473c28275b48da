//! Two versions side by side, field by field.

use hotshell_plugin_api::collections::{HashMap, String, Vec};
use hotshell_plugin_api::migrate::compare::{Comparison, Kept};
use hotshell_plugin_api::state;
use hotshell_plugin_api::state::StateType;

use crate::shapes::{v1, v2};
use crate::{Version, functions, refusals};

fn compared<Old: StateType, New: StateType>() -> Comparison {
    Comparison::of(Version::of::<Old, ()>().side(), Version::of::<New, ()>().side())
}

/// `path | old | new | how | way back | cost` for each row.
fn rows<Old: StateType, New: StateType>() -> std::string::String {
    let line = |row: &hotshell_plugin_api::migrate::compare::Row| {
        let (old, new) = (row.old.as_deref().unwrap_or("-"), row.new.as_deref().unwrap_or("-"));
        format!("{} | {old} | {new} | {} | {} | {}", row.path, row.change, row.back, row.cost)
    };
    compared::<Old, New>().rows.iter().map(line).collect::<std::vec::Vec<_>>().join("\n")
}

const SESSION: &str = "session | () | () | adopt | yes | O(1)";

#[test]
fn what_did_not_change_is_one_row() {
    let state = "state | Shelf | Shelf | adopt | yes | O(1)";
    assert_eq!(rows::<v1::Shelf, v1::Shelf>(), format!("{state}\n{SESSION}"));
}

#[test]
fn each_field_has_its_way_here_and_its_way_back() {
    assert_eq!(
        rows::<v1::Book, v2::Book>(),
        format!(
            "state.title | String | String | adopt | yes | O(1)\n\
             state.visits | u32 | u64 | by name | what fits | O(1)\n\
             state.stars | - | u8 | by name | set aside | O(1)\n\
             state.gone | u8 | - | by name | returns | O(1)\n\
             {SESSION}"
        )
    );
}

/// Trees of values that all fit, that may not fit, and that a function converts; and one in a list.
mod trees {
    pub mod old {
        use hotshell_plugin_api::collections::{BTreeMap, Vec};
        use hotshell_plugin_api::state;

        #[state]
        pub struct Root {
            pub fits: BTreeMap<u32, u32>,
            pub may_not: BTreeMap<u32, u64>,
            pub told: BTreeMap<u32, Seconds>,
            pub listed: Vec<BTreeMap<u32, u32>>,
        }

        #[state(schema = 1)]
        pub struct Seconds {
            pub at: u64,
        }
    }

    pub mod new {
        use super::old::Seconds;
        use hotshell_plugin_api::collections::{BTreeMap, Vec};
        use hotshell_plugin_api::state;

        #[state]
        pub struct Root {
            pub fits: BTreeMap<u32, u64>,
            pub may_not: BTreeMap<u32, u32>,
            pub told: BTreeMap<u32, Millis>,
            pub listed: Vec<BTreeMap<u32, u64>>,
        }

        #[state(schema = 2, was = "Seconds", from = Seconds, with = up, back = down)]
        pub struct Millis {
            pub at: u64,
        }

        fn up(old: &Seconds) -> Millis {
            Millis { at: old.at * 1000 }
        }

        fn down(new: &Millis) -> Seconds {
            Seconds { at: new.at / 1000 }
        }
    }
}

#[test]
fn a_tree_costs_later_only_where_no_entry_can_be_lost() {
    assert_eq!(
        rows::<trees::old::Root, trees::new::Root>(),
        format!(
            "state.fits[] | u32 | u64 | by name | what fits | lazy O(n)\n\
             state.may_not[] | u64 | u32 | by name | yes | O(n) whole\n\
             state.told[] | Seconds (schema 1) | Millis (schema 2) | by function | by function | \
             O(n) whole\n\
             state.listed[][] | u32 | u64 | by name | what fits | O(n) whole\n\
             {SESSION}"
        )
    );
}

#[test]
fn elements_of_maps_and_trees_cost_later_and_elements_of_lists_cost_at_once() {
    assert_eq!(
        rows::<v1::Shelf, v2::Shelf>(),
        format!(
            "state.untouched | HashMap<Bytes, Bytes> | HashMap<Bytes, Bytes> | adopt | yes | O(1)\n\
             state.by_id[].count | i32 | i64 | by name | what fits | lazy O(n)\n\
             state.sorted[][] | Item | Item | by name | what fits | lazy O(n)\n\
             state.queue[][] | Item | Item | by name | what fits | O(n) whole\n\
             {SESSION}"
        )
    );
}

#[test]
fn variants_and_their_fields_have_rows() {
    assert_eq!(
        rows::<v1::Shape, v2::Shape>(),
        format!(
            "state::Point | variant Dot | variant Point | by name | yes | O(1)\n\
             state::Circle.r | radius: f32 | f64 | by name | what fits | O(1)\n\
             state::Circle.x | - | u32 | by name | set aside | O(1)\n\
             state::Gone | variant Gone | - | by name | returns | O(1)\n\
             state::New | - | variant New | by name | set aside | O(1)\n\
             {SESSION}"
        )
    );
}

#[test]
fn a_variant_that_costs_nothing_on_the_way_up_is_told() {
    use crate::shapes::enums;
    assert_eq!(
        rows::<HashMap<u64, enums::v1::Value>, HashMap<u64, enums::v2::Value>>(),
        format!(
            "state[]::Number.0 | u64 | u64 | adopt | yes | O(1)\n\
             state[]::Flag | - | variant Flag | by name | set aside | O(1)\n\
             {SESSION}"
        )
    );
}

#[test]
fn fields_that_move_and_values_that_are_wrapped_have_rows() {
    assert_eq!(
        rows::<v1::Flat, v2::Flat>(),
        format!(
            "state.place.room | room: u32 | u32 | adopt | yes | O(1)\n\
             state.place.floor | floor: i32 | i64 | by name | what fits | O(1)\n\
             state.title | name: String | String | adopt | yes | O(1)\n\
             state.place.wing | - | u8 | by name | set aside | O(1)\n\
             {SESSION}"
        )
    );
    assert_eq!(
        rows::<v1::Wrapped, v2::Wrapped>(),
        format!(
            "state.limit | u32 | Option<u64> | by name | what fits | O(1)\n\
             state.text | String | Box<String> | by name | yes | O(1)\n\
             state.owner | Box<Item> | Item | by name | what fits | O(1)\n\
             state.owner.count | i32 | i64 | by name | what fits | O(1)\n\
             {SESSION}"
        )
    );
}

#[test]
fn functions_and_refusals_have_rows() {
    let function = rows::<functions::v1::State, functions::v2::State>();
    assert_eq!(
        function.lines().next().unwrap(),
        "state.clocks[][] | Clock (schema 1) | Clock (schema 2) | by function | by function | \
         lazy O(n)"
    );
    let one_way = compared::<functions::v1::State, functions::one_way::State>();
    assert!(one_way.one_way());
    assert_eq!(
        rows::<functions::v1::State, functions::one_way::State>().lines().next().unwrap(),
        "state.clocks[][] | Clock (schema 1) | Clock (schema 2) | by function | none | lazy O(n)"
    );
    let refused = compared::<refusals::v1::Books, refusals::v2::Books>();
    assert!(refused.plan.is_err() && !refused.one_way());
    assert_eq!(
        rows::<refusals::v1::Books, refusals::v2::Books>(),
        format!(
            "state.all[][].title | String | String | adopt | yes | O(1)\n\
             state.all[][].price | u64 | f64 | refused | none | O(1)\n\
             {SESSION}"
        )
    );
}

#[test]
fn what_lists_and_maps_drop_returns() {
    mod old {
        use super::*;
        #[state]
        pub struct Both {
            pub list: Vec<Item>,
            pub map: HashMap<u64, Other>,
            pub maps: Vec<HashMap<u64, Third>>,
            pub array: [Fourth; 2],
        }
        #[state]
        pub struct Third {
            pub kept: u64,
            pub dropped: u64,
        }
        #[state]
        pub struct Fourth {
            pub kept: u64,
            pub dropped: u64,
        }
        #[state]
        pub struct Item {
            pub kept: u64,
            pub dropped: u64,
        }
        #[state]
        pub struct Other {
            pub kept: u64,
            pub dropped: u64,
        }
    }
    mod new {
        use super::*;
        #[state]
        pub struct Both {
            pub list: Vec<Item>,
            pub map: HashMap<u64, Other>,
            pub maps: Vec<HashMap<u64, Third>>,
            pub array: [Fourth; 2],
        }
        #[state]
        pub struct Third {
            pub kept: u64,
        }
        #[state]
        pub struct Fourth {
            pub kept: u64,
        }
        #[state]
        pub struct Item {
            pub kept: u64,
        }
        #[state]
        pub struct Other {
            pub kept: u64,
        }
    }
    assert_eq!(
        rows::<old::Both, new::Both>(),
        format!(
            "state.list[].kept | u64 | u64 | adopt | yes | O(1)\n\
             state.list[].dropped | u64 | - | by name | returns | O(n) whole\n\
             state.map[].kept | u64 | u64 | adopt | yes | O(1)\n\
             state.map[].dropped | u64 | - | by name | returns | lazy O(n)\n\
             state.maps[][].kept | u64 | u64 | adopt | yes | O(1)\n\
             state.maps[][].dropped | u64 | - | by name | returns | O(n) whole\n\
             state.array[].kept | u64 | u64 | adopt | yes | O(1)\n\
             state.array[].dropped | u64 | - | by name | returns | O(1)\n\
             {SESSION}"
        )
    );
}

#[test]
fn a_field_that_cannot_start_again_has_no_way_back() {
    mod old {
        #[hotshell_plugin_api::state(no_default)]
        pub struct Root {
            pub kept: u64,
            pub dropped: NoStart,
        }
        #[hotshell_plugin_api::state(no_default)]
        pub struct NoStart {
            pub x: u64,
        }
    }
    mod new {
        #[hotshell_plugin_api::state]
        pub struct Root {
            pub kept: u64,
        }
    }
    let compared = compared::<old::Root, new::Root>();
    assert!(compared.one_way());
    assert_eq!(
        rows::<old::Root, new::Root>(),
        format!(
            "state.kept | u64 | u64 | adopt | yes | O(1)\n\
             state.dropped | NoStart | - | by name | none | O(1)\n\
             {SESSION}"
        )
    );
}

#[test]
fn a_plan_that_keeps_little_of_what_holds_the_state_says_so() {
    mod old {
        use super::*;
        #[state]
        pub struct Root {
            pub a: u64,
            pub b: u64,
            pub names: HashMap<String, u64>,
        }
    }
    mod new {
        use super::*;
        #[state]
        pub struct Root {
            pub a: u64,
            pub b: u64,
            pub others: HashMap<String, u64>,
        }
    }
    let (from, to) = (Version::of::<old::Root, ()>(), Version::of::<new::Root, ()>());
    let kept = Kept::by(&from.plan_to(&to).unwrap(), &from.schema);
    assert_eq!((kept, kept.is_little()), (Kept { kept: 0, of: 1, collections: true }, true));
    let kept = Kept::by(&from.plan_to(&from).unwrap(), &from.schema);
    assert!(!kept.is_little());
}
