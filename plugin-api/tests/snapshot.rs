//! Goal: an image that is taken while the state is used shows the state as it was at its beginning, each
//! entry once, and disturbs nobody. Method: random operations between slices that stop anywhere, against
//! plain Rust; the heap counts what is left.

mod counting_heap;

use std::collections::BTreeMap as Model;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use counting_heap::{Leaks, Random, rounds};
use hotshell_plugin_api::collections::hash_map::Entry as Entries;
use hotshell_plugin_api::collections::{
    BTreeMap, Box, HashMap, HashSet, Option, String, Vec, VecDeque,
};
use hotshell_plugin_api::heap;
use hotshell_plugin_api::reflect::{Rebuilding, Reflect};
use hotshell_plugin_api::schema::Schema;
use hotshell_plugin_api::{snapshot, state};

#[state]
#[derive(Debug, Clone, PartialEq)]
struct State {
    before: u64,
    names: HashMap<String, Entry>,
    rooms: [Room; 2],
    set: HashSet<u64>,
    maybe: Option<Box<Room>>,
    texts: Vec<String>,
    shelves: HashMap<u32, Shelf>,
    graves: Vec<HashMap<u64, String>>,
    ranks: BTreeMap<u64, String>,
    queue: VecDeque<BTreeMap<u32, u32>>,
    after: u32,
}

/// An entry with large maps in it, one of them in another one's entry.
#[state]
#[derive(Debug, Clone, PartialEq)]
struct Shelf {
    books: HashMap<u64, String>,
    boxed: Option<Box<HashSet<u64>>>,
    deep: HashMap<u8, HashMap<u64, u64>>,
    order: BTreeMap<u64, HashSet<u64>>,
}

#[state]
#[derive(Debug, Clone, PartialEq)]
struct Room {
    empty: HashMap<u64, u64>,
    small: HashMap<u64, String>,
}

#[state]
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    score: u64,
    notes: Vec<String>,
    inner: HashMap<u32, u32>,
}

fn entry(n: u64) -> Entry {
    let inner = (0..n % 4).map(|i| (i as u32, n as u32)).collect();
    let notes = (0..n % 3).map(|i| String::from(&*format!("note {i} of number {n}"))).collect();
    Entry { score: n, notes, inner }
}

fn name(n: u64) -> String {
    String::from(&*format!("name {n}"))
}

fn shelf(random: &mut Random) -> Shelf {
    let mut some = |most| 0..random.below(most);
    Shelf {
        books: some(2600).map(|n| (n, name(n))).collect(),
        boxed: Option::Some(Box::new(some(2600).collect())),
        deep: some(3).map(|n| (n as u8, (0..1500 * n).map(|i| (i, n)).collect())).collect(),
        order: some(2600).map(|n| (n * 2, (0..if n == 9 { 2000 } else { 2 }).collect())).collect(),
    }
}

fn state(random: &mut Random, entries: u64) -> State {
    let mut state = State { before: 7, after: 9, ..State::default() };
    (0..random.below(5)).for_each(|n| drop(state.shelves.insert(n as u32, shelf(random))));
    if random.below(3) > 0 {
        // So many that the map itself follows, too.
        (10..1500).for_each(|n| drop(state.shelves.insert(n, Shelf::default())));
    }
    state.graves = Vec::from([shelf(random).books]);
    state.ranks = (0..random.below(4000)).map(|n| (n * 2, name(n))).collect();
    (0..2).for_each(|_| {
        state.queue.push_back((0..random.below(2600) as u32).map(|n| (n, n)).collect())
    });
    (0..entries).for_each(|n| drop(state.names.insert(name(n), entry(n))));
    if random.below(3) == 0 {
        // Few entries, but large ones: the map follows, too.
        (0..random.below(40))
            .for_each(|n| drop(state.rooms[0].small.insert(n, "x".repeat(9000).as_str().into())));
    }
    (0..entries * 2).for_each(|n| _ = state.set.insert(n * 3));
    state.rooms[1].small = (0..random.below(50)).map(|n| (n, name(n))).collect();
    let empty = HashMap::new();
    state.maybe = Option::Some(Box::new(Room { small: state.rooms[1].small.clone(), empty }));
    state.texts.push("a text that is longer than what lies inline".into());
    state
}

/// Changes the state as plugins do: what is there, what is new, what goes, what is walked.
fn disturb(state: &mut State, random: &mut Random, entries: u64) {
    (0..random.below(6)).for_each(|_| disturb_shelves(state, random));
    (0..random.below(6)).for_each(|_| disturb_trees(state, random));
    for _ in 0..1 + random.below(20) {
        let n = random.below(entries * 2);
        match random.below(12) {
            0..=2 => drop(state.names.insert(name(n), entry(n + 1))),
            3 | 4 => drop(state.names.remove(&*name(n))),
            5 => state.names.get_mut(&*name(n)).into_iter().for_each(|e| e.notes.clear()),
            6 if n.is_multiple_of(2) => *state.names.entry(name(n)).or_default() = entry(n + 2),
            6 => match state.names.entry(name(n)) {
                Entries::Occupied(entry) => drop(entry.remove()),
                Entries::Vacant(vacant) => drop(vacant.insert(entry(n))),
            },
            7 => _ = state.set.insert(n),
            8 => _ = state.set.remove(&n),
            9 => assert_eq!(
                state.names.get(&*name(n)).is_some(),
                state.names.contains_key(&*name(n))
            ),
            10 => state.before += 1,
            11 if n.is_multiple_of(2) => drop(state.rooms[0].small.remove(&(n % 40))),
            _ => drop(state.rooms[1].small.remove(&n)),
        }
    }
    match random.below(90) {
        // More than there is room for, so that maps grow in the middle.
        60 => (0..entries).for_each(|n| drop(state.names.insert(name(entries * 3 + n), entry(n)))),
        61 => _ = state.names.take_some(200, |_, _| {}),
        62 => state.names.values_mut().for_each(|entry| entry.score += 1),
        63 => {
            let [a, b] = &mut state.rooms;
            std::mem::swap(&mut a.small, &mut b.small);
        }
        64 => _ = state.set.work(500),
        65 => state.names.reserve(entries as usize * 2),
        66 => state.names.shrink_to_fit(),
        0 => state.names.retain(|_, entry| entry.score % 5 > 0),
        1 => state.set.clear(),
        2 => assert_eq!(state.names.iter().count(), state.names.len()),
        3 => drop(std::mem::take(&mut state.names)),
        _ => {}
    }
}

/// Changes what lies in entries, takes entries with large maps away, and moves them elsewhere.
fn disturb_shelves(state: &mut State, random: &mut Random) {
    let (key, n) = (random.below(6) as u32, random.below(3000));
    let State { shelves, graves, .. } = state;
    let shelf_of = |random: &mut Random| shelf(random);
    match random.below(40) {
        0 => drop(shelves.remove(&key)),
        1 => drop(shelves.insert(key, shelf_of(random))),
        2 => shelves.remove(&key).into_iter().for_each(|shelf| graves.push(shelf.books)),
        3 => drop(graves.pop()),
        4 => _ = graves.last_mut().map(|grave| grave.take_some(300, |_, _| {})),
        5 => shelves.values_mut().for_each(|shelf| shelf.deep.clear()),
        6 => {
            let Some(grave) = graves.first_mut() else { return };
            shelves.get_mut(&key).into_iter().for_each(|s| std::mem::swap(&mut s.books, grave));
        }
        7 => shelves.reserve(40),
        at => {
            let Some(shelf) = shelves.get_mut(&key) else { return };
            match at % 8 {
                0 => drop(shelf.books.remove(&n)),
                1 => drop(shelf.books.insert(n, name(n + 1))),
                2 => (0..2000).for_each(|i| drop(shelf.books.insert(n + i, name(i)))),
                3 => {
                    let set = shelf.boxed.as_mut().into_iter();
                    set.for_each(|set| _ = set.insert(n) && set.remove(&(n / 2)));
                }
                4 => shelf.deep.values_mut().for_each(|map| _ = map.insert(n, 1)),
                5 => shelf.deep.values_mut().for_each(|map| _ = map.remove(&(n / 2))),
                6 => shelf.boxed = Option::None,
                _ => shelf.books.retain(|n, _| n % 3 > 0),
            }
        }
    }
}

/// Changes trees, from a leaf here and there to most of them.
fn disturb_trees(state: &mut State, random: &mut Random) {
    let n = random.below(9000);
    let State { ranks, shelves, queue, .. } = state;
    match random.below(30) {
        0 => ranks.retain(|n, _| n % 7 > 0),
        1 => drop(std::mem::take(ranks)),
        2 => (0..1500).for_each(|i| drop(ranks.insert(n + i, name(i)))),
        3 => assert_eq!(ranks.iter().count(), ranks.len()),
        4 => drop(queue.pop_front()),
        5 => queue.push_back((0..1200).map(|n| (n, 0)).collect()),
        6..=9 => drop(ranks.insert(n, name(1))),
        10..=13 => drop(ranks.remove(&n)),
        14 => ranks.get_mut(&n).into_iter().for_each(|text| text.push('x')),
        15 => drop(ranks.pop_first()),
        16 => drop(ranks.pop_last()),
        17 => assert_eq!(ranks.get(&n).is_some(), ranks.rank(&n).is_ok()),
        18 => ranks.range_mut(n..n + 50).for_each(|(_, text)| text.push('y')),
        19 => queue.iter_mut().for_each(|tree| _ = tree.insert(n as u32 % 3000, 9)),
        20 => queue.iter_mut().for_each(|tree| _ = tree.remove(&(n as u32 % 3000))),
        at => {
            let Some(shelf) = shelves.get_mut(&(at as u32 % 6)) else { return };
            match n % 5 {
                0 => drop(shelf.order.remove(&18)),
                1 => drop(shelf.order.insert(n, HashSet::new())),
                2 => shelf.order.get_mut(&18).into_iter().for_each(|set| _ = set.insert(n)),
                3 => (0..200).for_each(|i| drop(shelf.order.remove(&(n + i)))),
                _ => shelf.order.clear(),
            }
        }
    }
}

fn rebuilt(schema: &Schema, outline: &[u8], mut entries: &[u8]) -> (State, u64) {
    let mut place = std::mem::MaybeUninit::<State>::uninit();
    let mut count = 0;
    // SAFETY: the schema is the type's own, and the image was written under it.
    unsafe {
        let at = place.as_mut_ptr().cast();
        let begun = Rebuilding::begin(Reflect::new(schema), schema.root, at, &mut &*outline);
        let mut begun = begun.expect("a whole outline");
        while !entries.is_empty() {
            begun.entry(&mut entries).expect("a whole entry");
            count += 1;
        }
        begun.finish().expect("all entries");
        (place.assume_init(), count)
    }
}

/// Time counts as work here.
fn clock() -> Duration {
    SystemTime::UNIX_EPOCH.elapsed().expect("it is later")
}

#[test]
fn an_image_taken_beside_a_thousand_changes_is_the_state_as_it_was() {
    let leaks = Leaks::start();
    for round in 1..=rounds(40) {
        let seed = round.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut random = Random(seed);
        let entries = [3, 900, 1500, 4000][random.below(4) as usize];
        let mut state = state(&mut random, entries);
        let schema = Arc::new(Schema::of::<State, ()>());
        for _ in 0..2 {
            disturb(&mut state, &mut random, entries);
            let then = state.clone();
            let mut image = std::vec::Vec::new();
            // SAFETY: the state lives and nobody refers to it while these run.
            let outline = unsafe { snapshot::begin(&schema, (&raw mut state).cast(), clock) };
            loop {
                disturb(&mut state, &mut random, entries);
                let mut steps = random.below(3);
                // SAFETY: as above.
                let more = unsafe {
                    snapshot::work(|| {
                        steps = steps.saturating_sub(1);
                        steps > 0
                    })
                };
                image.extend(snapshot::take_entries(std::vec::Vec::new()));
                if !more {
                    break;
                }
            }
            image.extend(snapshot::take_entries(std::vec::Vec::new()));
            let written = snapshot::end();
            let (found, count) = rebuilt(&schema, &outline, &image);
            assert_eq!(count, written, "seed {seed:#x}");
            assert!(found == then, "seed {seed:#x}: it is not the state as it was");
        }
        disturb(&mut state, &mut random, entries);
        let all: Model<_, _> = state.names.iter().map(|(k, v)| (k.to_string(), v.score)).collect();
        assert_eq!(all.len(), state.names.len(), "seed {seed:#x}: the live map is whole");
    }
    leaks.none();
}

#[test]
fn what_is_written_at_once_is_no_more_than_some_kilobytes_however_few_the_large_entries_are() {
    let text = "x".repeat(100 << 10);
    let mut state = State::default();
    (0..20).for_each(|n| drop(state.rooms[0].small.insert(n, text.as_str().into())));
    let then = state.clone();
    let schema = Arc::new(Schema::of::<State, ()>());
    // SAFETY: the state lives and nobody refers to it while these run.
    let outline = unsafe { snapshot::begin(&schema, (&raw mut state).cast(), clock) };
    let mut image = snapshot::take_entries(std::vec::Vec::new());
    assert!(outline.len() + image.len() < 1 << 10, "{} bytes at once", image.len());
    state.rooms[0].small.clear();
    // SAFETY: as above; each step is over when it has come to a large entry.
    while unsafe { snapshot::work(|| false) } {}
    image.extend(snapshot::take_entries(std::vec::Vec::new()));
    assert_eq!(snapshot::end(), 20);
    assert!(rebuilt(&schema, &outline, &image).0 == then);
}

#[test]
fn an_image_that_is_given_up_writes_no_more_and_leaves_the_state_whole() {
    let mut random = Random(7);
    let mut state = state(&mut random, 3000);
    let then = state.clone();
    let schema = Arc::new(Schema::of::<State, ()>());
    // SAFETY: the state lives and nobody refers to it while these run.
    unsafe {
        drop(snapshot::begin(&schema, (&raw mut state).cast(), clock));
        assert!(snapshot::work(|| false));
        assert!(snapshot::written() > 0);
        snapshot::give_up();
        while snapshot::work(|| true) {}
    }
    assert_eq!((snapshot::written(), snapshot::is_running()), (0, true));
    snapshot::end();
    assert!(!snapshot::is_running() && state == then);
}

#[test]
fn an_image_that_lacks_an_entry_or_has_one_too_many_is_refused() {
    let mut random = Random(7);
    let mut state = state(&mut random, 10);
    let schema = Arc::new(Schema::of::<State, ()>());
    // SAFETY: the state lives and nobody refers to it.
    let outline = unsafe {
        let outline = snapshot::begin(&schema, (&raw mut state).cast(), clock);
        while snapshot::work(|| true) {}
        outline
    };
    let image = snapshot::take_entries(std::vec::Vec::new());
    let count = snapshot::end();
    for (entries, wrong) in [
        (count - 1, "a map has fewer entries than its outline tells"),
        (count, "a map has more entries than its outline tells"),
    ] {
        let place = heap::alloc(Reflect::new(&schema).layout(schema.root));
        // SAFETY: as in `rebuilt`; what is made is not used.
        let refused = unsafe {
            let at = place.as_ptr();
            let begun = Rebuilding::begin(Reflect::new(&schema), schema.root, at, &mut &*outline);
            let (mut begun, mut source) = (begun.expect("a whole outline"), &*image);
            (0..entries).for_each(|_| begun.entry(&mut source).expect("a whole entry"));
            match entries == count {
                true => begun.entry(&mut &*image).expect_err("one too many"),
                false => begun.finish().expect_err("one is missing"),
            }
        };
        assert_eq!(refused.what, wrong);
    }
}
