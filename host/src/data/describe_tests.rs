//! Goal: any value is JSON that says what it is, and a damaged image is refused. Method: a state with a
//! value of every kind.

use hotshell_plugin_api::collections::{
    BTreeMap, Box, Bytes, HashMap, HashSet, Option, String as Text, Vec,
};
use hotshell_plugin_api::reflect::Reflect;
use hotshell_plugin_api::state;

use super::*;

#[state]
struct Root {
    small: i8,
    wide: u64,
    ratio: f64,
    never: f64,
    flags: [bool; 2],
    name: Text,
    raw: Bytes,
    maybe: Option<Box<Pair>>,
    none: Option<u8>,
    kind: Shape,
    other: Shape,
    sizes: BTreeMap<u32, Text>,
    rooms: [Room; 2],
    lists: Vec<Room>,
    owners: HashMap<Text, Room>,
}

#[state]
struct Pair(u32, Id);

#[state]
struct Id(u16);

#[state]
#[allow(dead_code, reason = "only their image is looked at")]
enum Shape {
    #[state(default)]
    Point,
    Circle {
        radius: u8,
    },
    Label(Text),
}

#[state]
struct Room {
    keys: HashMap<Text, Vec<u8>>,
    seen: HashSet<u64>,
}

fn room(keys: &[(&str, u8)]) -> Room {
    let keys = keys.iter().map(|(key, n)| (Text::from(*key), Vec::from([*n]))).collect();
    Room { keys, seen: HashSet::new() }
}

fn root() -> Root {
    Root {
        small: -3,
        wide: u64::MAX,
        ratio: 0.5,
        never: f64::NAN,
        flags: [true, false],
        name: Text::from("a \"quoted\" name"),
        raw: Bytes::from(&[0, 255][..]),
        maybe: Option::Some(Box::new(Pair(7, Id(8)))),
        none: Option::None,
        kind: Shape::Circle { radius: 9 },
        other: Shape::Label(Text::from("x")),
        sizes: [(3, Text::from("three"))].into_iter().collect(),
        rooms: [room(&[]), room(&[("key", 5)])],
        lists: Vec::from([room(&[("inner", 6)])]),
        owners: [(Text::from("ann"), room(&[("own", 7)]))].into_iter().collect(),
    }
}

#[test]
fn a_value_of_every_kind_is_json_that_says_what_it_is() {
    let (schema, mut root) = (Schema::of::<Root, ()>(), root());
    let (mut image, reflect) = (std::vec::Vec::new(), Reflect::new(&schema));
    let at = (&raw mut root).cast();
    let mut left = std::vec::Vec::new();
    // Keys follow later, and what lies within an entry does not.
    let mut leave = |map: hotshell_plugin_api::reflect::Left| {
        left.push(map);
        true
    };
    // SAFETY: the schema is the value's own.
    unsafe { reflect.write_outline(schema.root, at, &mut image, &mut leave) };
    let mut describer = Describer::new(&schema);
    let json = describer.outline(&mut &*image).expect("a whole outline");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let expected = serde_json::json!({
        "small": -3, "wide": u64::MAX, "ratio": 0.5, "never": "NaN", "flags": [true, false],
        "name": "a \"quoted\" name", "raw": {"hex": "00ff"}, "maybe": [7, 8], "none": null,
        "kind": {"Circle": {"radius": 9}}, "other": {"Label": "x"}, "sizes": {"entries": 1},
        "rooms": [{"keys": {}, "seen": []}, {"keys": {"entries": 1}, "seen": []}],
        "lists": [{"keys": {"entries": 1}, "seen": []}],
        "owners": {"entries": 1},
    });
    assert_eq!(json, expected);
    let path = |number| describer.map(number).map(|map| &*map.path);
    assert_eq!([path(0), path(1)], [Some("sizes"), Some("rooms[1].keys")]);
    assert_eq!([path(2), path(3), path(4)], [Some("lists[0].keys"), Some("owners"), None]);
    let mut entry = std::vec::Vec::new();
    let (key, value) = root.owners.iter().next().expect("one entry");
    let key = std::ptr::from_ref(key).cast_mut().cast();
    let value = std::ptr::from_ref(value).cast_mut().cast();
    // SAFETY: an entry of the map.
    unsafe { reflect.write_entry(3, (left[3].ty, key, value), &mut entry, &mut |_| true) };
    let (map, key, value) = describer.entry(&mut &*entry).expect("a whole entry");
    assert_eq!((&*map, &*key), ("owners", "\"ann\""));
    assert_eq!(value.as_deref(), Some("{\"keys\":{\"entries\":1},\"seen\":[]}"));
    let within = describer.map(4).expect("the entry has a map that follows");
    assert_eq!(within.path, "owners[\"ann\"].keys");
}

#[test]
fn an_image_that_ends_early_is_refused_wherever_it_ends() {
    let (schema, mut root) = (Schema::of::<Root, ()>(), root());
    let mut image = std::vec::Vec::new();
    let at = (&raw mut root).cast();
    // SAFETY: the schema is the value's own.
    unsafe { Reflect::new(&schema).write_outline(schema.root, at, &mut image, &mut |_| false) };
    for len in 0..image.len() {
        let ended = Describer::new(&schema).outline(&mut &image[..len]);
        assert!(ended.is_err(), "{len} of {} bytes", image.len());
    }
}
