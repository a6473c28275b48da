//! Goal: version 2 answers as Redis 7 does, byte for byte. Method: random command streams of three
//! clients go to a `TestServer` and to a real redis-server; a failing stream is shrunk and printed with
//! its seed. `HOTSHELL_DIFF_SEED` repeats one, `HOTSHELL_DIFF_SECONDS` runs longer,
//! `HOTSHELL_REQUIRE_PEERS=1` makes a missing redis-server a failure.

mod common;
mod compare;
mod peer;
mod stream;

#[test]
fn random_streams_get_the_replies_of_redis() {
    compare::run::<common::V2>(stream::REQUESTS);
}
