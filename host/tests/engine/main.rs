//! Goal: the engine keeps its promises to clients, whatever the plugin and the peers do.
//! Method: a small plugin linked into the test, a real engine, real sockets on port 0.

mod clients;
mod harness;
mod limits;
mod plugin;
mod refusals;
mod sleep;
mod swaps;
