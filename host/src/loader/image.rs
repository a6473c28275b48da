//! The image of a generation: mapped code, its staged file, and how both are given up.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::inspect::Inspected;
use super::map::{self, Mapped, Place};
use super::maps::{self, Mapping};
use super::reason::Reason;
use super::stage::Staged;

/// A mapped artifact. Dropping it leaves it mapped, since a call may still reach it: only
/// [`Image::unmap`] gives it up.
#[derive(Debug)]
pub struct Image {
    mapped: Mapped,
    staged: std::mem::ManuallyDrop<Staged>,
    pinned: Option<&'static str>,
}

/// What became of an image that was given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unmapping {
    /// Nothing of it is in the maps, and its staged file is gone.
    Unmapped,
    /// It is still mapped, which is harmless. Its staged file stays for debuggers until the image
    /// goes.
    Retained(Retained),
}

/// An image that outlived its `dlclose`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retained {
    /// Why, as far as it can be known.
    pub reason: String,
    /// Its entry address; 0 when only the reason is known.
    entry: usize,
}

impl Retained {
    /// An image of which only the reason is known.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), entry: 0 }
    }

    /// Whether it is mapped still, as far as the last look into the maps tells: one that a thread
    /// kept goes with the next `dlclose` after that thread ended. [`retained_images`] looks anew.
    pub fn is_mapped(&self) -> bool {
        self.entry == 0 || book().leftovers.iter().any(|leftover| leftover.entry == self.entry)
    }
}

/// What is mapped now, and what should no longer be. One lock, held from `dlclose` to the look into
/// the maps, so that an address that became free is not mistaken for one in use.
static BOOK: Mutex<Book> = Mutex::new(Book { live: BTreeSet::new(), leftovers: Vec::new() });

struct Book {
    /// Entry addresses of all mapped images. One that comes twice is old code under a new name.
    live: BTreeSet<usize>,
    /// Images that outlived their `dlclose`.
    leftovers: Vec<Leftover>,
}

struct Leftover {
    place: Place,
    entry: usize,
    _staged: Staged,
}

impl Image {
    /// Maps a staged file. On refusal nothing stays behind.
    pub(super) fn map(staged: Staged, inspected: &Inspected) -> Result<Self, Reason> {
        let mapped = map::open(staged.path(), inspected)?;
        let entry = mapped.entry;
        if !book().live.insert(entry) {
            let reason = map::stale(format!("its code is at {entry:#x}, where an older image is"));
            // SAFETY: nobody has seen this handle; the older image keeps its own.
            unsafe { mapped.close() };
            return Err(reason);
        }
        let staged = std::mem::ManuallyDrop::new(staged);
        Ok(Self { mapped, staged, pinned: inspected.pinned })
    }

    pub(super) fn entry(&self) -> *const hotshell_plugin_api::abi::Entry {
        self.mapped.entry()
    }

    /// The private copy that is mapped.
    pub fn staged_path(&self) -> &Path {
        self.staged.path()
    }

    /// Whether the kernel has anything of the image mapped. Reads `/proc/self/maps`.
    pub fn is_mapped(&self) -> bool {
        self.mapped.place().is_in(&maps::read())
    }

    /// Why `dlclose` will not unmap it, if that was visible in the file.
    pub fn pinned(&self) -> Option<&'static str> {
        self.pinned
    }

    /// Gives the image up: `dlclose`, a look into the maps, and the staged file goes with the
    /// image.
    ///
    /// The caller owns the promise that no call is running in it and none will come: every copy of
    /// the generation's [`crate::generation::Callable`] is gone (Invariant: no call into a retired
    /// generation).
    pub fn unmap(self) -> Unmapping {
        let Self { mapped, staged, pinned } = self;
        let staged = std::mem::ManuallyDrop::into_inner(staged);
        let (place, entry) = (mapped.place(), mapped.entry);
        let mut book = book();
        // SAFETY: the promise above.
        unsafe { mapped.close() };
        let maps = maps::read();
        book.sweep(&maps);
        if !place.is_in(&maps) {
            book.live.remove(&entry);
            return Unmapping::Unmapped;
        }
        book.leftovers.push(Leftover { place, entry, _staged: staged });
        let reason = format!("still mapped after dlclose: {}", why(pinned));
        Unmapping::Retained(Retained { reason, entry })
    }
}

impl fmt::Display for Unmapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmapped => f.write_str("unmapped"),
            Self::Retained(Retained { reason, .. }) => write!(f, "retained: {reason}"),
        }
    }
}

/// How many images outlived their `dlclose` and are still mapped. An image that a thread kept goes
/// with the next `dlclose` after that thread ended.
pub fn retained_images() -> usize {
    let mut book = book();
    book.sweep(&maps::read());
    book.leftovers.len()
}

impl Book {
    /// Forgets the leftovers that went in the meantime; their staged files go too.
    fn sweep(&mut self, maps: &std::io::Result<Vec<Mapping>>) {
        let Self { live, leftovers } = self;
        leftovers.retain(|leftover| {
            let stays = leftover.place.is_in(maps);
            if !stays {
                live.remove(&leftover.entry);
            }
            stays
        });
    }
}

fn why(pinned: Option<&'static str>) -> &'static str {
    pinned.unwrap_or(
        "a thread that it started is running, or a thread that ran in it is alive and owes it a \
         thread-local destructor",
    )
}

fn book() -> MutexGuard<'static, Book> {
    BOOK.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;
    use crate::loader::stage::Stage;
    use crate::loader::{artifacts, fetch, inspect};

    #[test]
    fn code_that_is_mapped_already_is_not_taken_for_new() {
        let dir = tempfile::TempDir::new().expect("a directory");
        let stage = Stage::open(dir.path()).expect("a stage");
        let fetched = fetch::fetch(&artifacts::plugin("misbehave"), &stage, 1).expect("a plugin");
        let inspected = inspect::inspect(&fetched).expect("a good plugin");
        let fetch::Fetched { copy, staged, .. } = fetched;
        drop(copy);
        let again = staged.again();
        let image = Image::map(staged, &inspected).unwrap_or_else(|r| panic!("{}", r.detail));
        let Err(reason) = Image::map(again, &inspected) else { panic!("the same code twice") };
        assert_eq!(reason.code, Code::StaleImage);
        assert!(reason.detail.contains("where an older image is"), "{}", reason.detail);
        assert!(image.is_mapped(), "the older one stays");
        assert_eq!(image.unmap(), Unmapping::Unmapped);
    }
}
