//! Changes that happen as a whole or not at all: work on a value, then put it back in one step.
//!
//! # What a panic leaves
//! A call that panics costs its request: the shell cuts its output and what it told the journal, and the client
//! hears the protocol's error ([`Plugin::panicked`](crate::plugin::Plugin::panicked)). What the call had already
//! changed in the state **stays**: nobody can tell what was meant. So a plugin must guarantee that its state
//! makes sense at each point where its code may panic: at an index, an `expect`, an overflow in a debug build.
//! The same holds for a request that fails half way and answers an error.
//!
//! - Check first and change last: when nothing can fail between the first change and the last one, there is
//!   nothing to do.
//! - Otherwise give the parts that belong together a type, and change it with [`whole`] or [`whole_if`].
//! - A collection stays sound after a panic; whether what lies in several of them still belongs together is the
//!   plugin's.
//!
//! ```
//! use hotshell_plugin_api::change;
//! use hotshell_plugin_api::state;
//!
//! #[state]
//! #[derive(Debug, Clone, PartialEq)]
//! struct Account {
//!     balance: u64,
//!     moves: u32,
//! }
//!
//! let mut account = Account { balance: 100, moves: 0 };
//! let taken = change::whole_if(&mut account, |account| {
//!     account.moves += 1;
//!     account.balance = account.balance.checked_sub(300).ok_or("not enough")?;
//!     Ok(account.balance)
//! });
//! assert_eq!(taken, Err("not enough"));
//! assert_eq!(account, Account { balance: 100, moves: 0 }, "nothing of it happened");
//! ```

/// Changes a value as a whole: `work` gets a copy, which takes the value's place when it returns. When it panics
/// the value is as it was.
///
/// Costs a clone of the value, so choose the smallest one that holds what belongs together: an entry of a map, not
/// the map.
pub fn whole<T: Clone, R>(value: &mut T, work: impl FnOnce(&mut T) -> R) -> R {
    let mut copy = value.clone();
    let done = work(&mut copy);
    *value = copy;
    done
}

/// As [`whole`]; the value is as it was also when `work` fails.
///
/// # Errors
/// Those of `work`.
pub fn whole_if<T: Clone, R, E>(
    value: &mut T,
    work: impl FnOnce(&mut T) -> Result<R, E>,
) -> Result<R, E> {
    let mut copy = value.clone();
    let done = work(&mut copy)?;
    *value = copy;
    Ok(done)
}
