//! The contract between the hotshell server shell and its plugins.

#[cfg(not(target_endian = "little"))]
compile_error!("hotshell state is little-endian; this target is not supported");

// The macros name this crate by its public path, also inside it.
extern crate self as hotshell_plugin_api;

pub mod abi;
pub mod buffer;
pub mod change;
pub mod collections;
pub mod ctx;
pub mod durability;
pub mod export;
pub mod framing;
pub mod heap;
pub mod journal;
pub mod loading;
pub mod migrate;
pub mod note;
pub mod plugin;
pub mod reflect;
pub mod schema;
mod size_headed;
pub mod snapshot;
pub mod state;
pub mod testing;

/// Makes a struct or enum a type of server state.
///
/// ```
/// use hotshell_plugin_api::state;
///
/// #[state(schema = 1)]
/// #[derive(Debug)]
/// struct Guestbook {
///     visits: u64,
///     #[state(default = 100)]
///     visits_max: u64,
///     door: Door,
/// }
///
/// #[state]
/// #[derive(Debug, PartialEq)]
/// enum Door {
///     #[state(default)]
///     Open,
///     Closed { since: u64 },
/// }
///
/// #[state(key)]
/// #[derive(Debug, Clone, Copy)]
/// struct Place {
///     floor: i32,
///     room: u32,
/// }
///
/// let book = Guestbook::default();
/// assert_eq!((book.visits, book.visits_max, book.door), (0, 100, Door::Open));
/// assert!(Place { floor: -1, room: 7 } < Place { floor: 2, room: 1 });
/// ```
///
/// It fixes the layout (`repr(C)` for structs, `repr(u8)` for enums) and implements
/// [`StateType`](state::StateType): the fingerprint, a constant over names, offsets, types,
/// variants and schema number, and the description that goes into the [`Schema`](schema::Schema).
/// It also implements `Default` for structs, since a field that a version adds starts with its
/// default. Derives of your own (`Debug`, `Clone`, `PartialEq`) may stand above or below it.
///
/// # Options of the type
/// - `schema = N`: the author's schema number, a `u32`, 0 when not given. Raise it when the
///   meaning of the fields changes and their shape does not, such as seconds that become
///   milliseconds.
/// - `key`: the type may be a key. All fields must be keys. Implements
///   [`StateKey`](state::StateKey), and from it `PartialEq`, `Eq`, `PartialOrd`, `Ord` and
///   `Hash`; so one written by hand or derived is a conflict (E0119). Structs compare field by
///   field, enums by variant in their order and then by field.
/// - `no_default`: the struct gets no `Default`.
/// - `was = "NAME"`: what the type was called in an older version. May be given more than once.
/// - `from = OLD, with = FUNCTION, back = FUNCTION`: how a value comes from the older type `OLD`, a
///   `#[state]` type in this crate that describes the old shape, and how it goes back. The functions
///   are `fn(&OLD) -> Self` and `fn(&Self) -> OLD`, deterministic, and do not fail. Without `back`
///   there is no way back from this version. May be given for several older types.
///
/// # Options of a field
/// - `default = EXPR`: its value in `Default`, and what it starts with when the state comes from a
///   version without it. Without it the type's own `Default` counts; arrays of any length start
///   with their element's.
/// - `was = "NAME"`: what the field was called in an older version. May be given more than once.
/// - `recursive`: see below.
///
/// # Options of a variant
/// - `default`: the variant that `Default` answers. An enum without one has no `Default`.
/// - `was = "NAME"`: what the variant was called in an older version. May be given more than once.
///
/// # What it refuses
/// At the type of the field: whatever is not a [`StateType`](state::StateType), such as function
/// pointers, references, `dyn`, tuples, `usize` and the collections of std. On the whole type: a
/// `Drop` of its own, generics, unions, another `repr`, explicit discriminants, more than 256
/// variants, `#[cfg]` on a field or variant.
///
/// ```compile_fail,E0277
/// #[hotshell_plugin_api::state]
/// struct Guestbook {
///     title: &'static str, // points into the plugin that wrote it
/// }
/// ```
///
/// # Recursive types
/// A type that names itself, as in `struct Node { children: Vec<Node> }`, needs nothing. Two
/// types that contain each other do: each fingerprint would need the other, and rustc says "cycle
/// detected" (E0391). Cut the cycle with `#[state(recursive)]` on the field that leads back:
///
/// ```
/// # use hotshell_plugin_api::schema::{Kind, SchemaBuilder, TypeDef};
/// # use hotshell_plugin_api::state::StateType;
/// # pub struct Vec<T>(std::vec::Vec<T>);
/// # impl<T> Default for Vec<T> {
/// #     fn default() -> Self {
/// #         Self(std::vec::Vec::new())
/// #     }
/// # }
/// # unsafe impl<T: StateType> StateType for Vec<T> {
/// #     const FINGERPRINT: u64 = hotshell_plugin_api::schema::mix(1, T::FINGERPRINT);
/// #     fn describe(schema: &mut SchemaBuilder) -> TypeDef {
/// #         TypeDef::collection(Kind::Vec, 1, vec![schema.add::<T>()])
/// #     }
/// # }
/// # fn main() {
/// use hotshell_plugin_api::state;
///
/// #[state]
/// struct House {
///     rooms: Vec<Room>,
/// }
///
/// #[state]
/// struct Room {
///     #[state(recursive)]
///     behind_the_wardrobe: Vec<House>,
/// }
/// # }
/// ```
///
/// Such a field adds only the words `Vec<House>` to the fingerprint of `Room`, so put it on the
/// type farther from the root. The schema, which is what `use` compares, follows it in full.
pub use hotshell_plugin_api_macros::state;

#[doc(hidden)]
pub use abi_stable;

/// What a plugin's crate wants in scope.
pub mod prelude {
    pub use crate::buffer::Out;
    pub use crate::ctx::{ClientId, CommandCtx, Ctx, InitCtx, Level, ServerCtx, Shell};
    pub use crate::plugin::{Flow, Plugin, Refusal};
    pub use crate::{change, export_plugin, framing, state};
}

/// The guide for authors, whose examples are tests of this crate.
#[cfg(doctest)]
#[doc = include_str!("../../docs/MIGRATION.md")]
mod guide {}
