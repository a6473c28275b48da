//! Bytes of two clients to a server of either version.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;
#[path = "../../tests/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    targets::dispatcher::<common::V1>(input);
    targets::dispatcher::<common::V2>(input);
});
