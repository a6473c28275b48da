//! Goal: where a part lay is told in the words of its author. Method: a schema with every step in it.

use hotshell_plugin_api::collections::{Box, HashMap, Option, String, Vec};
use hotshell_plugin_api::migrate::convert::{Lost, Step};
use hotshell_plugin_api::schema::Schema;
use hotshell_plugin_api::state;

use super::way;

#[state(schema = 1)]
struct Root {
    visits: u64,
    dbs: [Db; 2],
}

#[state]
struct Db {
    place: Place,
    keys: HashMap<String, Value>,
}

#[state]
struct Place {
    room: u32,
    floor: u32,
}

#[state]
#[allow(dead_code, reason = "its schema is what counts")]
enum Value {
    #[state(default)]
    Nothing,
    List {
        items: Vec<Item>,
        maybe: Option<Box<Item>>,
    },
}

#[state]
struct Item {
    weight: u64,
    name: u64,
}

fn told(schema: &Schema, ty: &str, path: std::vec::Vec<Step>) -> std::string::String {
    let mut types = 0..schema.types.len() as u32;
    let ty =
        types.find(|&index| schema.type_name(index) == ty).unwrap_or_else(|| panic!("no {ty}"));
    let lost = Lost { path, ty, image: vec![1], instead: None, marks: vec![] };
    way(schema, schema.root, &lost)
}

fn offset(schema: &Schema, ty: &str, field: &str) -> u32 {
    let def = schema.types.iter().find(|def| def.name == ty).expect("it is there");
    let all = def.variants.iter().flat_map(|variant| &variant.fields).chain(&def.fields);
    all.clone().find(|of| of.name == field).expect("it has the field").offset
}

#[test]
fn each_step_has_its_word() {
    let schema = Schema::of::<Root, ()>();
    let at = |ty: &str, field: &str| Step::Field(offset(&schema, ty, field));
    let entry = |key: &str| Step::Key([&[key.len() as u8], key.as_bytes()].concat());
    let keys = || vec![at("Root", "dbs"), Step::Item(1), at("Db", "keys")];
    let within = |more: &[Step]| [&keys()[..], &[entry("s")], more].concat();

    assert_eq!(told(&schema, "Value", within(&[])), "state.dbs[1].keys[\"s\"]");
    let list = [Step::Variant(1), at("Value", "items"), Step::Item(7)];
    assert_eq!(told(&schema, "Item", within(&list)), "state.dbs[1].keys[\"s\"]::List.items[7]");
    let maybe = [Step::Variant(1), at("Value", "maybe"), Step::Some, Step::Boxed];
    assert_eq!(told(&schema, "Item", within(&maybe)), "state.dbs[1].keys[\"s\"]::List.maybe");
    // In nested structs the offset alone says where.
    let place = offset(&schema, "Db", "place");
    let floor = Step::Field(place + offset(&schema, "Place", "floor"));
    let path = vec![at("Root", "dbs"), Step::Item(0), floor];
    assert_eq!(told(&schema, "u32", path), "state.dbs[0].place.floor");
    let room = Step::Field(place + offset(&schema, "Place", "room"));
    let path = vec![at("Root", "dbs"), Step::Item(0), room];
    assert_eq!(told(&schema, "u32", path), "state.dbs[0].place.room");
    assert_eq!(told(&schema, "Root", vec![]), "state");
}

#[test]
fn what_the_schema_does_not_know_is_told_by_offsets() {
    let schema = Schema::of::<Root, ()>();
    let path = vec![Step::Field(0), Step::Some];
    assert_eq!(told(&schema, "u32", path), "state@0? (1 bytes)");
}
