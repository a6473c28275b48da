//! Goal: where an enum loses variants, what the other version can hold stays where it is, what it cannot
//! waits aside, and a swap back waits for nothing. Method: random operations, slices and swaps, also in
//! the middle of a drain, against plain Rust; and addresses of entries that are looked at on both sides.

use std::collections::{BTreeMap, BTreeSet};

use hotshell_plugin_api::collections::{HashMap, String};
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::state::StateType;
use hotshell_plugin_api::testing::TestServer;

use super::swap;

macro_rules! version {
    ($module:ident, $app:ident, { $($variant:ident($ty:ty)),* } $(, $field:ident: $more:ty)?) => {
        mod $module {
            use hotshell_plugin_api::state;

            use super::{HashMap, String};

            #[state(schema = 1)]
            pub struct State {
                $(pub $field: $more,)?
                pub values: HashMap<String, Value>,
            }

            #[state]
            #[derive(Debug, Clone, PartialEq)]
            pub enum Value {
                $($variant($ty)),*
            }
        }
        silent!($app, $module::State);
    };
}

version!(plain, Plain, { Number(u64), Text(String) });
// Only the way back looks at values.
version!(stars, Stars, { Number(u64), Text(String), Star(String) });
// Either way loses variants, and the root is another one.
version!(moons, Moons, { Number(u64), Text(String), Moon(u64) }, extra: u64);

/// A value as the model knows it: which variant, and what is in it.
#[derive(Debug, Clone, PartialEq)]
enum Known {
    Number(u64),
    Text(u64),
    /// Of one version only.
    Own(&'static str, u64),
}

trait Value: StateType + Clone + 'static {
    const OWN: Option<&'static str>;
    fn new(known: &Known) -> Self;
    fn known(&self) -> Known;
}

fn text(n: u64) -> std::string::String {
    if n.is_multiple_of(2) { format!("t{n}") } else { format!("a text too long to be inline {n}") }
}

fn number(text: &str) -> u64 {
    let digits = text.trim_start_matches(|c: char| !c.is_ascii_digit());
    digits.parse().expect("`text` wrote it")
}

macro_rules! value {
    ($ty:path, $own:expr $(, $variant:ident, $to:expr, $from:expr)?) => {
        impl Value for $ty {
            const OWN: Option<&'static str> = $own;
            fn new(known: &Known) -> Self {
                match known {
                    Known::Number(n) => Self::Number(*n),
                    Known::Text(n) => Self::Text(text(*n).as_str().into()),
                    $(Known::Own(_, n) => Self::$variant($to(*n)),)?
                    #[allow(unreachable_patterns)]
                    other => panic!("{other:?} is of another version"),
                }
            }
            fn known(&self) -> Known {
                match self {
                    Self::Number(n) => Known::Number(*n),
                    Self::Text(t) => Known::Text(number(t)),
                    $(Self::$variant(own) => Known::Own($own.expect("it has one"), $from(own)),)?
                }
            }
        }
    };
}

value!(plain::Value, None);
value!(stars::Value, Some("star"), Star, |n: u64| text(n).as_str().into(), |t: &String| number(t));
value!(moons::Value, Some("moon"), Moon, |n: u64| n, |n: &u64| *n);

type Model = BTreeMap<std::string::String, Known>;

struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        ((self.0 ^ self.0 >> 31) >> 20) % n
    }

    fn value<V: Value>(&mut self) -> Known {
        let n = self.below(1 << 30);
        match (self.below(5), V::OWN) {
            (0, Some(own)) => Known::Own(own, n),
            (0..=2, _) => Known::Number(n),
            _ => Known::Text(n),
        }
    }
}

const KEYS: u64 = 5000;

fn key(n: u64) -> std::string::String {
    if n.is_multiple_of(3) { format!("k{n}") } else { format!("a key too long to be inline {n}") }
}

fn act<V: Value>(map: &mut HashMap<String, V>, model: &mut Model, random: &mut Random) {
    let key = key(random.below(KEYS));
    match random.below(100) {
        0..45 => assert_eq!(map.get(&*key).map(V::known), model.get(&key).cloned(), "{key}"),
        45..65 => {
            let value = random.value::<V>();
            let old = map.insert(key.as_str().into(), V::new(&value));
            assert_eq!(old.as_ref().map(V::known), model.insert(key, value));
        }
        65..78 => {
            let old = map.remove(&*key);
            assert_eq!(old.as_ref().map(V::known), model.remove(&key));
        }
        78..88 => {
            let value = random.value::<V>();
            let entry = map.entry(key.as_str().into()).or_insert_with(|| V::new(&value));
            assert_eq!(entry.known(), *model.entry(key).or_insert(value));
        }
        88..97 => {
            let found = map.random_entry(|| random.below(u64::MAX) << 20);
            if let Some((key, value)) = found {
                assert_eq!(model.get(&**key), Some(&value.known()), "{key}");
            }
        }
        97 if random.below(10) == 0 => {
            let all: Model = map.iter().map(|(k, v)| (k.to_string(), v.known())).collect();
            assert_eq!(&all, model);
            assert_eq!(map.len(), model.len(), "all were looked at");
        }
        98 => {
            let (mut cursor, mut shown) = (0, BTreeSet::new());
            loop {
                cursor = map.scan(cursor, 300, |key, value| {
                    assert_eq!(model.get(&**key), Some(&value.known()), "{key}");
                    shown.insert(key.to_string());
                });
                if cursor == 0 {
                    break;
                }
            }
            let missing: Vec<_> = model.iter().filter(|(key, _)| !shown.contains(*key)).collect();
            let got: Vec<_> =
                missing.iter().map(|(key, _)| map.get(key.as_str()).map(V::known)).collect();
            assert!(missing.is_empty(), "not shown: {missing:?}, but {got:?}");
        }
        _ => {}
    }
}

/// The versions in turn, at random; what is hidden from one is there for the one that can hold it.
struct World {
    model: Model,
    hidden: BTreeMap<&'static str, Model>,
    random: Random,
}

impl World {
    fn arrive<V: Value>(&mut self) {
        let fits = |known: &Known| !matches!(known, Known::Own(own, _) if V::OWN != Some(*own));
        for (key, known) in core::mem::take(&mut self.model) {
            if fits(&known) {
                self.model.insert(key, known);
            } else if let Known::Own(own, _) = known {
                self.hidden.entry(own).or_default().insert(key, known);
            }
        }
        if let Some(mine) = V::OWN.and_then(|own| self.hidden.remove(own)) {
            for (key, known) in mine {
                self.model.entry(key).or_insert(known);
            }
        }
    }
}

macro_rules! stay {
    ($server:ident, $world:ident) => {
        for _ in 0..$world.random.below(800) {
            act(&mut $server.state_mut().values, &mut $world.model, &mut $world.random);
            if $world.random.below(150) == 0 {
                $server.drain_some($world.random.below(900) as usize);
            }
        }
        if $world.random.below(3) == 0 {
            $server.drain();
            assert_eq!($server.state().values.len(), $world.model.len());
        }
    };
}

fn filled(random: &mut Random, entries: u64) -> (TestServer<Plain>, Model) {
    let (mut server, mut model) = (TestServer::<Plain>::new(), Model::new());
    while (model.len() as u64) < entries {
        let (key, value) = (key(random.below(KEYS)), random.value::<plain::Value>());
        server.state_mut().values.insert(key.as_str().into(), Value::new(&value));
        model.insert(key, value);
    }
    (server, model)
}

#[test]
fn random_swaps_between_versions_that_lose_variants_agree_with_plain_rust() {
    for seed in 1..=14 {
        println!("seed {seed}");
        let mut random = Random(seed);
        // Some of these numbers leave the map in the middle of a move.
        let entries = 1500 + random.below(2500);
        let (mut server, model) = filled(&mut random, entries);
        let mut world = World { model, hidden: BTreeMap::new(), random };
        for _ in 0..6 {
            server = if world.random.below(2) == 0 {
                let mut other: TestServer<Stars> = swap(server);
                world.arrive::<stars::Value>();
                stay!(other, world);
                swap(other)
            } else {
                let mut other: TestServer<Moons> = swap(server);
                world.arrive::<moons::Value>();
                stay!(other, world);
                if world.random.below(2) == 0 {
                    swap(other)
                } else {
                    let mut third: TestServer<Stars> = swap(other);
                    world.arrive::<stars::Value>();
                    stay!(third, world);
                    swap(third)
                }
            };
            world.arrive::<plain::Value>();
            stay!(server, world);
        }
        server.drain();
        let all = server.state().values.iter().map(|(k, v)| (k.to_string(), v.known()));
        assert_eq!(all.collect::<Model>(), world.model);
    }
}

#[test]
fn a_map_whose_values_only_lose_variants_is_not_copied() {
    let (server, model) = filled(&mut Random(5), 4000);
    let mut server: TestServer<Stars> = swap(server);
    for n in 0..20 {
        let star = stars::Value::Star(text(n).as_str().into());
        server.state_mut().values.insert(key(10_000 + n).as_str().into(), star);
    }
    server.state_mut().values.shrink_to_fit();
    let bytes = server.state_bytes();
    let place = |value: Option<usize>| value.expect("it is there");
    let address = |map: &HashMap<String, stars::Value>, key: &str| {
        map.get(key).map(|value| core::ptr::from_ref(value).addr())
    };
    let keys: Vec<_> = model.keys().take(200).cloned().collect();
    let before: Vec<_> =
        keys.iter().map(|key| place(address(&server.state().values, key))).collect();
    let mut server: TestServer<Plain> = swap(server);
    assert!(server.entries_to_convert() > 0, "it is looked at later");
    assert!(server.state_bytes() < bytes + 4096, "there is no second table");
    for (key, before) in keys.iter().zip(&before) {
        let value = server.state().values.get(key.as_str());
        let now = value.map(|value| core::ptr::from_ref(value).addr());
        assert_eq!(now, Some(*before), "{key} moved");
    }
    assert_eq!(server.state().values.get(key(10_003).as_str()), None, "a star");
    server.drain();
    assert_eq!((server.state().values.len(), server.set_aside()), (model.len(), 20));
    let server: TestServer<Stars> = swap(server);
    assert_eq!(server.state().values.len(), model.len() + 20);
    assert_eq!(server.set_aside(), 0);
}

#[test]
fn many_entries_return_to_a_map_that_stays_as_it_is_by_and_by() {
    const STARS: u64 = 1500;
    for entries in [2000, 3400, 4096] {
        let (server, model) = filled(&mut Random(entries), entries);
        let mut server: TestServer<Stars> = swap(server);
        for n in 0..STARS {
            let star = stars::Value::Star(text(n).as_str().into());
            server.state_mut().values.insert(key(10_000 + n).as_str().into(), star);
        }
        let mut server: TestServer<Plain> = swap(server);
        server.drain();
        assert_eq!(server.set_aside() as u64, STARS);
        let taken = key(10_007);
        server.state_mut().values.insert(taken.as_str().into(), plain::Value::Number(7));
        let mut server: TestServer<Stars> = swap(server);
        assert!(server.state().values.is_moving(), "they return later");
        assert_eq!(server.set_aside(), 0);
        let map = &mut server.state_mut().values;
        assert_eq!(map.get(&*key(10_003)).map(Value::known), Some(Known::Own("star", 3)));
        assert_eq!(map.get(&*taken).map(Value::known), Some(Known::Number(7)), "the live one wins");
        let removed = map.remove(&*key(10_004));
        assert_eq!(removed.as_ref().map(Value::known), Some(Known::Own("star", 4)));
        for (key, value) in model.iter().take(500) {
            assert_eq!(map.get(&**key).map(Value::known).as_ref(), Some(value), "{key}");
        }
        server.drain();
        let map = &server.state().values;
        assert!(!map.is_empty() && server.overtaken() == 1);
        assert_eq!(map.iter().count(), model.len() + STARS as usize - 1);
        assert_eq!(map.len(), model.len() + STARS as usize - 1);
        assert_eq!(map.get(&*key(10_004)), None);
    }
}

#[test]
fn a_swap_back_in_the_middle_ends_the_look_at_once() {
    let (server, model) = filled(&mut Random(6), 4000);
    let mut server: TestServer<Stars> = swap(server);
    server.state_mut().values.shrink_to_fit();
    let mut server: TestServer<Plain> = swap(server);
    server.drain_some(1000);
    assert!(server.entries_to_convert() > 1000, "in the middle");
    let mut server: TestServer<Stars> = swap(server);
    assert_eq!(server.entries_to_convert(), 0, "every value is one of the larger enum");
    assert!(!server.drain_some(1));
    assert_eq!(server.state_mut().values.len(), model.len());
}
