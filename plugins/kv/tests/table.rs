//! Goal: the command tables of both versions are sound. Method: every row is looked at.

mod common;
mod resp;

use common::{encode, text};
use hotshell_kv::commands::FAMILIES;
use hotshell_kv::flags::Flags;
use hotshell_kv::{Edition, Level, Table};
use hotshell_plugin_api::plugin::Plugin;
use hotshell_plugin_api::testing::TestServer;
use resp::{Value, parse};

/// Commands whose cost Redis does not tell.
const WITHOUT_COST: [&str; 4] = ["lolwut", "monitor", "psync", "sync"];

fn tables() -> [&'static Table; 2] {
    // The rows of version 2 as far as they are in this package: streams are in its twin, kv-streams.
    static V2: Table = Table::new(Level::of(7, 0, 15), "2.0.0");
    [kv_v1::V1::table(), &V2]
}

#[test]
fn every_row_is_found_in_any_case_and_nothing_else_is() {
    for table in tables() {
        for row in table.rows() {
            let found = |name: &str| table.find(name.as_bytes()).map(|row| row.name);
            assert_eq!(found(row.name), Some(row.name));
            assert_eq!(found(&row.name.to_ascii_uppercase()), Some(row.name));
            assert_eq!(found(&format!("{}x", row.name)).filter(|&name| name == row.name), None);
            assert_eq!(found(&format!("{}\0", row.name)), None);
        }
        assert_eq!(table.rows().count(), table.len());
        assert!(table.find(b"").is_none());
        assert!(table.find(&[b'x'; 1000]).is_none());
    }
}

#[test]
fn version_2_has_all_of_version_1_and_more() {
    let [v1, v2] = tables();
    assert!(v1.rows().all(|row| v2.find(row.name.as_bytes()).is_some()));
    assert!(v2.len() > v1.len());
    assert_eq!(v1.find(b"lpop").map(|row| row.arity), Some(2));
    assert_eq!(v2.find(b"lpop").map(|row| row.arity), Some(-2));
    assert!(v1.rows().all(|row| row.since <= Level::of(4, 0, 14)));
}

#[test]
fn rows_say_what_is_needed_to_run_and_to_document_them() {
    for row in FAMILIES.iter().copied().flatten() {
        let name = row.name;
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || "_-".contains(c)), "{name}");
        assert!(row.summary.ends_with('.'), "{name}");
        assert_eq!(row.complexity.is_empty(), WITHOUT_COST.contains(&name), "{name}");
        assert_ne!(row.arity, 0, "{name}");
        let (first, last, step) = row.keys;
        assert_eq!(first == 0, step == 0, "{name}");
        assert!(last < 0 || last >= first, "{name}");
        let touches = [Flags::WRITE, Flags::READONLY, Flags::PUBSUB];
        let touches = touches.iter().any(|&flag| row.flags.has(flag));
        assert!(touches || first == 0 || name == "watch" || name == "object", "{name}");
        assert!(!(row.flags.has(Flags::WRITE) && row.flags.has(Flags::READONLY)), "{name}");
        assert!(row.subs.is_sorted_by_key(|sub| sub.name), "{name}");
    }
}

/// Ends the server or the connection, or answers nothing.
const NOT_ASKED: [&str; 4] = ["monitor", "psync", "shutdown", "sync"];

#[test]
fn a_request_is_long_enough_where_command_says_so() {
    fn check<P: Plugin>() {
        let mut server = TestServer::<P>::new();
        let mut ask = |words: &[&str]| {
            // A client of its own: some of these wait, or begin something.
            let client = server.connect();
            server.ask(client, &encode(words))
        };
        let all = parse(&ask(&["command"])).expect("a whole reply").0;
        for command in all.elements() {
            let (name, arity) = (command.elements()[0].text(), &command.elements()[1]);
            let Value::Int(arity) = *arity else { panic!("{name}: {arity:?}") };
            if NOT_ASKED.contains(&name) {
                continue;
            }
            let least = arity.unsigned_abs().max(1) as usize;
            for count in (least - 1).max(1)..=least + 1 {
                let fits = if arity > 0 { count == least } else { count >= least };
                let words = [&[name], &["x"; 9][..count - 1]].concat();
                let reply = text(ask(&words));
                let refused =
                    reply.ends_with(&format!("wrong number of arguments for '{name}' command\r\n"));
                // More than the least may be an odd number of them, which the command itself refuses.
                assert!(refused != fits || count > least && refused, "{words:?}: {reply:?}");
            }
        }
    }
    check::<common::V1>();
    check::<common::V2>();
}
