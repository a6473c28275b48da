//! What changes by name.

use hotshell_plugin_api::collections::{
    BTreeMap, Box, Bytes, HashMap, Option, String, Vec, VecDeque,
};
use hotshell_plugin_api::migrate::plan::{How, PlanKind};
use hotshell_plugin_api::state;

use crate::{Version, told};

pub mod v1 {
    use super::*;

    #[state]
    pub struct Book {
        pub visits: u32,
        pub gone: u8,
        pub title: String,
    }

    #[state(key)]
    pub struct Id {
        pub low: u64,
    }

    #[state]
    pub struct Shelf {
        pub by_id: HashMap<Id, Item>,
        pub sorted: BTreeMap<u64, Vec<Item>>,
        pub queue: VecDeque<[Item; 2]>,
        pub untouched: HashMap<Bytes, Bytes>,
    }

    #[state]
    pub struct Item {
        pub count: i32,
    }

    #[state]
    pub enum Shape {
        #[state(default)]
        Dot,
        Circle {
            radius: f32,
        },
        Gone(u8),
    }

    #[state]
    pub struct Flat {
        pub floor: i32,
        pub name: String,
        pub room: u32,
    }

    #[state]
    pub struct Wrapped {
        pub limit: u32,
        pub text: String,
        pub owner: Box<Item>,
    }

    #[state]
    pub struct Tree {
        pub weight: u32,
        pub children: Vec<Tree>,
        pub same: Option<Box<Leaf>>,
    }

    #[state]
    pub struct Leaf {
        pub next: Option<Box<Leaf>>,
    }
}

pub mod v2 {
    use super::*;

    #[state]
    pub struct Book {
        pub title: String,
        pub visits: u64,
        #[state(default = 7)]
        pub stars: u8,
    }

    #[state]
    pub struct Shelf {
        pub untouched: HashMap<Bytes, Bytes>,
        pub by_id: HashMap<super::v1::Id, Item>,
        pub sorted: BTreeMap<u64, Vec<Item>>,
        pub queue: VecDeque<[Item; 2]>,
    }

    #[state]
    pub struct Item {
        pub count: i64,
    }

    #[state]
    pub enum Shape {
        Circle {
            #[state(was = "radius")]
            r: f64,
            x: u32,
        },
        #[state(was = "Dot", default)]
        Point,
        New(String),
    }

    #[state]
    pub struct Flat {
        pub place: Place,
        #[state(was = "name")]
        pub title: String,
    }

    #[state]
    pub struct Place {
        pub room: u32,
        pub floor: i64,
        #[state(default = 1)]
        pub wing: u8,
    }

    #[state]
    pub struct Wrapped {
        pub limit: Option<u64>,
        pub text: Box<String>,
        pub owner: Item,
    }

    #[state(was = "Tree")]
    pub struct Node {
        pub weight: u32,
        pub color: u8,
        #[state(was = "children")]
        pub below: Vec<Node>,
        pub same: Option<Box<super::v1::Leaf>>,
    }
}

#[test]
fn the_same_shape_is_adopted() {
    let version = Version::of::<v1::Shelf, v1::Item>();
    let plan = version.plan_to(&Version::of::<v1::Shelf, v1::Item>()).unwrap();
    assert_eq!(plan.kind, PlanKind::Adopt);
    assert!(plan.keeps_root() && plan.keeps_sessions());
}

#[test]
fn fields_move_widen_start_with_a_default_and_are_left_behind() {
    assert_eq!(
        told::<v1::Book, v2::Book>(),
        "ByName\n\
         Book -> Book: {title visits +stars -gone}\n\
         u32 -> u64: Unsigned(4) to Unsigned(8)"
    );
    assert_eq!(
        told::<v2::Book, v1::Book>(),
        "ByName\n\
         Book -> Book: {visits title +gone -stars}, if it fits\n\
         u64 -> u32: Unsigned(8) to Unsigned(4), if it fits"
    );
}

#[test]
fn offsets_are_those_of_the_two_layouts() {
    let (old, new) = (Version::of::<v1::Book, ()>(), Version::of::<v2::Book, ()>());
    let plan = old.plan_to(&new).unwrap();
    let How::Struct(fields) = &plan.pair(plan.root).how else { panic!("a struct") };
    let moves: std::vec::Vec<_> =
        fields.moves.iter().map(|m| (m.from as usize, m.to as usize)).collect();
    use std::mem::offset_of;
    assert_eq!(
        moves,
        [
            (offset_of!(v1::Book, title), offset_of!(v2::Book, title)),
            (offset_of!(v1::Book, visits), offset_of!(v2::Book, visits)),
        ]
    );
    assert_eq!(fields.fills[0].to as usize, offset_of!(v2::Book, stars));
    assert_eq!(fields.removed[0].from as usize, offset_of!(v1::Book, gone));
}

#[test]
fn a_default_that_is_no_longer_needed_is_no_fallback() {
    let (old, new) = (Version::of::<v1::Book, ()>(), Version::of::<v2::Book, ()>());
    let fallbacks = |from: &Version, to: &Version| {
        let plan = from.plan_to(to).unwrap();
        let How::Struct(fields) = &plan.pair(plan.root).how else { panic!("a struct") };
        let with = fields.moves.iter().filter(|m| m.fallback.is_some());
        with.map(|m| m.new_name.clone()).collect::<std::vec::Vec<_>>()
    };
    assert!(fallbacks(&old, &new).is_empty());
    assert_eq!(fallbacks(&new, &old), ["visits"]);
}

#[test]
fn elements_change_inside_collections_at_any_depth_and_the_rest_stays() {
    assert_eq!(
        told::<v1::Shelf, v2::Shelf>(),
        "ByName\n\
         Shelf -> Shelf: {untouched by_id sorted queue}\n\
         HashMap<Id, Item> -> HashMap<Id, Item>: HashMap\n\
         Item -> Item: {count}\n\
         i32 -> i64: Signed(4) to Signed(8)\n\
         BTreeMap<u64, Vec<Item>> -> BTreeMap<u64, Vec<Item>>: BTreeMap\n\
         Vec<Item> -> Vec<Item>: Vec\n\
         VecDeque<[Item; 2]> -> VecDeque<[Item; 2]>: VecDeque\n\
         [Item; 2] -> [Item; 2]: Array"
    );
}

#[test]
fn variants_are_renamed_reordered_added_and_lost() {
    assert_eq!(
        told::<v1::Shape, v2::Shape>(),
        "ByName\n\
         Shape -> Shape: 0 to 1{}, 1 to 0{radius to r +x}, 2 lost, if it fits\n\
         f32 -> f64: Float(4) to Float(8)"
    );
    assert_eq!(
        told::<v2::Shape, v1::Shape>(),
        "ByName\n\
         Shape -> Shape: 0 to 1{r to radius -x}, 1 to 0{}, 2 lost, if it fits\n\
         f64 -> f32: Float(8) to Float(4), if it fits"
    );
}

#[test]
fn fields_move_into_a_nested_struct_and_out_of_it() {
    assert_eq!(
        told::<v1::Flat, v2::Flat>(),
        "ByName\n\
         Flat -> Flat: {room to place.room floor to place.floor name to title +place.wing}\n\
         i32 -> i64: Signed(4) to Signed(8)"
    );
    assert_eq!(
        told::<v2::Flat, v1::Flat>(),
        "ByName\n\
         Flat -> Flat: {place.floor to floor title to name place.room to room -place.wing}, \
         if it fits\n\
         i64 -> i32: Signed(8) to Signed(4), if it fits"
    );
}

#[test]
fn values_are_wrapped_and_boxed_and_come_out_again() {
    assert_eq!(
        told::<v1::Wrapped, v2::Wrapped>(),
        "ByName\n\
         Wrapped -> Wrapped: {limit text owner}\n\
         u32 -> Option<u64>: IntoOption\n\
         u32 -> u64: Unsigned(4) to Unsigned(8)\n\
         String -> Box<String>: IntoBox\n\
         Box<Item> -> Item: OutOfBox\n\
         Item -> Item: {count}\n\
         i32 -> i64: Signed(4) to Signed(8)"
    );
    let back = told::<v2::Wrapped, v1::Wrapped>();
    assert!(back.contains("\nOption<u64> -> u32: OutOfOption, if it fits\n"), "{back}");
    assert!(back.contains("\nBox<String> -> String: OutOfBox\n"), "{back}");
    assert!(back.contains("\nItem -> Box<Item>: IntoBox, if it fits\n"), "{back}");
}

#[test]
fn a_type_that_contains_itself_changes_under_a_new_name() {
    assert_eq!(
        told::<v1::Tree, v2::Node>(),
        "ByName\n\
         Tree -> Node: {weight children to below same +color}\n\
         Vec<Tree> -> Vec<Node>: Vec"
    );
    assert_eq!(
        told::<v2::Node, v1::Tree>(),
        "ByName\n\
         Node -> Tree: {weight below to children same -color}\n\
         Vec<Node> -> Vec<Tree>: Vec"
    );
}

pub mod enums {
    pub mod v1 {
        #[hotshell_plugin_api::state]
        pub enum Value {
            #[state(default)]
            Number(u64),
        }
    }
    pub mod v2 {
        #[hotshell_plugin_api::state]
        pub enum Value {
            #[state(default)]
            Number(u64),
            Flag(bool),
        }
    }
}

#[test]
fn a_variant_added_at_the_end_changes_nothing_on_the_way_up() {
    let old = Version::of::<HashMap<u64, enums::v1::Value>, ()>();
    let new = Version::of::<HashMap<u64, enums::v2::Value>, ()>();
    let up = old.plan_to(&new).unwrap();
    assert_eq!((up.kind, up.keeps_root()), (PlanKind::ByName, true));
    let back = new.plan_to(&old).unwrap();
    assert_eq!(
        crate::tell::tell(&new.schema, &old.schema, &back),
        "ByName\n\
         HashMap<u64, Value> -> HashMap<u64, Value>: HashMap\n\
         Value -> Value: 0 to 0{0}, 1 lost, if it fits"
    );
}

#[test]
fn a_session_that_was_nothing_gets_its_defaults() {
    let (old, new) = (Version::of::<v1::Book, ()>(), Version::of::<v1::Book, v1::Item>());
    let plan = old.plan_to(&new).unwrap();
    assert!(plan.keeps_root() && !plan.keeps_sessions());
    let How::Struct(fields) = &plan.pair(plan.session).how else { panic!("a struct") };
    assert_eq!(fields.fills.len(), 1);
    let back = new.plan_to(&old).unwrap();
    let How::Struct(fields) = &back.pair(back.session).how else { panic!("a struct") };
    assert_eq!(fields.removed.len(), 1);
}
