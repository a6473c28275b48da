//! Goal: a large tree whose values change their shape answers every question as if it had changed at
//! once, and nothing moves that somebody refers to. Method: random operations against std's map while
//! it is converted, forth and back, with seeds that are printed.

use std::collections::BTreeMap as Model;

use hotshell_plugin_api::collections::{BTreeMap, String};
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::testing::TestServer;

mod one {
    use hotshell_plugin_api::collections::{BTreeMap, String};
    use hotshell_plugin_api::state;

    #[state]
    #[derive(Debug)]
    pub struct State {
        pub ranks: BTreeMap<u64, Value>,
    }

    #[state]
    #[derive(Debug, Clone)]
    pub struct Value {
        pub n: u64,
        pub text: String,
    }
}

mod two {
    use hotshell_plugin_api::collections::{BTreeMap, Option, String};
    use hotshell_plugin_api::state;

    #[state]
    #[derive(Debug)]
    pub struct State {
        pub ranks: BTreeMap<u64, Value>,
    }

    /// Wider by more than half, so leaves of the same room are larger.
    #[state]
    #[derive(Debug, Clone)]
    pub struct Value {
        pub text: String,
        #[state(default = [7; 4])]
        pub more: [u64; 4],
        pub note: Option<String>,
        pub n: u64,
    }
}

struct One;
struct Two;

macro_rules! quiet {
    ($app:ident, $state:ty) => {
        impl Plugin for $app {
            type State = $state;
            type Session = ();

            fn init(_: &mut InitCtx<'_>) -> Result<$state, Refusal> {
                Ok(<$state>::default())
            }

            fn data(_: &mut Ctx<'_, Self>, _: &[u8]) -> Flow {
                Flow::Close
            }
        }
    };
}

quiet!(One, one::State);
quiet!(Two, two::State);

/// What both shapes hold of a value.
trait Seen: Sized {
    fn make(n: u64) -> Self;
    fn n(&self) -> u64;
    fn n_mut(&mut self) -> &mut u64;
    fn text(&self) -> &str;
}

fn text(n: u64) -> String {
    format!("the text of {n}, which does not lie inline").as_str().into()
}

impl Seen for one::Value {
    fn make(n: u64) -> Self {
        Self { n, text: text(n) }
    }
    fn n(&self) -> u64 {
        self.n
    }
    fn n_mut(&mut self) -> &mut u64 {
        &mut self.n
    }
    fn text(&self) -> &str {
        &self.text
    }
}

impl Seen for two::Value {
    fn make(n: u64) -> Self {
        Self { n, text: text(n), ..Self::default() }
    }
    fn n(&self) -> u64 {
        self.n
    }
    fn n_mut(&mut self) -> &mut u64 {
        &mut self.n
    }
    fn text(&self) -> &str {
        &self.text
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// Keys of the model: by key, the number and the one that its text was made of.
type Numbers = Model<u64, (u64, u64)>;

const KEYS: u64 = 6000;

#[track_caller]
fn same<V: Seen>(found: Option<(&u64, &V)>, expected: Option<(&u64, &(u64, u64))>) {
    let found = found.map(|(key, value)| (*key, value.n(), value.text().to_owned()));
    let expected = expected.map(|(key, (n, of))| (*key, *n, text(*of).to_string()));
    assert_eq!(found, expected);
}

/// One operation on both.
fn step<V: Seen>(map: &mut BTreeMap<u64, V>, model: &mut Numbers, random: &mut Random) {
    let key = random.below(KEYS);
    match random.below(14) {
        0 | 1 => same(map.get_key_value(&key), model.get_key_value(&key)),
        2 | 3 => {
            let n = random.below(1 << 40);
            let (a, b) = (map.insert(key, V::make(n)), model.insert(key, (n, n)));
            assert_eq!(a.map(|value| value.n()), b.map(|(n, _)| n));
        }
        4 | 5 => {
            let (a, b) = (map.remove(&key), model.remove(&key));
            assert_eq!(a.map(|value| value.n()), b.map(|(n, _)| n));
        }
        6 => {
            if let (Some(value), Some(number)) = (map.get_mut(&key), model.get_mut(&key)) {
                (*value.n_mut(), number.0) = (key, key);
            }
        }
        7 => {
            let many = 1 + random.below(200) as usize;
            let (mut a, mut b) = (map.range(key..), model.range(key..));
            (0..many).for_each(|_| same(a.next(), b.next()));
        }
        8 => {
            let many = 1 + random.below(200) as usize;
            let (mut a, mut b) = (map.range(..key), model.range(..key));
            (0..many).for_each(|_| same(a.next_back(), b.next_back()));
        }
        9 => {
            let rank = map.rank(&key).unwrap_or_else(|rank| rank);
            assert_eq!(rank, model.range(..key).count());
            same(map.get_index(rank), model.range(key..).next());
        }
        10 => same(map.first_key_value(), model.first_key_value()),
        11 => same(map.last_key_value(), model.last_key_value()),
        12 => {
            let (from, many) = (key, random.below(300));
            map.retain(|k, _| !(from..from + many).contains(k) || k % 3 == 0);
            model.retain(|k, _| !(from..from + many).contains(k) || k % 3 == 0);
        }
        _ => {
            let value = map.entry(key).or_insert_with(|| V::make(key));
            *value.n_mut() += 1;
            model.entry(key).or_insert((key, key)).0 += 1;
        }
    }
    assert_eq!(map.len(), model.len());
}

#[track_caller]
fn equal<V: Seen>(map: &BTreeMap<u64, V>, model: &Numbers) {
    map.check();
    assert_eq!(map.len(), model.len());
    map.iter().zip(model).for_each(|(a, b)| same(Some(a), Some(b)));
}

fn filled(entries: u64) -> (TestServer<One>, Numbers) {
    let mut server = TestServer::<One>::new();
    let mut model = Numbers::new();
    for n in 0..entries {
        let key = n * 7919 % KEYS;
        server.state_mut().ranks.insert(key, one::Value::make(n));
        model.insert(key, (n, n));
    }
    (server, model)
}

fn up(server: TestServer<One>) -> TestServer<Two> {
    server.swap_to::<Two>().unwrap_or_else(|no| panic!("{}", no.refusal))
}

fn down(server: TestServer<Two>) -> TestServer<One> {
    server.swap_to::<One>().unwrap_or_else(|no| panic!("{}", no.refusal))
}

#[test]
fn random_operations_before_in_and_after_the_conversion_agree_with_a_model() {
    for seed in 0..10 {
        println!("seed {seed}");
        let mut random = Random(seed);
        let (mut server, mut model) = filled(1100 + random.below(3000));
        for _ in 0..2 {
            let mut server_two = up(server);
            assert!(server_two.entries_to_convert() > 0, "the swap has looked at no entry");
            for i in 0..1200 {
                step(&mut server_two.state_mut().ranks, &mut model, &mut random);
                if i % (1 + seed) == 0 && random.below(4) == 0 {
                    server_two.drain_some(128);
                }
            }
            equal(&server_two.state().ranks, &model);
            server = down(server_two);
            for _ in 0..random.below(2000) {
                step(&mut server.state_mut().ranks, &mut model, &mut random);
                if random.below(8) == 0 {
                    server.drain_some(128);
                }
            }
            equal(&server.state().ranks, &model);
            // Enough entries for the next round to be lazy again.
            for key in 0..KEYS / 3 {
                server.state_mut().ranks.insert(key, one::Value::make(key));
                model.insert(key, (key, key));
            }
        }
    }
}

#[test]
fn nothing_moves_while_somebody_refers_to_it() {
    let (server, model) = filled(4000);
    let server = up(server);
    let map = &server.state().ranks;
    let mut held = Vec::new();
    for key in (0..KEYS).rev().step_by(37) {
        held.extend(map.get_key_value(&key));
        held.extend(map.range(key..).next());
    }
    let all: Vec<_> = map.iter().collect();
    for (key, value) in held {
        assert_eq!(value.text(), &*text(model[key].1));
        assert!(map.get(key).is_some_and(|now| std::ptr::eq(now, value)), "it is where it was");
    }
    assert_eq!(all.len(), model.len());
}

#[test]
fn slices_alone_convert_all_of_it_and_every_entry_keeps_its_rest() {
    let (server, model) = filled(3000);
    let mut server = up(server);
    let mut steps = 0;
    while server.drain_some(128) {
        steps += 1;
    }
    assert!(steps > 10, "in slices: {steps}");
    assert_eq!(server.entries_to_convert(), 0);
    server.state_mut().ranks.get_mut(&1919).expect("there").more = [1; 4];
    let mut server = down(server);
    server.drain();
    equal(&server.state().ranks, &model);
    assert_eq!(server.set_aside(), 1, "the one that differs from the default");
    let server = up(server);
    assert_eq!(server.state().ranks[&1919].more, [1; 4]);
    assert_eq!(server.state().ranks[&0].more, [7; 4]);
}

#[test]
fn rests_are_set_aside_slice_by_slice() {
    let (server, model) = filled(3000);
    let mut server = up(server);
    server.drain();
    for n in model.keys() {
        server.state_mut().ranks.get_mut(n).expect("there").more = [1; 4];
    }
    let mut server = down(server);
    let (mut before, mut most) = (0, 0);
    while server.drain_some(128) {
        most = most.max(server.set_aside() - before);
        before = server.set_aside();
    }
    assert_eq!(server.set_aside(), model.len());
    assert!(most < model.len() / 4, "{most} at once");
}

#[test]
fn a_tree_that_is_dropped_cleared_or_taken_apart_in_between_leaks_nothing() {
    let bytes = TestServer::<Two>::new().state_bytes();
    for way in 0..4 {
        let (server, model) = filled(3000);
        let mut server = up(server);
        server.drain_some(256);
        let state = server.state_mut();
        match way {
            0 => state.ranks.clear(),
            1 => state.ranks = BTreeMap::new(),
            2 => {
                let taken = std::mem::take(&mut state.ranks);
                let sum: u64 = taken.into_iter().map(|(_, value)| value.n).sum();
                assert_eq!(sum, model.values().map(|(n, _)| n).sum::<u64>());
            }
            _ => while state.ranks.pop_last().is_some() {},
        }
        assert!(server.state().ranks.is_empty());
        server.state_mut().ranks.insert(1, two::Value::make(1));
        server.state_mut().ranks.clear();
        server.drain();
        // `state_mut` goes by no call that would count, so the heap is asked at the next one.
        drop(server);
    }
    assert_eq!(TestServer::<Two>::new().state_bytes(), bytes);
}
