//! Random changes under both versions, with swaps in between, against plain Rust.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use hotshell_plugin_api::collections::String;
use hotshell_plugin_api::testing::TestServer;

use crate::versions::{App1, App2, one, two};
use crate::{swap_down, swap_up};

/// What the active version shows, in the terms of version 2.
#[derive(Debug, Default)]
struct Model {
    shapes: HashMap<u64, two::Shape>,
    /// What waits while version 1, which cannot hold it, is active.
    hidden: HashMap<u64, two::Shape>,
    ranked: BTreeMap<std::string::String, (u64, std::string::String, u32)>,
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        (self.0 >> 33) % n
    }
}

const KEYS: u64 = 60;

fn name(i: u64) -> std::string::String {
    format!(
        "{}{i}",
        if i.is_multiple_of(2) { "a key that is too long to lie inline " } else { "k" }
    )
}

/// Whether version 1 can hold it.
fn fits(shape: &two::Shape) -> bool {
    match shape {
        two::Shape::Star(_) => false,
        two::Shape::Square { side } => u32::try_from(*side).is_ok(),
        _ => true,
    }
}

impl Model {
    fn swap_down(&mut self) {
        let (stay, go) = self.shapes.drain().partition(|(_, shape)| fits(shape));
        (self.shapes, self.hidden) = (stay, go);
    }

    /// What waited comes back where its key is free; else the live one wins.
    fn swap_up(&mut self) {
        for (key, shape) in self.hidden.drain() {
            self.shapes.entry(key).or_insert(shape);
        }
    }

    fn act_as_two(&mut self, state: &mut two::State, random: &mut Random) {
        let key = random.below(KEYS);
        let shape = match random.below(5) {
            0 => None,
            1 => Some(two::Shape::Dot),
            2 => Some(two::Shape::Star(String::from(name(key)))),
            3 => Some(two::Shape::Square { side: random.below(4) << 31 }),
            _ => Some(two::Shape::Circle { radius: random.below(9) }),
        };
        match shape {
            None => assert_eq!(state.by_id.remove(&key), self.shapes.remove(&key)),
            Some(shape) => {
                assert_eq!(state.by_id.insert(key, shape.clone()), self.shapes.insert(key, shape));
            }
        }
        let (key, score) = (name(random.below(KEYS)), random.below(8) << 30);
        let tries = random.below(100) as u32;
        if random.below(4) == 0 {
            state.ranked.remove(key.as_str());
            self.ranked.remove(&key);
        } else {
            let note = String::from(key.as_str());
            let entry = two::Entry { note, score, tries };
            state.ranked.insert(String::from(key.as_str()), entry);
            self.ranked.insert(key.clone(), (score, key, tries));
        }
    }

    /// Changes as version 1 sees it.
    fn act_as_one(&mut self, state: &mut one::State, random: &mut Random) {
        let key = random.below(KEYS);
        match random.below(3) {
            0 => {
                state.by_id.remove(&key);
                self.shapes.remove(&key);
            }
            1 => {
                state.by_id.insert(key, one::Shape::Dot);
                self.shapes.insert(key, two::Shape::Dot);
            }
            _ => {
                let side = random.below(1 << 20) as u32;
                state.by_id.insert(key, one::Shape::Square { side });
                self.shapes.insert(key, two::Shape::Square { side: side.into() });
            }
        }
        // An entry of version 1 is changed in place: its rest stays with it.
        let key = name(random.below(KEYS));
        if let Some(entry) = state.ranked.get_mut(key.as_str()) {
            entry.score = random.below(1000) as u32;
            self.ranked.get_mut(&key).expect("the model has it").0 = entry.score.into();
        } else if let Entry::Vacant(vacant) = self.ranked.entry(key) {
            let score = random.below(1000) as u32;
            let entry = one::Entry { score, note: String::from("new") };
            state.ranked.insert(String::from(vacant.key().as_str()), entry);
            vacant.insert((score.into(), "new".to_owned(), 1));
        }
    }

    fn check_two(&self, state: &two::State) {
        let shapes: HashMap<u64, two::Shape> =
            state.by_id.iter().map(|(k, v)| (*k, v.clone())).collect();
        assert_eq!(shapes, self.shapes);
        let ranked: BTreeMap<_, _> = state
            .ranked
            .iter()
            .map(|(k, v)| (k.to_string(), (v.score, v.note.to_string(), v.tries)))
            .collect();
        assert_eq!(ranked, self.ranked);
    }

    fn check_one(&self, state: &one::State) {
        assert_eq!(state.by_id.len(), self.shapes.len());
        for (key, shape) in &self.shapes {
            let same = match (state.by_id.get(key), shape) {
                (Some(one::Shape::Dot), two::Shape::Dot) => true,
                (Some(one::Shape::Square { side }), two::Shape::Square { side: wide }) => {
                    u64::from(*side) == *wide
                }
                (Some(one::Shape::Circle { radius }), two::Shape::Circle { radius: r }) => {
                    radius == r
                }
                _ => false,
            };
            assert!(same, "{key}: {:?} | {shape:?}", state.by_id.get(key));
        }
        let scores = self.ranked.iter().filter(|(_, entry)| u32::try_from(entry.0).is_ok());
        let scores: Vec<_> = scores.map(|(k, v)| (k.clone(), v.0, v.1.clone())).collect();
        let found: Vec<_> = state
            .ranked
            .iter()
            .map(|(k, v)| (k.to_string(), u64::from(v.score), v.note.to_string()))
            .collect();
        assert_eq!(found, scores);
    }
}

#[test]
fn random_changes_and_swaps_agree_with_plain_rust() {
    for seed in 1..=40 {
        println!("seed {seed}");
        let mut random = Random(seed);
        let mut model = Model::default();
        let mut server = Some(TestServer::<App1>::new());
        for _ in 0..6 {
            let mut two: TestServer<App2> = swap_up(server.take().expect("version 1"));
            model.swap_up();
            model.check_two(two.state());
            for _ in 0..random.below(200) {
                model.act_as_two(two.state_mut(), &mut random);
            }
            model.check_two(two.state());
            let mut one = swap_down(two);
            model.swap_down();
            model.check_one(one.state());
            for _ in 0..random.below(60) {
                model.act_as_one(one.state_mut(), &mut random);
            }
            model.check_one(one.state());
            server = Some(one);
        }
    }
}
