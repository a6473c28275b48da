//! A Redis-compatible server as a hotshell plugin: the code that all versions share.
//!
//! A version is an [`Edition`]: a command table of one Redis level. This source is two packages with two
//! state schemas: `hotshell-kv`, and `hotshell-kv-streams`, whose values may be streams. Values of the
//! first are values of the second as they are; on the way back streams are set aside.
//!
//! The way of a request: [`plugin`] takes it off the input with [`resp`] or [`inline`](mod@inline), finds its row in
//! the [`table`], and [`dispatch`] runs it, queues it (MULTI) or refuses it; then clients that wait
//! for what it pushed are served ([`blocking`]). A command is a function over [`cx::Cx`]; the
//! commands are in [`commands`], one small family per file.

pub mod access;
mod ahead;
pub mod arguments;
pub mod blocking;
pub mod buffers;
pub mod chunk;
pub mod command_stats;
pub mod commands;
pub mod cx;
pub mod deadlines;
pub mod digest;
pub mod dispatch;
pub mod element;
pub mod errors;
pub mod eviction;
pub mod extended;
pub mod flags;
pub mod geo;
pub mod glob;
pub mod hash;
pub mod help;
pub mod hll;
pub mod idle;
pub mod inline;
pub mod intset;
pub mod journal;
pub mod key_places;
pub mod key_specs;
pub mod keyspace;
pub mod latency;
pub mod level;
pub mod list;
pub mod manual;
pub mod members;
pub mod memory;
pub mod monitor;
pub mod notify;
pub mod number;
mod old_commands;
mod old_errors;
pub mod pack;
pub mod parameters;
pub mod pause;
pub mod plugin;
pub mod process;
pub mod pubsub;
pub mod rdb;
pub mod reading;
pub mod refusal;
pub mod reply;
pub mod resp;
pub mod saving;
pub mod services;
pub mod set;
pub mod settings;
pub mod slowlog;
pub mod sparkline;
pub mod state;
pub mod stream;
pub mod table;
pub mod tracking;
pub mod value;
pub mod zset;
pub mod zset_range;

pub use plugin::{Edition, Kv};
pub use table::{Level, Table};
