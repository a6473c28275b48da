//! Goal: a value that is walked, dropped, written and built by its schema alone is the value its types
//! know. Method: random values of all kinds, against the typed code; the heap counts what is left.

mod counting_heap;

use counting_heap::{Leaks, Random, rounds};
use hotshell_plugin_api::collections::{
    BTreeMap, BTreeSet, Box, Bytes, HashMap, HashSet, Option, String, Vec, VecDeque,
};
use hotshell_plugin_api::heap;
use hotshell_plugin_api::reflect::Reflect;
use hotshell_plugin_api::schema::Schema;
use hotshell_plugin_api::state;
use hotshell_plugin_api::state::StateType;

#[state(key)]
#[derive(Debug, Clone)]
struct Place {
    name: String,
    level: i16,
    at: [u8; 3],
    tag: Tag,
    wide: i128,
}

#[state(key)]
#[derive(Debug, Clone)]
enum Tag {
    #[state(default)]
    None,
    Number(i64),
    Text {
        text: Bytes,
        flag: bool,
    },
}

#[state]
#[derive(Debug, Clone, PartialEq)]
struct All {
    byte: u8,
    word: i64,
    ratio: f64,
    pair: [u16; 3],
    nothing: (),
    text: String,
    bytes: Bytes,
    maybe: Option<Bytes>,
    boxed: Option<Box<Place>>,
    numbers: Vec<u32>,
    texts: Vec<String>,
    queue: VecDeque<u64>,
    texts_queue: VecDeque<Bytes>,
    places: HashMap<Place, u64>,
    nested: HashMap<u32, Vec<Bytes>>,
    set: HashSet<Bytes>,
    tree: BTreeMap<Bytes, u64>,
    deep: BTreeMap<u64, HashMap<i8, Bytes>>,
    ordered: BTreeSet<i32>,
    nests: Vec<Nest>,
}

#[state]
#[derive(Debug, Clone, PartialEq)]
struct Nest {
    nests: Vec<Nest>,
    text: Bytes,
}

fn text(random: &mut Random) -> std::string::String {
    let len = random.below(40) as usize;
    let n = random.next();
    format!("{n:0len$}", len = len.max(1))
}

fn place(random: &mut Random) -> Place {
    let tag = match random.below(3) {
        0 => Tag::None,
        1 => Tag::Number(random.next() as i64),
        _ => Tag::Text { text: text(random).as_bytes().into(), flag: random.below(2) == 1 },
    };
    Place {
        name: (&*text(random)).into(),
        level: random.next() as i16,
        at: [random.next() as u8, 2, 3],
        tag,
        wide: i128::from(random.next() as i64) * 7_000_000_007,
    }
}

fn all(random: &mut Random, most: u64) -> All {
    let mut all = All {
        byte: random.next() as u8,
        word: random.next() as i64,
        ratio: random.next() as f64,
        pair: [1, random.next() as u16, 3],
        text: (&*text(random)).into(),
        bytes: text(random).as_bytes().into(),
        ..All::default()
    };
    if random.below(2) == 1 {
        all.maybe = Option::Some(text(random).as_bytes().into());
        all.boxed = Option::Some(Box::new(place(random)));
    }
    let mut count = |most: u64| random.below(most + 1);
    let counts: [u64; 12] = core::array::from_fn(|_| count(most));
    for _ in 0..counts[0] {
        all.numbers.push(random.next() as u32);
        all.texts.push((&*text(random)).into());
    }
    for n in 0..counts[1] {
        all.queue.push_back(n);
        all.texts_queue.push_front(text(random).as_bytes().into());
    }
    for _ in 0..counts[2] {
        all.places.insert(place(random), random.next());
        all.set.insert(text(random).as_bytes().into());
    }
    for _ in 0..counts[3] {
        let texts = (0..random.below(4)).map(|_| Bytes::from(text(random).as_bytes()));
        let texts: Vec<Bytes> = texts.collect();
        all.nested.insert(random.next() as u32, texts);
    }
    for _ in 0..counts[4] {
        all.tree.insert(text(random).as_bytes().into(), random.next());
        all.ordered.insert(random.next() as i32);
    }
    for n in 0..counts[5].min(50) {
        let mut inner = HashMap::new();
        for i in 0..random.below(30) {
            inner.insert(i as i8 - 10, Bytes::from(text(random).as_bytes()));
        }
        all.deep.insert(n, inner);
    }
    for n in 0..counts[6].min(9) {
        let mut nest = Nest { text: text(random).as_bytes().into(), ..Nest::default() };
        for _ in 0..n {
            nest.nests.push(Nest { nests: Vec::new(), text: text(random).as_bytes().into() });
        }
        all.nests.push(nest);
    }
    // Some changes, so that queues do not start at slot 0 and maps have moved.
    for _ in 0..counts[7] / 2 {
        all.queue.pop_front();
        all.texts_queue.pop_back();
        all.tree.pop_first();
        let gone = all.nested.keys().next().copied();
        gone.into_iter().for_each(|key| drop(all.nested.remove(&key)));
    }
    all
}

fn image<T: StateType>(reflect: &Reflect<'_>, value: &T) -> std::vec::Vec<u8> {
    let mut image = std::vec::Vec::new();
    let at = core::ptr::from_ref(value).cast_mut().cast();
    // SAFETY: a value of the schema's root type.
    unsafe { reflect.write(reflect.schema().root, at, &mut image) };
    image
}

fn build<T: StateType>(reflect: &Reflect<'_>, mut image: &[u8]) -> T {
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    // SAFETY: room for the root type, and an image of such a value.
    unsafe {
        let built = reflect.build(reflect.schema().root, value.as_mut_ptr().cast(), &mut image);
        built.expect("the image is whole");
        assert!(image.is_empty(), "nothing is left of the image");
        value.assume_init()
    }
}

const MOST: [u64; 4] = [3, 40, 600, 6000];

#[test]
fn what_is_built_of_an_image_is_the_value() {
    let (leaks, seed) = (Leaks::start(), 0x5eed_0001);
    println!("seed {seed:#x}");
    let schema = Schema::of::<All, ()>();
    let reflect = Reflect::new(&schema);
    let mut random = Random(seed);
    for round in 0..rounds(40) {
        let value = all(&mut random, MOST[round as usize % 4]);
        let first = image(&reflect, &value);
        let mut back: All = build(&reflect, &first);
        assert!(back == value, "round {round}: they are equal");
        // A map that had grown in steps is in another order than one that is made at once.
        let again: All = build(&reflect, &image(&reflect, &back));
        assert!(again == value, "round {round}: and so is what is built of that");
        back.tree.check();
        back.deep.check();
        back.ordered.iter().for_each(|n| assert!(value.ordered.contains(n)));
        value.places.iter().for_each(|(key, n)| assert_eq!(back.places.get(key), Some(n)));
        change(&mut back, &mut random);
        back.tree.check();
    }
    drop(schema);
    leaks.none();
}

/// What was built is used like any other value.
fn change(value: &mut All, random: &mut Random) {
    for n in 0..200 {
        value.places.insert(place(random), n);
        value.tree.insert(text(random).as_bytes().into(), n);
        value.queue.push_front(n);
        value.texts_queue.push_back(Bytes::from(b"0123456789abcdef".as_slice()));
        value.numbers.push(n as u32);
        value.set.insert(text(random).as_bytes().into());
        if n % 3 == 0 {
            value.tree.pop_last();
            value.texts_queue.pop_front();
        }
    }
}

#[test]
fn dropping_by_schema_frees_what_the_typed_drop_would() {
    let (leaks, seed) = (Leaks::start(), 0x5eed_0002);
    println!("seed {seed:#x}");
    let schema = Schema::of::<All, ()>();
    let reflect = Reflect::new(&schema);
    let mut random = Random(seed);
    for round in 0..rounds(40) {
        let value = core::mem::ManuallyDrop::new(all(&mut random, MOST[round as usize % 4]));
        let at = core::ptr::from_ref(&value).cast_mut().cast();
        // SAFETY: a value of the root type, not used again.
        unsafe { reflect.drop_value(schema.root, at) };
    }
    leaks.none();
}

#[test]
fn a_walk_meets_every_part_once_and_in_order() {
    let mut value = All::default();
    value.numbers.extend([7, 8, 9]);
    value.tree.insert(Bytes::from("b"), 2);
    value.tree.insert(Bytes::from("a"), 1);
    let schema = Schema::of::<All, ()>();
    let reflect = Reflect::new(&schema);
    let field = |name: &str| {
        let root = &schema.types[schema.root as usize];
        root.fields.iter().find(|f| f.name == name).expect("a field of All")
    };
    let at: *mut u8 = core::ptr::from_mut(&mut value).cast();
    let mut fields = std::vec::Vec::new();
    let (mut numbers, mut keys) = (std::vec::Vec::new(), std::vec::Vec::new());
    // SAFETY: a value of the root type; the parts are what the schema says.
    unsafe {
        reflect.each_part(schema.root, at, |_, part| fields.push(part as usize - at as usize));
        let (f, g) = (field("numbers"), field("tree"));
        let part = at.add(f.offset as usize);
        reflect.each_part(f.ty, part, |_, n| numbers.push(n.cast::<u32>().read()));
        let part = at.add(g.offset as usize);
        let bytes = schema.types[g.ty as usize].args[0];
        reflect.each_part(g.ty, part, |ty, at| {
            if ty == bytes {
                keys.push((*at.cast::<Bytes>()).to_vec());
            }
        });
    }
    let offsets = schema.types[schema.root as usize].fields.iter();
    assert!(offsets.map(|f| f.offset as usize).eq(fields));
    assert_eq!(numbers, [7, 8, 9]);
    assert_eq!(keys, [b"a", b"b"]);
}

#[test]
fn an_image_that_ends_early_or_lies_is_refused() {
    let schema = Schema::of::<All, ()>();
    let reflect = Reflect::new(&schema);
    let whole = image(&reflect, &all(&mut Random(3), 5));
    for end in 0..whole.len() {
        let place = heap::alloc(core::alloc::Layout::new::<All>());
        let mut part = &whole[..end];
        // SAFETY: room for the root type; what was built of a part is given up.
        let built = unsafe { reflect.build(schema.root, place.as_ptr(), &mut part) };
        assert_eq!(built.expect_err("a part is no whole").what, "the image ends early");
    }
    let tag = Schema::of::<Tag, ()>();
    let mut value = Tag::default();
    // SAFETY: room for a tag.
    let built = unsafe {
        let at = core::ptr::from_mut(&mut value).cast();
        let built = Reflect::new(&tag).build(tag.root, at, &mut [9_u8].as_slice());
        at.write(0);
        built
    };
    assert_eq!(built.expect_err("no such tag").to_string(), "an enum has no such variant");
}
