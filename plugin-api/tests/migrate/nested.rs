//! Goal: a field that moves between nested structs keeps its value, there and back. Method: two versions,
//! in the root and in the entries of a small and a large map.

use hotshell_plugin_api::collections::{HashMap, String};
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::testing::TestServer;

macro_rules! version {
    ($module:ident, $app:ident, $state:tt, $left:tt, $right:tt) => {
        mod $module {
            use hotshell_plugin_api::state;

            use super::{HashMap, String};

            #[state(schema = 1)]
            pub struct State {
                pub root: Pair,
                pub by_id: HashMap<u32, Pair>,
            }

            #[state]
            #[derive(Debug, Clone, PartialEq)]
            pub struct Pair $state

            #[state]
            #[derive(Debug, Clone, PartialEq)]
            pub struct Left $left

            #[state]
            #[derive(Debug, Clone, PartialEq)]
            pub struct Right $right
        }
        silent!($app, $module::State);
    };
}

version!(
    one, One,
    { pub left: Left, pub count: u32, pub right: Right },
    { pub id: u64, pub note: String },
    { pub floor: u8 }
);
// `note` went from the left to the right, `count` from outside to the left.
version!(
    two, Two,
    { pub left: Left, pub right: Right },
    { pub id: u64, pub count: u64 },
    { pub note: String, pub floor: u8 }
);

fn note(n: u32) -> String {
    format!("a note that is too long to be inline, number {n}").as_str().into()
}

fn first(n: u32) -> one::Pair {
    let left = one::Left { id: u64::from(n) << 33, note: note(n) };
    one::Pair { left, count: n, right: one::Right { floor: n as u8 } }
}

fn second(n: u32) -> two::Pair {
    let left = two::Left { id: u64::from(n) << 33, count: n.into() };
    two::Pair { left, right: two::Right { note: note(n), floor: n as u8 } }
}

#[test]
fn a_field_moves_between_nested_structs_and_back() {
    for entries in [10, 5000] {
        let mut server = TestServer::<One>::new();
        server.state_mut().root = first(7);
        for n in 0..entries {
            server.state_mut().by_id.insert(n, first(n));
        }
        let mut server = server.swap_to::<Two>().unwrap_or_else(|no| panic!("{}", no.refusal));
        assert_eq!(server.state().root, second(7));
        for n in 0..entries {
            assert_eq!(server.state().by_id.get(&n), Some(&second(n)));
        }
        server.drain();
        assert_eq!(server.set_aside(), 0, "nothing has no place");
        let mut server = server.swap_to::<One>().unwrap_or_else(|no| panic!("{}", no.refusal));
        assert_eq!(server.state().root, first(7));
        server.drain();
        assert!((0..entries).all(|n| server.state().by_id.get(&n) == Some(&first(n))));
        assert_eq!((server.set_aside(), server.overtaken()), (0, 0));
    }
}
