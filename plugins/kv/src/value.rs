//! What a key can hold.

use hotshell_plugin_api::collections::{Box, Bytes, HashMap, HashSet};
use hotshell_plugin_api::state;

use crate::level::{Level, v};
use crate::list::List;
use crate::number::{self, Digits};
use crate::stream::Stream;
use crate::zset::Ranking;

/// Writes the enum for both state schemas: what is given are the kinds that the larger one has more,
/// behind all others, so that the values of the smaller one are values of the larger one as they are.
macro_rules! value {
    ($($more:tt)*) => {
        /// A value with its header, 24 bytes: a tag byte, seven bytes of [`Head`], 16 bytes of payload. Large
        /// kinds live in boxes, so that further kinds leave the size as it is.
        #[state]
        #[derive(Debug)]
        pub enum Value {
            /// A string that is the decimal form of an integer.
            Int(Head, i64),
            /// Any other string.
            Str(Head, Bytes),
            /// A small list: a [`crate::chunk`].
            ListPack(Head, Bytes),
            /// Any other list.
            List(Head, Box<List>),
            /// A small hash: a [`crate::pack`] of fields, each with its value behind it.
            HashPack(Head, Bytes),
            /// Any other hash.
            HashMap(Head, Box<HashMap<Bytes, Bytes>>),
            /// A small set of integers: a [`crate::intset`].
            IntSet(Head, Bytes),
            /// A small set of anything: a [`crate::pack`] of members.
            SetPack(Head, Bytes),
            /// Any other set.
            SetMap(Head, Box<HashSet<Bytes>>),
            /// A small sorted set: a [`crate::pack`] of members, each with its score behind it, in order.
            ZsetPack(Head, Bytes),
            /// Any other sorted set.
            Zset(Head, Box<Ranking>),
            $($more)*
        }
    };
}

#[cfg(not(feature = "streams"))]
value! {}
#[cfg(feature = "streams")]
value! {
    /// A stream.
    Stream(Head, Box<Stream>),
}

/// What TYPE tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are Redis'")]
pub enum Kind {
    String,
    List,
    Hash,
    Set,
    Zset,
    Stream,
}

const _: () = assert!(size_of::<Value>() == 24);

/// What is known about a key beside its value.
#[state]
#[derive(Debug, Clone, Copy)]
pub struct Head {
    /// See the `HEAD_*` bits.
    pub flags: u8,
    /// Time or frequency of the last accesses, for eviction; not kept yet.
    pub access: [u8; 3],
    /// Reserved, zero.
    pub spare: [u8; 3],
}

/// The key has a time to live, which is in [`crate::state::Db::expires`].
pub const HEAD_EXPIRES: u8 = 1;
/// A string that was changed in place: OBJECT ENCODING says `raw` whatever its length.
pub const HEAD_RAW: u8 = 2;

/// Longest string that Redis keeps in one block with its header.
const EMBSTR: usize = 44;

impl Value {
    /// A string, kept as an integer when it is the decimal form of one.
    #[inline]
    pub fn string(bytes: &[u8]) -> Self {
        match number::parse_i64(bytes) {
            Some(n) => Self::int(n),
            None => Self::Str(Head::default(), Bytes::from(bytes)),
        }
    }

    /// A string that is kept as it is, as after APPEND.
    pub fn raw(bytes: Bytes) -> Self {
        Self::Str(Head { flags: HEAD_RAW, ..Head::default() }, bytes)
    }

    /// An integer.
    #[inline]
    pub fn int(n: i64) -> Self {
        Self::Int(Head::default(), n)
    }

    /// An empty list, to be filled.
    pub fn list() -> Self {
        Self::ListPack(Head::default(), Bytes::new())
    }

    /// An empty hash, to be filled.
    pub fn hash() -> Self {
        Self::HashPack(Head::default(), Bytes::new())
    }

    /// An empty set, to be filled.
    pub fn set() -> Self {
        Self::IntSet(Head::default(), Bytes::new())
    }

    /// An empty sorted set, to be filled.
    pub fn zset() -> Self {
        Self::ZsetPack(Head::default(), Bytes::new())
    }

    /// An empty stream.
    #[cfg(feature = "streams")]
    pub fn new_stream() -> Self {
        Self::Stream(Head::default(), Box::new(Stream::default()))
    }

    /// The stream, if it is one.
    pub fn stream(&self) -> Option<&Stream> {
        match self {
            #[cfg(feature = "streams")]
            Self::Stream(_, stream) => Some(stream),
            _ => None,
        }
    }

    /// The stream, to be changed.
    pub fn stream_mut(&mut self) -> Option<&mut Stream> {
        match self {
            #[cfg(feature = "streams")]
            Self::Stream(_, stream) => Some(stream),
            _ => None,
        }
    }

    /// The header.
    #[inline(always)]
    pub fn head(&self) -> &Head {
        match self {
            Self::Int(head, _) | Self::Str(head, _) => head,
            Self::ListPack(head, _) | Self::List(head, _) => head,
            Self::HashPack(head, _) | Self::HashMap(head, _) => head,
            Self::IntSet(head, _) | Self::SetPack(head, _) | Self::SetMap(head, _) => head,
            Self::ZsetPack(head, _) | Self::Zset(head, _) => head,
            #[cfg(feature = "streams")]
            Self::Stream(head, _) => head,
        }
    }

    /// The header, to be changed.
    #[inline(always)]
    pub fn head_mut(&mut self) -> &mut Head {
        match self {
            Self::Int(head, _) | Self::Str(head, _) => head,
            Self::ListPack(head, _) | Self::List(head, _) => head,
            Self::HashPack(head, _) | Self::HashMap(head, _) => head,
            Self::IntSet(head, _) | Self::SetPack(head, _) | Self::SetMap(head, _) => head,
            Self::ZsetPack(head, _) | Self::Zset(head, _) => head,
            #[cfg(feature = "streams")]
            Self::Stream(head, _) => head,
        }
    }

    /// Its type.
    #[inline]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Int(..) | Self::Str(..) => Kind::String,
            Self::ListPack(..) | Self::List(..) => Kind::List,
            Self::HashPack(..) | Self::HashMap(..) => Kind::Hash,
            Self::IntSet(..) | Self::SetPack(..) | Self::SetMap(..) => Kind::Set,
            Self::ZsetPack(..) | Self::Zset(..) => Kind::Zset,
            #[cfg(feature = "streams")]
            Self::Stream(..) => Kind::Stream,
        }
    }

    /// Whether the key has a time to live.
    #[inline(always)]
    pub fn expires(&self) -> bool {
        self.head().flags & HEAD_EXPIRES != 0
    }

    /// The string's bytes; `None` when it is no string.
    #[inline]
    pub fn text<'a>(&'a self, digits: &'a mut Digits) -> Option<&'a [u8]> {
        match self {
            Self::Str(_, bytes) => Some(bytes),
            Self::Int(_, n) => Some(digits.signed(*n)),
            _ => None,
        }
    }

    /// Sets a string in place, reusing the memory if it fits about.
    #[inline]
    pub fn set_string(&mut self, bytes: &[u8]) {
        if let Self::Str(head, old) = self {
            let fits = old.capacity() >= bytes.len() && old.capacity() <= 2 * bytes.len() + 64;
            if fits && number::parse_i64(bytes).is_none() {
                old.clear();
                old.extend_from_slice(bytes);
                head.flags = 0;
                return;
            }
        }
        *self = Self::string(bytes);
    }

    /// What TYPE answers.
    pub fn type_name(&self) -> &'static str {
        match self.kind() {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Hash => "hash",
            Kind::Set => "set",
            Kind::Zset => "zset",
            Kind::Stream => "stream",
        }
    }

    /// What OBJECT ENCODING answers at a Redis level.
    pub fn encoding(&self, level: Level) -> &'static str {
        let packed = if level >= v(7, 0) { "listpack" } else { "ziplist" };
        match self {
            Self::Int(..) => "int",
            Self::Str(head, bytes) if head.flags & HEAD_RAW == 0 && bytes.len() <= EMBSTR => {
                "embstr"
            }
            Self::Str(..) => "raw",
            Self::ListPack(..) | Self::List(..) => "quicklist",
            Self::HashPack(..) | Self::ZsetPack(..) => packed,
            Self::IntSet(..) => "intset",
            // Small sets of strings are tables in Redis up to 7.0.
            Self::HashMap(..) | Self::SetPack(..) | Self::SetMap(..) => "hashtable",
            Self::Zset(..) => "skiplist",
            #[cfg(feature = "streams")]
            Self::Stream(..) => "stream",
        }
    }

    /// A copy, without the time to live.
    pub fn copy(&self) -> Self {
        let mut copy = match self {
            Self::Int(head, n) => Self::Int(*head, *n),
            Self::Str(head, bytes) => Self::Str(*head, bytes.clone()),
            Self::ListPack(head, pack) => Self::ListPack(*head, pack.clone()),
            Self::List(head, list) => Self::List(*head, Box::new(list.copy())),
            Self::HashPack(head, pack) => Self::HashPack(*head, pack.clone()),
            Self::HashMap(head, map) => {
                let fields = map.iter().map(|(field, value)| (field.clone(), value.clone()));
                Self::HashMap(*head, Box::new(fields.collect()))
            }
            Self::IntSet(head, ints) => Self::IntSet(*head, ints.clone()),
            Self::SetPack(head, pack) => Self::SetPack(*head, pack.clone()),
            Self::SetMap(head, set) => Self::SetMap(*head, Box::new(set.iter().cloned().collect())),
            Self::ZsetPack(head, pack) => Self::ZsetPack(*head, pack.clone()),
            Self::Zset(head, ranking) => Self::Zset(*head, Box::new(ranking.copy())),
            #[cfg(feature = "streams")]
            Self::Stream(head, stream) => Self::Stream(*head, Box::new(stream.copy())),
        };
        copy.head_mut().flags &= !HEAD_EXPIRES;
        copy
    }
}
