//! Maps whose entries change their shape while they are used, against plain Rust: random operations,
//! drains that stop anywhere, swaps in mid-drain, references that are held meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use hotshell_plugin_api::collections::{HashMap, String};
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::testing::TestServer;

mod one {
    use hotshell_plugin_api::collections::{HashMap, String};
    use hotshell_plugin_api::state;

    #[state(schema = 1)]
    pub struct State {
        pub by_name: HashMap<String, Entry>,
    }

    #[state]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Entry {
        pub score: u32,
        pub note: String,
    }
}

mod two {
    use hotshell_plugin_api::collections::{HashMap, String};
    use hotshell_plugin_api::state;

    #[state(schema = 1)]
    pub struct State {
        pub before: u64,
        pub by_name: HashMap<String, Entry>,
    }

    #[state]
    #[derive(Debug, Clone, PartialEq)]
    pub struct Entry {
        pub note: String,
        pub score: u64,
    }
}

silent!(App1, one::State);
silent!(App2, two::State);

/// What both versions' entries are made of, for the model's sake.
trait Entry: Clone + 'static {
    fn new(score: u64, note: &str) -> Self;
    fn score(&self) -> u64;
    fn set_score(&mut self, score: u64);
    fn note(&self) -> &str;
}

macro_rules! entry {
    ($ty:ty, $score:ty) => {
        impl Entry for $ty {
            fn new(score: u64, note: &str) -> Self {
                Self { score: score as $score, note: note.into() }
            }
            fn score(&self) -> u64 {
                u64::from(self.score)
            }
            fn set_score(&mut self, score: u64) {
                self.score = score as $score;
            }
            fn note(&self) -> &str {
                &self.note
            }
        }
    };
}

entry!(one::Entry, u32);
entry!(two::Entry, u64);

type Model = BTreeMap<std::string::String, (u64, std::string::String)>;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        self.0 ^ self.0 >> 31
    }

    fn below(&mut self, n: u64) -> u64 {
        (self.next() >> 20) % n
    }
}

/// Half of the keys own memory.
fn name(n: u64) -> std::string::String {
    if n.is_multiple_of(2) { format!("k{n}") } else { format!("a key too long to lie inline {n}") }
}

fn same<E: Entry>(found: Option<&E>, expected: Option<&(u64, std::string::String)>, key: &str) {
    let found = found.map(|entry| (entry.score(), entry.note()));
    assert_eq!(found, expected.map(|(score, note)| (*score, note.as_str())), "{key}");
}

fn seen<E: Entry>(
    (key, entry): (&String, &E),
) -> (std::string::String, (u64, std::string::String)) {
    (key.to_string(), (entry.score(), entry.note().to_owned()))
}

const KEYS: u64 = 6000;

/// One random operation on map and model.
fn act<E: Entry + hotshell_plugin_api::state::StateType>(
    map: &mut HashMap<String, E>,
    model: &mut Model,
    random: &mut Random,
    scores: u64,
) {
    let key = name(random.below(KEYS));
    let (score, note) = (random.below(scores), format!("note {} of {key}", random.below(100)));
    match random.below(100) {
        0..40 => same(map.get(key.as_str()), model.get(&key), &key),
        40..60 => {
            let old = map.insert(key.as_str().into(), E::new(score, &note));
            same(old.as_ref(), model.insert(key.clone(), (score, note)).as_ref(), &key);
        }
        60..72 => {
            let old = map.remove(key.as_str());
            same(old.as_ref(), model.remove(&key).as_ref(), &key);
        }
        72..82 => match map.get_mut(key.as_str()) {
            Some(entry) => {
                entry.set_score(score);
                model.get_mut(&key).expect("the map has it").0 = score;
            }
            None => assert!(!model.contains_key(&key), "{key}"),
        },
        82..92 => {
            let entry = map.entry(key.as_str().into()).or_insert_with(|| E::new(score, &note));
            let expected = model.entry(key.clone()).or_insert((score, note));
            assert_eq!((entry.score(), entry.note()), (expected.0, expected.1.as_str()), "{key}");
        }
        92..98 => held(map, model, random),
        98 => {
            let found = map.random_entry(|| random.next()).map(seen);
            assert_eq!(found.is_none(), model.is_empty());
            if let Some((key, value)) = found {
                assert_eq!(model.get(&key), Some(&value));
            }
        }
        _ => scanned(map, model, random),
    }
}

/// References from `&self` stay where they are while entries around them change their shape.
fn held<E: Entry + hotshell_plugin_api::state::StateType>(
    map: &HashMap<String, E>,
    model: &Model,
    random: &mut Random,
) {
    let keys: Vec<_> = (0..random.below(60)).map(|_| name(random.below(KEYS))).collect();
    let found: Vec<Option<&E>> = keys.iter().map(|key| map.get(key.as_str())).collect();
    if random.below(40) == 0 {
        let all: Model = map.iter().map(seen).collect();
        assert_eq!(&all, model);
        assert_eq!(map.len(), model.len());
    }
    for (key, found) in keys.iter().zip(found) {
        same(found, model.get(key), key);
        let again = map.get(key.as_str());
        assert!(found.map(core::ptr::from_ref) == again.map(core::ptr::from_ref), "{key} moved");
    }
}

fn scanned<E: Entry + hotshell_plugin_api::state::StateType>(
    map: &HashMap<String, E>,
    model: &Model,
    random: &mut Random,
) {
    if random.below(4) > 0 {
        return;
    }
    let (mut cursor, mut shown) = (0, BTreeSet::new());
    loop {
        cursor = map.scan(cursor, 1 + random.below(200) as usize, |key, entry| {
            let (key, value) = seen((key, entry));
            assert_eq!(model.get(&key), Some(&value));
            shown.insert(key);
        });
        if cursor == 0 {
            break;
        }
    }
    assert_eq!(shown.len(), model.len());
}

/// What a whole map is asked for once in a while.
fn whole<E: Entry + hotshell_plugin_api::state::StateType>(
    map: &mut HashMap<String, E>,
    (model, hidden): (&mut Model, &mut Model),
    random: &mut Random,
) {
    match random.below(7) {
        0 => {
            let odd = |score: u64| score % 8 != 3;
            map.retain(|_, entry| odd(entry.score()));
            model.retain(|_, (score, _)| odd(*score));
        }
        1 => {
            for (_, entry) in map.iter_mut() {
                entry.set_score(entry.score() / 2);
            }
            model.values_mut().for_each(|(score, _)| *score /= 2);
        }
        2 => {
            let copy = map.clone();
            assert_eq!(&copy.iter().map(seen).collect::<Model>(), model);
        }
        3 => {
            let goal = model.len() - model.len() / 10;
            while map.len() > goal {
                map.take_some(50, |key, entry| {
                    same(Some(&entry), model.remove(&*key).as_ref(), &key);
                });
            }
        }
        4 => map.shrink_to_fit(),
        5 => map.reserve(if random.below(8) == 0 { 1_000_000 } else { 5000 }),
        _ if random.below(5) == 0 => {
            map.clear();
            model.clear();
            hidden.clear();
        }
        _ => {
            let all: Model = map.drain().map(|(key, entry)| seen((&key, &entry))).collect();
            assert_eq!(&all, model);
            for (key, (score, note)) in all {
                map.insert(key.as_str().into(), E::new(score, &note));
            }
        }
    }
}

/// Operations and slices of the drain in random order.
macro_rules! use_it {
    ($server:ident, $model:ident, $hidden:ident, $random:ident, $scores:expr) => {
        for _ in 0..$random.below(1500) {
            act(&mut $server.state_mut().by_name, &mut $model, &mut $random, $scores);
            if $random.below(200) == 0 {
                $server.drain_some($random.below(400) as usize);
            }
            if $random.below(1200) == 0 {
                let models = (&mut $model, &mut $hidden);
                whole(&mut $server.state_mut().by_name, models, &mut $random);
            }
        }
        if $random.below(2) == 0 {
            $server.drain();
            assert_eq!($server.state().by_name.len(), $model.len());
            let all: Model = $server.state().by_name.iter().map(seen).collect();
            assert_eq!(all, $model);
        }
    };
}

fn run(seed: u64, scores_of_two: u64) {
    println!("seed {seed}, scores below {scores_of_two}");
    let mut random = Random(seed);
    let mut model = Model::new();
    let mut server = TestServer::<App1>::new();
    if seed.is_multiple_of(4) {
        // A table whose size is no power of two.
        server.state_mut().by_name.reserve(1_000_000);
    }
    for n in 0..KEYS / 2 + random.below(KEYS / 2) {
        let (key, score) = (name(n), random.below(1 << 32));
        server.state_mut().by_name.insert(key.as_str().into(), Entry::new(score, "first"));
        model.insert(key, (score, "first".to_owned()));
    }
    let mut hidden = Model::new();
    for _ in 0..4 {
        let mut two =
            server.swap_to::<App2>().unwrap_or_else(|refused| panic!("{}", refused.refusal));
        // Which of two wins is decided when the key is looked at: here, before a swap back.
        if hidden.keys().any(|key| model.contains_key(key)) {
            two.drain();
        }
        for (key, value) in core::mem::take(&mut hidden) {
            model.entry(key).or_insert(value);
        }
        use_it!(two, model, hidden, random, scores_of_two);
        server = two.swap_to::<App1>().unwrap_or_else(|refused| panic!("{}", refused.refusal));
        model.retain(|key, value| {
            let fits = value.0 >> 32 == 0;
            if !fits {
                hidden.insert(key.clone(), value.clone());
            }
            fits
        });
        use_it!(server, model, hidden, random, 1 << 32);
    }
    server.drain();
    assert_eq!(server.set_aside(), hidden.len() + 1, "the entries, and version 2's own field");
}

#[test]
fn a_map_is_used_while_its_entries_change_their_shape() {
    (1..=12).for_each(|seed| run(seed, 1 << 32));
}

#[test]
fn entries_that_do_not_fit_wait_aside_until_their_version_is_back() {
    (101..=106).for_each(|seed| run(seed, 1 << 33));
}

#[test]
fn a_swap_of_a_large_map_visits_none_of_its_entries() {
    let mut server = TestServer::<App1>::new();
    for n in 0..50_000 {
        let entry = one::Entry { score: n, note: "n".into() };
        server.state_mut().by_name.insert(format!("key {n}").as_str().into(), entry);
    }
    let mut server =
        server.swap_to::<App2>().unwrap_or_else(|refused| panic!("{}", refused.refusal));
    assert!(server.state().by_name.is_moving());
    assert_eq!(server.entries_to_convert(), 50_000);
    assert_eq!(server.state().by_name.get("key 77").map(|entry| entry.score), Some(77));
    assert_eq!(server.entries_to_convert(), 49_999, "a touch converts one entry");
    server.drain();
    assert_eq!(server.entries_to_convert(), 0);
    server.state_mut().by_name.get_mut("key 78").expect("it is there").score = 1 << 40;
    assert!(!server.state().by_name.is_moving(), "the map is an ordinary one again");
}
