//! What was set aside of the entries of a large tree comes back leaf by leaf: at once where somebody looks,
//! and without ending the conversion.

use hotshell_plugin_api::collections::{BTreeMap, Option, String};
use hotshell_plugin_api::prelude::*;
use hotshell_plugin_api::testing::TestServer;

use super::swap;

macro_rules! version {
    ($module:ident, $app:ident, { $($field:ident: $ty:ty),* }, { $($more:ident: $kind:ty),* }) => {
        mod $module {
            #[allow(unused_imports, reason = "some versions have no text")]
            use super::{BTreeMap, Option, String};
            use hotshell_plugin_api::state;

            #[state(schema = 1)]
            pub struct State {
                pub ranks: BTreeMap<u32, Entry>,
            }

            #[state]
            pub struct Entry {
                pub extra: Option<Extra>,
                $(pub $field: $ty),*
            }

            #[state]
            pub struct Extra {
                pub size: u32,
                $(pub $more: $kind),*
            }
        }
        silent!($app, $module::State);
    };
}

version!(full, Full, { note: String }, { color: String });
version!(lean, Lean, {}, {});

const ENTRIES: u32 = 5000;

fn note(n: u32) -> std::string::String {
    format!("the note of number {n}")
}

/// A version without notes and colours, of a tree whose entries each had both.
fn lean() -> TestServer<Lean> {
    let mut server = TestServer::<Full>::new();
    for n in 0..ENTRIES {
        let extra = Option::Some(full::Extra { size: n, color: (*format!("color {n}")).into() });
        let entry = full::Entry { extra, note: (*note(n)).into() };
        server.state_mut().ranks.insert(n, entry);
    }
    let mut server: TestServer<Lean> = swap(server);
    server.drain();
    assert_eq!(server.set_aside() as u32, 2 * ENTRIES, "a note and a color each");
    server
}

/// Note and color of an entry.
fn texts(entry: &full::Entry) -> [std::string::String; 2] {
    let color = entry.extra.as_ref().map_or("none", |extra| &extra.color);
    [entry.note.to_string(), color.to_owned()]
}

fn both(n: u32) -> [std::string::String; 2] {
    [note(n), format!("color {n}")]
}

#[test]
fn rests_return_with_their_leaf_and_the_switch_converts_none() {
    let mut server: TestServer<Full> = swap(lean());
    assert_eq!(server.entries_to_convert(), u64::from(ENTRIES), "the switch looks at no entry");
    let tree = &mut server.state_mut().ranks;
    assert_eq!(texts(&tree[&1]), both(1), "whoever looks finds all of it");
    assert_eq!(tree.remove(&2000).map(|entry| texts(&entry)), Some(both(2000)));
    tree.insert(2000, full::Entry::default());
    assert!(server.entries_to_convert() > u64::from(ENTRIES) - 200, "some leaves were touched");
    assert!(server.drain_some(100), "there is more");
    server.drain();
    for n in 0..ENTRIES {
        let expected = if n == 2000 { ["".into(), "none".into()] } else { both(n) };
        assert_eq!(texts(&server.state().ranks[&n]), expected, "{n}");
    }
    assert_eq!((server.set_aside(), server.overtaken()), (0, 0));
}

#[test]
fn a_rest_whose_place_is_gone_is_told() {
    let mut server = lean();
    for n in 0..7 {
        server.state_mut().ranks.get_mut(&n).expect("it is there").extra = Option::None;
    }
    let mut server: TestServer<Full> = swap(server);
    server.drain();
    assert_eq!(server.overtaken(), 7, "colors without an extra");
    assert_eq!(texts(&server.state().ranks[&3]), [note(3), "none".into()]);
    assert_eq!(texts(&server.state().ranks[&7]), both(7));
    assert_eq!(server.set_aside(), 0);
}

#[test]
fn rests_of_entries_that_went_do_not_return() {
    let mut server = lean();
    for n in (0..ENTRIES).step_by(2) {
        server.state_mut().ranks.remove(&n);
    }
    server.state_mut().ranks.insert(4, lean::Entry::default());
    let mut server: TestServer<Full> = swap(server);
    server.state_mut().ranks.clear();
    server.drain();
    assert_eq!((server.set_aside(), server.overtaken(), server.state().ranks.len()), (0, 0, 0));
}
