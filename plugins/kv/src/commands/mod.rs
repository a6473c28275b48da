//! The commands, one small family per file. Each file holds its rows of the table and their functions.

mod absent;
mod acl;
mod auth;
mod bitfield;
mod bits;
mod blocking;
mod client;
mod client_kill;
mod client_tracking;
mod cluster;
mod command;
mod config;
mod connection;
mod debug;
mod dump;
mod expire;
mod geo;
mod geo_search;
mod hash;
mod hash_numbers;
mod hyperloglog;
mod incr;
mod info;
mod keys;
mod latency;
mod lcs;
mod list;
mod list_edit;
mod member_scan;
mod memory;
mod monitor;
mod multi_pop;
mod object;
mod persistence;
mod pubsub;
mod push_pop;
mod random;
mod range;
mod scan;
mod server;
mod set;
mod set_algebra;
mod sets;
mod slowlog;
mod sort;
#[cfg(feature = "streams")]
mod stream;
#[cfg(feature = "streams")]
mod stream_claim;
#[cfg(feature = "streams")]
mod stream_group;
#[cfg(feature = "streams")]
mod stream_info;
#[cfg(feature = "streams")]
pub(crate) mod stream_read;
mod strings;
mod transaction;
mod zset;
mod zset_algebra;
mod zset_range;

use crate::table::Row;

/// All families.
pub const FAMILIES: &[&[Row]] = &[
    absent::FUNCTIONS,
    absent::OTHERS,
    absent::REMOTE,
    absent::SCRIPTS,
    acl::ROWS,
    auth::ROWS,
    bitfield::ROWS,
    bits::ROWS,
    blocking::ROWS,
    client::ROWS,
    cluster::ROWS,
    command::ROWS,
    config::ROWS,
    connection::ROWS,
    debug::ROWS,
    dump::ROWS,
    expire::ROWS,
    geo::ROWS,
    geo_search::ROWS,
    hash::ROWS,
    hash_numbers::ROWS,
    hyperloglog::ROWS,
    incr::ROWS,
    info::ROWS,
    keys::ROWS,
    latency::ROWS,
    lcs::ROWS,
    list::ROWS,
    list_edit::ROWS,
    member_scan::ROWS,
    memory::ROWS,
    monitor::ROWS,
    multi_pop::ROWS,
    object::ROWS,
    persistence::ROWS,
    pubsub::ROWS,
    push_pop::ROWS,
    random::ROWS,
    range::ROWS,
    scan::ROWS,
    server::ROWS,
    set::ROWS,
    set_algebra::ROWS,
    sets::ROWS,
    slowlog::ROWS,
    sort::ROWS,
    #[cfg(feature = "streams")]
    stream::ROWS,
    #[cfg(feature = "streams")]
    stream_claim::ROWS,
    #[cfg(feature = "streams")]
    stream_group::ROWS,
    #[cfg(feature = "streams")]
    stream_info::ROWS,
    #[cfg(feature = "streams")]
    stream_read::ROWS,
    strings::ROWS,
    transaction::ROWS,
    zset::ROWS,
    zset_algebra::ROWS,
    zset_range::ROWS,
];
