//! The commands, one small family per file. Each file holds its rows of the table and their functions.

mod blocking;
mod client;
mod command;
mod config;
mod connection;
mod expire;
mod incr;
mod info;
mod keys;
mod list;
mod object;
mod pubsub;
mod push_pop;
mod range;
mod scan;
mod server;
mod set;
mod strings;
mod transaction;

use crate::table::Row;

/// All families.
pub const FAMILIES: &[&[Row]] = &[
    blocking::ROWS,
    client::ROWS,
    command::ROWS,
    config::ROWS,
    connection::ROWS,
    expire::ROWS,
    incr::ROWS,
    info::ROWS,
    keys::ROWS,
    list::ROWS,
    object::ROWS,
    pubsub::ROWS,
    push_pop::ROWS,
    range::ROWS,
    scan::ROWS,
    server::ROWS,
    set::ROWS,
    strings::ROWS,
    transaction::ROWS,
];
