//! Goal: whatever changes in a type shows, in words. Method: near-twins of `Guest` and of `Mode`,
//! each with one change, compared all with all.

use hotshell_plugin_api::schema::Schema;
use hotshell_plugin_api::state;
use hotshell_plugin_api::state::StateType;

use crate::{List, schema_of};

macro_rules! twin {
    ($module:ident: $($item:tt)*) => {
        pub mod $module {
            #[hotshell_plugin_api::state]
            pub struct Inner { pub x: u32 }
            #[hotshell_plugin_api::state]
            pub struct Other { pub y: u32 }
            $($item)*
        }
    };
}

twin! { original: #[super::state(schema = 1)] pub struct Guest { a: u32, b: u32, c: Inner } }
twin! { same: #[super::state(schema = 1)] pub struct Guest { a: u32, b: u32, c: Inner } }
twin! { field_renamed: #[super::state(schema = 1)] pub struct Guest { a: u32, z: u32, c: Inner } }
twin! { reordered: #[super::state(schema = 1)] pub struct Guest { b: u32, a: u32, c: Inner } }
twin! { signed: #[super::state(schema = 1)] pub struct Guest { a: u32, b: i32, c: Inner } }
twin! { inner_renamed: #[super::state(schema = 1)] pub struct Guest { a: u32, b: u32, c: Other } }
twin! { number: #[super::state(schema = 2)] pub struct Guest { a: u32, b: u32, c: Inner } }
twin! { fewer: #[super::state(schema = 1)] pub struct Guest { a: u32, b: u32 } }
twin! { more: #[super::state(schema = 1)] pub struct Guest { a: u32, b: u32, c: Inner, d: () } }
twin! { renamed: #[super::state(schema = 1)] pub struct Visitor { a: u32, b: u32, c: Inner } }
twin! { tuple: #[super::state(schema = 1)] pub struct Guest(u32, u32, Inner); }
twin! { array: #[super::state(schema = 1)] pub struct Guest { a: [u32; 1], b: u32, c: Inner } }
twin! { moved: #[super::state(schema = 1)] pub struct Guest { a: u32, b: u64, c: Inner } }
twin! { an_enum: #[super::state(schema = 1)] pub enum Guest { #[state(default)] A } }

twin! { mode: #[super::state] pub enum Mode { A, B { x: u32 }, C(u8) } }
twin! { mode_same: #[super::state] pub enum Mode { A, B { x: u32 }, C(u8) } }
twin! { mode_renamed: #[super::state] pub enum Mode { A, Z { x: u32 }, C(u8) } }
twin! { mode_reordered: #[super::state] pub enum Mode { B { x: u32 }, A, C(u8) } }
twin! { mode_more: #[super::state] pub enum Mode { A, B { x: u32 }, C(u8), D } }
twin! { mode_fewer: #[super::state] pub enum Mode { A, B { x: u32 } } }
twin! { mode_field: #[super::state] pub enum Mode { A, B { y: u32 }, C(u8) } }
twin! { mode_type: #[super::state] pub enum Mode { A, B { x: u32 }, C(bool) } }
twin! { mode_number: #[super::state(schema = 1)] pub enum Mode { A, B { x: u32 }, C(u8) } }

/// What was changed, the fingerprint and the schema.
type Twin = (&'static str, u64, Schema);

fn twin<T: StateType>(name: &'static str) -> Twin {
    (name, T::FINGERPRINT, schema_of::<T>())
}

fn guests() -> Vec<Twin> {
    vec![
        twin::<original::Guest>("original"),
        twin::<field_renamed::Guest>("field renamed"),
        twin::<reordered::Guest>("reordered"),
        twin::<signed::Guest>("signed"),
        twin::<inner_renamed::Guest>("inner renamed"),
        twin::<number::Guest>("number"),
        twin::<fewer::Guest>("fewer"),
        twin::<more::Guest>("more"),
        twin::<renamed::Visitor>("renamed"),
        twin::<tuple::Guest>("tuple"),
        twin::<array::Guest>("array"),
        twin::<moved::Guest>("moved"),
        twin::<an_enum::Guest>("enum"),
    ]
}

fn modes() -> Vec<Twin> {
    vec![
        twin::<mode::Mode>("original"),
        twin::<mode_renamed::Mode>("renamed"),
        twin::<mode_reordered::Mode>("reordered"),
        twin::<mode_more::Mode>("more"),
        twin::<mode_fewer::Mode>("fewer"),
        twin::<mode_field::Mode>("field"),
        twin::<mode_type::Mode>("type"),
        twin::<mode_number::Mode>("number"),
    ]
}

#[test]
fn every_change_of_a_type_changes_fingerprint_and_schema() {
    for twins in [guests(), modes()] {
        for (i, (name, fingerprint, schema)) in twins.iter().enumerate() {
            for (other_name, other_fingerprint, other) in &twins[..i] {
                assert_ne!(fingerprint, other_fingerprint, "{name}, {other_name}");
                assert_ne!(schema.fingerprint, other.fingerprint, "{name}, {other_name}");
                assert!(schema.first_difference(other).is_some(), "{name}, {other_name}");
                assert!(other.first_difference(schema).is_some(), "{other_name}, {name}");
            }
        }
    }
}

#[test]
fn the_same_definition_elsewhere_is_the_same_type() {
    assert_eq!(original::Guest::FINGERPRINT, same::Guest::FINGERPRINT);
    assert_eq!(schema_of::<original::Guest>(), schema_of::<same::Guest>());
    assert_eq!(mode::Mode::FINGERPRINT, mode_same::Mode::FINGERPRINT);
    let difference = schema_of::<mode::Mode>().first_difference(&schema_of::<mode_same::Mode>());
    assert_eq!(difference, None);
}

#[test]
fn fingerprints_are_constants_that_never_change() {
    // Golden: these numbers lie in built plugins. A change here is a change of the ABI.
    const GUEST: u64 = original::Guest::FINGERPRINT;
    const MODE: u64 = mode::Mode::FINGERPRINT;
    assert_eq!((GUEST, MODE), (6_996_054_264_615_646_759, 8_912_792_194_517_351_569));
}

fn difference<A: StateType, B: StateType>() -> String {
    let difference = schema_of::<A>().first_difference(&schema_of::<B>());
    difference.map_or_else(|| "none".to_owned(), |difference| difference.to_string())
}

#[test]
fn the_first_difference_names_the_field_and_both_sides() {
    type Guest = original::Guest;
    let says = [
        difference::<Guest, field_renamed::Guest>(),
        difference::<Guest, reordered::Guest>(),
        difference::<Guest, signed::Guest>(),
        difference::<Guest, inner_renamed::Guest>(),
        difference::<Guest, number::Guest>(),
        difference::<Guest, fewer::Guest>(),
        difference::<fewer::Guest, Guest>(),
        difference::<Guest, renamed::Visitor>(),
        difference::<Guest, array::Guest>(),
        difference::<mode::Mode, mode_renamed::Mode>(),
        difference::<mode::Mode, mode_more::Mode>(),
        difference::<mode::Mode, mode_field::Mode>(),
        difference::<mode::Mode, mode_type::Mode>(),
        difference::<mode::Mode, mode_number::Mode>(),
        difference::<List<Guest>, List<signed::Guest>>(),
    ];
    let expected = [
        "state.b: u32 at offset 4 | no such field",
        "state.b: u32 at offset 4 | u32 at offset 0",
        "state.b: u32 | i32",
        "state.c: Inner | Other",
        "state: Guest (schema 1) | Guest (schema 2)",
        "state.c: Inner at offset 8 | no such field",
        "state.c: no such field | Inner at offset 8",
        "state: Guest | Visitor",
        "state.a: u32 | [u32; 1]",
        "state: variant B = 1 | variant Z = 1",
        "state: no such variant | variant D = 3",
        "state::B.x: u32 at offset 4 | no such field",
        "state::C.0: u8 | bool",
        "state: Mode (schema 0) | Mode (schema 1)",
        "state[].b: u32 | i32",
    ];
    assert_eq!(says.each_ref().map(String::as_str), expected);
    let wider = difference::<Guest, moved::Guest>();
    assert!(wider.starts_with("state.b: "), "{wider}");
}
