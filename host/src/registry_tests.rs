//! Goal: the state machine is what its table says. Method: one test walks every row, refusals too.

use super::*;
use crate::testing::fresh;

fn registry(versions: &[&str]) -> Registry {
    let mut numbers = 1..;
    let mut next = |version: &&str| fresh(numbers.next().unwrap_or(0), "kv", version, 1);
    let (first, rest) = versions.split_first().expect("at least one");
    let mut registry = Registry::start("main", next(first));
    for version in rest {
        registry.insert(next(version));
    }
    registry
}

fn status(registry: &Registry, number: u64) -> Status {
    registry.get(number).expect("known").status
}

fn text(error: Error) -> String {
    error.to_string()
}

#[test]
fn every_row_of_the_state_machine_holds() {
    let mut registry = registry(&["1.0.0", "2.0.0", "3.0.0"]);
    // (none) insert -> available, with the next number.
    assert_eq!(status(&registry, 2), Status::Available);
    assert_eq!(registry.next_number(), 4);
    // available activate -> active.
    registry.activate(2);
    assert_eq!((status(&registry, 1), status(&registry, 2)), (Status::Available, Status::Active));
    // active activate -> nothing changes, the way back neither.
    registry.activate(2);
    assert_eq!(registry.rollback_target(), Some(1));
    // available roll back to -> active.
    registry.roll_back();
    assert_eq!((status(&registry, 1), status(&registry, 2)), (Status::Active, Status::Available));
    // A generation that a rollback left is no way back, until it is used by its number again.
    registry.activate(3);
    registry.activate(1);
    assert_eq!(registry.rollback_target(), Some(3));
    registry.activate(2);
    registry.activate(3);
    assert_eq!(registry.rollback_target(), Some(2));
    // available discard -> discarded, and out of the history.
    registry.discard(2).expect("available");
    registry.unmapped(2, None);
    assert_eq!(status(&registry, 2), Status::Discarded);
    assert_eq!(registry.get(2).expect("remembered").temperature(), "cold");
    assert_eq!(registry.rollback_target(), Some(1));
    // active discard -> refused.
    assert_eq!(
        text(registry.discard(3).expect_err("active")),
        "cannot discard kv 3.0.0 (generation 3) of server 'main': it is the active generation; \
         `use` another generation first, then discard this one"
    );
    // discarded activate, discarded discard -> refused.
    assert_eq!(
        text(registry.callable(2).expect_err("discarded")),
        "kv 2.0.0 (generation 2) of server 'main' is gone: it was discarded; \
         `load /srv/kv_2.0.0.so` makes a new generation"
    );
    assert_eq!(registry.discard(2).expect_err("discarded").code, Code::Discarded);
    // no such, any -> refused.
    assert_eq!(
        text(registry.callable(9).expect_err("none")),
        "server 'main' has no generation 9: it has 1, 2, 3; `list` shows all of them"
    );
    assert_eq!(registry.may_discard(0).expect_err("none").code, Code::NoGeneration);
}

#[test]
fn rolling_back_ends_where_the_history_ends_and_names_the_active_one() {
    let mut registry = registry(&["1.0.0", "2.0.0", "3.0.0"]);
    registry.activate(2);
    registry.activate(3);
    registry.roll_back();
    assert_eq!(registry.active().number, 2);
    registry.roll_back();
    assert_eq!(registry.active().number, 1);
    assert_eq!(registry.rollback_target(), None);
    assert_eq!(
        text(registry.no_rollback()),
        "cannot roll back server 'main': kv 1.0.0 (generation 1) is active and no earlier one is \
         left; `list` shows what can be used; `use GEN` switches to any of them"
    );
}

#[test]
fn what_may_be_discarded_by_itself_is_neither_active_nor_the_way_back_nor_permanent() {
    let mut registry = registry(&["1.0.0", "2.0.0", "3.0.0"]);
    registry.activate(2);
    assert_eq!(registry.expendable(), Some(3));
    registry.activate(3);
    assert_eq!(registry.expendable(), None, "1 is permanent until probation is over");
    registry.make_permanent(3);
    assert_eq!(registry.expendable(), Some(1));
    registry.discard(1).expect("available");
    assert_eq!(registry.expendable(), None);
}

#[test]
fn a_retained_image_counts_until_the_end_and_old_records_are_forgotten() {
    let mut registry = registry(&["1.0.0"]);
    for number in 2..40 {
        registry.insert(fresh(number, "kv", "2.0.0", 1));
        registry.discard(number).expect("available");
        assert!(registry.get(number).expect("known").is_mapped());
        registry
            .unmapped(number, (number == 2).then(|| Retained::because("it is marked NODELETE")));
    }
    assert_eq!((registry.retained(), registry.resident()), (1, 1));
    assert_eq!(registry.all().len(), 1 + 1 + MAX_REMEMBERED);
    let error = registry.get(3).expect_err("forgotten");
    assert!(error.detail.starts_with("it was discarded; it has 1, 2, 24"), "{error}");
    assert_eq!(registry.next_number(), 40);
}

#[test]
fn only_its_own_thread_may_change_a_registry() {
    let mut registry = registry(&["1.0.0", "2.0.0"]);
    let elsewhere = std::thread::spawn(move || registry.activate(2));
    assert!(elsewhere.join().is_err());
}
