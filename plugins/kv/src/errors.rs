//! Texts of errors that several commands share; to the letter as in Redis.

/// What every request is answered while the data are read back: a whole reply.
pub const LOADING: &str = "-LOADING Redis is loading the dataset in memory\r\n";
/// The key holds another type.
pub const WRONG_TYPE: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
/// Not a 64-bit integer.
pub const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
/// A negative number where none may be.
pub const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";
/// Not a float.
pub const NOT_A_FLOAT: &str = "ERR value is not a valid float";
/// A write, or PING, while data are not saved.
pub const UNSAVED: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable \
    to persist to disk. Commands that may modify the data set are disabled, because this instance is \
    configured to report errors during writes if RDB snapshotting fails (stop-writes-on-bgsave-error \
    option). Please check the Redis logs for details about the RDB error.";
/// The same in Redis before 6.2.
pub const UNSAVED_4: &str = "MISCONF Redis is configured to save RDB snapshots, but it is currently not \
    able to persist on disk. Commands that may modify the data set are disabled, because this instance \
    is configured to report errors during writes if RDB snapshotting fails \
    (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";
/// A write that replicas should have, of which there are none.
pub const NO_REPLICAS: &str = "NOREPLICAS Not enough good replicas to write.";
/// The same in Redis before 5.
pub const NO_REPLICAS_4: &str = "NOREPLICAS Not enough good slaves to write.";
/// All that is asked of a cluster.
pub const NO_CLUSTER: &str = "ERR This instance has cluster support disabled";
/// No such place in a list.
pub const INDEX: &str = "ERR index out of range";
/// Options that do not fit.
pub const SYNTAX: &str = "ERR syntax error";
/// The key must exist.
pub const NO_SUCH_KEY: &str = "ERR no such key";
/// An offset below zero.
pub const OFFSET: &str = "ERR offset is out of range";
/// Beyond 64 bits.
pub const OVERFLOW: &str = "ERR increment or decrement would overflow";
/// Beyond all floats.
pub const NOT_FINITE: &str = "ERR increment would produce NaN or Infinity";
/// Longer than a bulk string may be.
pub const TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
/// The same, as Redis 4 says it.
pub const OLD_TOO_LONG: &str = "ERR string exceeds maximum allowed size (512MB)";
/// SELECT beyond the databases.
pub const DB_RANGE: &str = "ERR DB index is out of range";
/// SCAN's cursor.
pub const CURSOR: &str = "ERR invalid cursor";
