//! Goal: loads and refusals leave nothing behind in a host that runs for months. Method: many
//! cycles, then the process's mappings and descriptors are counted. Alone in its file: others would
//! disturb.

mod loader_support;

use std::fs;

use hotshell::error::Code;
use hotshell::loader::{Unmapping, retained_images};
use loader_support::{Bench, Called, bench, built, misbehave};

fn mappings() -> usize {
    fs::read_to_string("/proc/self/maps").expect("maps").lines().count()
}

fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").expect("fd").count()
}

fn cycle(bench: &Bench, path: &std::path::Path) {
    let loaded = bench.load(path).expect("a load");
    assert_eq!(Called::start(&loaded).line("x\n"), "x ok\n");
    assert_eq!(loaded.image.unmap(), Unmapping::Unmapped);
}

#[test]
fn two_hundred_cycles_and_fifty_refusals_leak_nothing() {
    let bench = bench();
    let good = bench.file("good.so", &misbehave("none"));
    let crashes = misbehave("init-segv");
    let misfit = built("wrong-layout");
    (0..10).for_each(|_| cycle(&bench, &good));
    assert_eq!(bench.refusal(&crashes).code, Code::Vet);
    let before = (mappings(), descriptors());
    for round in 0..200 {
        cycle(&bench, &good);
        if round % 8 == 0 {
            assert_eq!(bench.refusal(&crashes).code, Code::Vet);
            assert_eq!(bench.refusal(&misfit).code, Code::Abi);
        }
    }
    let after = (mappings(), descriptors());
    assert_eq!(after.1, before.1, "descriptors");
    assert!(after.0 <= before.0 + 4, "mappings: {} before, {} after", before.0, after.0);
    assert_eq!(retained_images(), 0);
    bench.nothing_is_left();
}
