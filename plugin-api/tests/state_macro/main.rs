//! Goal: what `#[state]` says of a type is true, and every change of a type shows. Method: schemas
//! against real pointers, near-twins of one type against each other, keys against each other.

// The types are looked at from outside; few of their fields are ever read.
#![allow(dead_code)]

mod keys;
mod twins;

use hotshell_plugin_api::schema::{Field, Kind, Schema, SchemaBuilder, TypeDef, mix};
use hotshell_plugin_api::state;
use hotshell_plugin_api::state::StateType;

/// A stand-in for the collections: a heap list of `T`, in format 1.
struct List<T>(Vec<T>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

// SAFETY: never part of any state outside this file.
unsafe impl<T: StateType> StateType for List<T> {
    const FINGERPRINT: u64 = mix(Kind::Vec as u64, T::FINGERPRINT);
    fn describe(schema: &mut SchemaBuilder) -> TypeDef {
        let element = schema.add::<T>();
        TypeDef::collection(Kind::Vec, 1, vec![element])
    }
}

#[state(schema = 3)]
#[derive(Clone)]
struct Mixed {
    a: u8,
    b: u64,
    c: u16,
    d: [u32; 3],
    e: u128,
    f: bool,
}

#[state]
struct Tuple(u8, f64, bool, ());

#[state(key)]
#[derive(Debug, Clone)]
enum Shape {
    #[state(default)]
    Empty,
    Bytes(u8, u8),
    Wide {
        first: u16,
        second: u128,
        third: u8,
    },
    Nested(bool, Place),
}

#[state(key)]
#[derive(Debug, Clone, Copy)]
struct Place {
    floor: i32,
    rooms: [u16; 3],
}

fn schema_of<T: StateType>() -> Schema {
    Schema::of::<T, ()>()
}

fn root(schema: &Schema) -> &TypeDef {
    &schema.types[schema.root as usize]
}

fn offset(base: *const u8, field: *const u8) -> u32 {
    (field.addr() - base.addr()) as u32
}

fn offsets(fields: &[Field]) -> Vec<u32> {
    fields.iter().map(|field| field.offset).collect()
}

#[test]
fn offsets_of_struct_fields_are_those_in_memory() {
    let schema = schema_of::<Mixed>();
    let value = Mixed::default();
    let base = (&raw const value).cast::<u8>();
    let real = [
        (&raw const value.a).cast(),
        (&raw const value.b).cast(),
        (&raw const value.c).cast(),
        (&raw const value.d).cast(),
        (&raw const value.e).cast(),
        (&raw const value.f).cast(),
    ];
    let real: Vec<u32> = real.into_iter().map(|field| offset(base, field)).collect();
    assert_eq!(offsets(&root(&schema).fields), real);
    let names: Vec<&str> = root(&schema).fields.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c", "d", "e", "f"]);
    assert_eq!(root(&schema).size as usize, size_of::<Mixed>());
    assert_eq!(root(&schema).align as usize, align_of::<Mixed>());
    assert_eq!((root(&schema).format, schema.number, root(&schema).kind), (3, 3, Kind::Struct));
}

#[test]
fn fields_of_tuple_structs_are_named_by_number() {
    let schema = schema_of::<Tuple>();
    let value = Tuple::default();
    let base = (&raw const value).cast::<u8>();
    let real = [
        offset(base, (&raw const value.0).cast()),
        offset(base, (&raw const value.1).cast()),
        offset(base, (&raw const value.2).cast()),
        offset(base, (&raw const value.3).cast()),
    ];
    assert_eq!(offsets(&root(&schema).fields), real);
    assert_eq!(root(&schema).fields[3].name, "3");
}

/// Offsets of the fields of a value's variant, as the compiler laid them out.
fn real_offsets(value: &Shape) -> Vec<u32> {
    let base = std::ptr::from_ref(value).cast::<u8>();
    let fields: Vec<*const u8> = match value {
        Shape::Empty => vec![],
        Shape::Bytes(a, b) => vec![a, b],
        Shape::Wide { first, second, third } => {
            vec![(&raw const *first).cast(), (&raw const *second).cast(), third]
        }
        Shape::Nested(a, b) => vec![(&raw const *a).cast(), (&raw const *b).cast()],
    };
    fields.into_iter().map(|field| offset(base, field)).collect()
}

fn one_of_each() -> [Shape; 4] {
    let place = Place { floor: 1, rooms: [2, 3, 4] };
    [
        Shape::Empty,
        Shape::Bytes(1, 2),
        Shape::Wide { first: 1, second: 2, third: 3 },
        Shape::Nested(true, place),
    ]
}

#[test]
fn tags_and_offsets_of_variants_are_those_in_memory() {
    let schema = schema_of::<Shape>();
    let variants = &root(&schema).variants;
    assert_eq!(variants.len(), 4);
    for (value, variant) in one_of_each().iter().zip(variants) {
        // SAFETY: a `repr(u8)` enum begins with its tag.
        let tag = unsafe { *std::ptr::from_ref(value).cast::<u8>() };
        assert_eq!(tag, variant.tag, "{}", variant.name);
        assert_eq!(offsets(&variant.fields), real_offsets(value), "{}", variant.name);
    }
    assert_eq!(root(&schema).size as usize, size_of::<Shape>());
    assert_eq!(root(&schema).kind, Kind::Enum);
    assert_eq!(variants[2].fields[1].name, "second");
}

#[test]
fn the_last_of_256_variants_has_tag_255() {
    #[rustfmt::skip]
    #[state(key)]
    enum Many {
        V000, V001, V002, V003, V004, V005, V006, V007, V008, V009, V010, V011, V012, V013,
        V014, V015, V016, V017, V018, V019, V020, V021, V022, V023, V024, V025, V026, V027,
        V028, V029, V030, V031, V032, V033, V034, V035, V036, V037, V038, V039, V040, V041,
        V042, V043, V044, V045, V046, V047, V048, V049, V050, V051, V052, V053, V054, V055,
        V056, V057, V058, V059, V060, V061, V062, V063, V064, V065, V066, V067, V068, V069,
        V070, V071, V072, V073, V074, V075, V076, V077, V078, V079, V080, V081, V082, V083,
        V084, V085, V086, V087, V088, V089, V090, V091, V092, V093, V094, V095, V096, V097,
        V098, V099, V100, V101, V102, V103, V104, V105, V106, V107, V108, V109, V110, V111,
        V112, V113, V114, V115, V116, V117, V118, V119, V120, V121, V122, V123, V124, V125,
        V126, V127, V128, V129, V130, V131, V132, V133, V134, V135, V136, V137, V138, V139,
        V140, V141, V142, V143, V144, V145, V146, V147, V148, V149, V150, V151, V152, V153,
        V154, V155, V156, V157, V158, V159, V160, V161, V162, V163, V164, V165, V166, V167,
        V168, V169, V170, V171, V172, V173, V174, V175, V176, V177, V178, V179, V180, V181,
        V182, V183, V184, V185, V186, V187, V188, V189, V190, V191, V192, V193, V194, V195,
        V196, V197, V198, V199, V200, V201, V202, V203, V204, V205, V206, V207, V208, V209,
        V210, V211, V212, V213, V214, V215, V216, V217, V218, V219, V220, V221, V222, V223,
        V224, V225, V226, V227, V228, V229, V230, V231, V232, V233, V234, V235, V236, V237,
        V238, V239, V240, V241, V242, V243, V244, V245, V246, V247, V248, V249, V250, V251,
        V252, V253, V254, V255,
    }
    let schema = schema_of::<Many>();
    assert_eq!(root(&schema).variants[255].tag, Many::V255 as u8);
    assert_eq!((root(&schema).variants[255].tag, root(&schema).size), (255, 1));
    assert!(Many::V127 < Many::V128);
}

#[test]
fn an_encoded_schema_comes_back_and_never_from_a_part_of_it() {
    #[state(schema = 9)]
    struct Everything {
        mixed: Mixed,
        shapes: [Shape; 2],
        tuple: List<Tuple>,
    }
    let schema = Schema::of::<Everything, Shape>();
    let bytes = schema.encode();
    assert_eq!(Schema::decode(&bytes), Ok(schema));
    for length in 0..bytes.len() {
        let error = Schema::decode(&bytes[..length]).expect_err("a part is no schema");
        assert!(error.offset <= length, "{error}");
    }
}

#[test]
fn damaged_schemas_never_panic() {
    let bytes = Schema::of::<Mixed, Shape>().encode();
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            let _ = Schema::decode(&damaged);
        }
    }
}

#[state]
struct Node {
    value: u64,
    children: List<Node>,
}

#[state]
enum Tree {
    #[state(default)]
    Leaf,
    Fork(List<Self>, u8),
}

mod other_node {
    use super::{List, state};
    #[state]
    pub struct Node {
        value: u64,
        children: List<[Node; 1]>,
    }
}

#[test]
fn a_type_may_contain_itself() {
    let schema = schema_of::<Node>();
    let list = &schema.types[root(&schema).fields[1].ty as usize];
    assert_eq!(list.args, [schema.root]);
    let tree = schema_of::<Tree>();
    let list = &tree.types[root(&tree).variants[1].fields[0].ty as usize];
    assert_eq!(list.args, [tree.root]);
    // What lies around the recursion still counts.
    assert_ne!(Node::FINGERPRINT, other_node::Node::FINGERPRINT);
    assert_eq!(Node::default().children.0.len(), 0);
}

mod houses {
    use super::{List, state};
    #[state]
    pub struct House {
        rooms: List<Room>,
    }
    #[state]
    pub struct Room {
        #[state(recursive)]
        doors: List<House>,
    }
}

#[test]
fn two_types_may_contain_each_other_where_one_field_is_marked() {
    let schema = schema_of::<houses::House>();
    assert_eq!(schema.types.len(), 5, "{schema:?}");
    assert_eq!(schema.first_difference(&schema), None);
}

#[test]
fn defaults_are_the_authors_or_the_types() {
    #[state]
    struct Limits {
        #[state(default = u64::MAX / 2)]
        most: u64,
        #[state(default = Place { floor: 3, rooms: [1; 3] })]
        place: Place,
        name: [[u8; 40]; 40],
        shape: Shape,
    }
    #[state]
    enum Mode {
        Idle,
        #[state(default)]
        Busy(#[state(default = 5)] u8, bool),
    }
    let limits = Limits::default();
    assert_eq!((limits.most, limits.place.floor), (u64::MAX / 2, 3));
    assert_eq!(limits.name, [[0; 40]; 40]);
    assert_eq!(limits.shape, Shape::Empty);
    assert!(matches!(Mode::default(), Mode::Busy(5, false)));
}

/// The note is written from the constant, the schema from the description.
#[test]
fn the_schema_number_is_the_same_in_the_note_and_in_the_schema() {
    #[hotshell_plugin_api::state(schema = 7)]
    struct Numbered {
        field: u8,
    }
    let numbered = Numbered { field: 1 };
    assert_eq!(numbered.field, 1);
    assert_eq!(<Numbered as hotshell_plugin_api::state::StateType>::NUMBER, 7);
    assert_eq!(hotshell_plugin_api::schema::Schema::of::<Numbered, ()>().number, 7);
}
