//! What is accepted: every shape, options in every place, derives on either side, hostile names.

#![deny(warnings)]

use hotshell_plugin_api::state;
use hotshell_plugin_api::state::{StateKey, StateType};

#[state]
struct Unit;

#[state(schema = 7)]
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Named {
    pub visits: u64,
    flags: [bool; 3],
    big: [u8; 64],
    r#type: u8,
}

#[derive(Debug, Clone, PartialEq)]
#[state(no_default)]
#[repr(C)]
struct Tuple(f32, Named, ());

#[derive(Clone, Default)]
#[state]
#[repr(u8)]
enum Mode {
    #[default]
    Open,
    Closed {
        since: u64,
    },
    Held(u16, Named),
}

#[state(key, schema = 2,)]
#[derive(Debug)]
enum Id {
    #[state(default)]
    Number(u64),
    Pair {
        left: Half,
        right: [i128; 2],
    },
}

/// Documented.
#[state(key)]
#[derive(Debug, Clone, Copy)]
struct Half(#[state(default = 1 + 1)] i32, bool);

/// With a past.
#[state(schema = 3, was = "Half", from = Half, with = from_half, back = to_half, from = Unit, with = |_| Whole::New)]
enum Whole {
    #[state(was = "Recent", was = "Fresh")]
    New,
    Old {
        #[state(was = "0", default = 7)]
        value: i32,
        other: NoDefault,
    },
}

fn from_half(half: &Half) -> Whole {
    Whole::Old { value: half.0, other: NoDefault { x: 1 } }
}

fn to_half(whole: &Whole) -> Half {
    match whole {
        Whole::New => Half::default(),
        Whole::Old { value, other } => Half(*value, other.x == 0),
    }
}

#[state(no_default)]
struct NoDefault {
    #[state(default = 4)]
    x: u64,
}

#[state(key)]
struct UnitKey;

#[state(key)]
enum One {
    Only,
}

// The emitted code uses full paths and finds its own helpers whatever the author's names are.
mod hostile {
    #[allow(dead_code)]
    mod core {}
    #[allow(dead_code)]
    mod std {}
    #[allow(dead_code)]
    struct Vec;
    #[allow(dead_code)]
    struct String;
    #[allow(non_upper_case_globals, dead_code)]
    const a0: bool = true;

    #[hotshell_plugin_api::state(key)]
    pub struct Field {
        pub schema: bool,
        pub other: Kind,
        pub hasher: u8,
    }

    #[hotshell_plugin_api::state(key)]
    pub enum Kind {
        #[state(default)]
        Some,
        None(bool),
    }
}

fn key<K: StateKey + Ord + std::hash::Hash + Default>() {}
fn state_type<T: StateType>() {}

fn main() {
    state_type::<Unit>();
    state_type::<Tuple>();
    state_type::<Whole>();
    key::<Id>();
    key::<Half>();
    key::<UnitKey>();
    key::<hostile::Field>();
    assert_eq!(Half::default(), Half(2, false));
    assert_eq!(Named::default().big, [0; 64]);
    assert!(matches!(Mode::default(), Mode::Open));
    assert!(matches!(hostile::Field::default().other, hostile::Kind::Some));
    let _ = (Mode::Closed { since: 1 }, Mode::Held(1, Named::default()), One::Only);
    let _ = (Tuple(1.0, Named::default(), ()), hostile::Kind::None(true), UnitKey, Unit);
    let _ = Id::Pair { left: Half(1, true), right: [1, 2] };
}
