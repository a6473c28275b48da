//! Stage 5: the image. The only file with `libloading`.
//!
//! Invariant: correctness never depends on `dlclose`. What is mapped is asked of the kernel.

use std::error::Error as _;
use std::ops::Range;
use std::path::Path;

use hotshell_plugin_api::abi::Entry;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use rustix::mm::{Advice, madvise};

use super::inspect::Inspected;
use super::maps::{self, FileId, Mapping};
use super::reason::Reason;
use crate::error::Code;

/// A mapped library. Dropping it leaves it mapped: only [`Mapped::close`] gives it up.
#[derive(Debug)]
pub(super) struct Mapped {
    /// `dlopen`'s handle.
    handle: Handle,
    /// Address of the entry.
    pub entry: usize,
    /// The file behind the entry's mapping.
    pub file: FileId,
    /// From the image's first to its last address.
    pub span: Range<usize>,
}

#[derive(Debug)]
struct Handle(*mut core::ffi::c_void);

// SAFETY: a handle of `dlopen` may be used from any thread.
unsafe impl Send for Handle {}
// SAFETY: as above; nothing is done through a shared reference.
unsafe impl Sync for Handle {}

impl Mapped {
    /// The entry, still to be believed.
    pub fn entry(&self) -> *const Entry {
        core::ptr::with_exposed_provenance(self.entry)
    }

    /// `dlclose`. Destructors run; whether anything was unmapped is another question.
    ///
    /// # Safety
    /// No call into the image is running and none will come.
    pub unsafe fn close(self) {
        // SAFETY: the handle came from `into_raw` and is given up here.
        let library = unsafe { Library::from_raw(self.handle.0) };
        // A failure leaves it mapped, and the maps will say so.
        let _ = library.close();
    }

    /// Where it is, for a look after it was closed.
    pub fn place(&self) -> Place {
        Place { file: self.file.clone(), span: self.span.clone() }
    }
}

/// Where an image is, or was.
#[derive(Debug, Clone)]
pub(super) struct Place {
    file: FileId,
    span: Range<usize>,
}

impl Place {
    /// Whether anything of the image is in these maps. When they could not be read: assume it is.
    pub fn is_in(&self, maps: &std::io::Result<Vec<Mapping>>) -> bool {
        let here = |m: &Mapping| m.file == self.file && overlap(&m.range, &self.span);
        maps.as_ref().map_or(true, |mappings| mappings.iter().any(here))
    }
}

/// Maps a staged file and finds its entry. Constructors run here.
pub(super) fn open(path: &Path, inspected: &Inspected) -> Result<Mapped, Reason> {
    // SAFETY: constructors are foreign code; the vet child ran them before (Invariant: vetted
    // first).
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) };
    let library = library.map_err(|error| refused(&error, inspected))?;
    let symbol = inspected.artifact.symbol.as_bytes();
    // SAFETY: the symbol is only turned into an address here.
    let entry = unsafe { library.get::<*const Entry>(symbol) }.map(|s| s.as_raw_ptr());
    let entry = entry.map_err(|error| refused(&error, inspected))?.expose_provenance();
    located(path, library, entry)
}

/// Makes sure that the code behind the entry is the staged file's.
fn located(path: &Path, library: Library, entry: usize) -> Result<Mapped, Reason> {
    let mappings = maps::read().unwrap_or_default();
    let Some(home) = maps::holding(&mappings, entry).filter(|m| is_of(m, path)) else {
        let place = maps::holding(&mappings, entry).map_or("nowhere", |m| m.path.as_str());
        let detail = format!("its entry lies in '{place}', not in the staged '{}'", path.display());
        return Err(stale(detail));
    };
    let file = home.file.clone();
    let parts: Vec<&Mapping> = mappings.iter().filter(|m| m.file == file).collect();
    let first = parts.iter().map(|m| m.range.start).min().unwrap_or(entry);
    let last = parts.iter().map(|m| m.range.end).max().unwrap_or(entry);
    let span = first..last;
    touch(&mappings, &span);
    Ok(Mapped { handle: Handle(library.into_raw()), entry, file, span })
}

/// By path, or by inode where the path reads differently.
fn is_of(mapping: &Mapping, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let same_inode = || path.metadata().is_ok_and(|m| m.ino() == mapping.file.inode);
    Path::new(&mapping.path) == path || same_inode()
}

/// The refusal of code that is already in use.
pub(super) fn stale(detail: String) -> Reason {
    let hint = "this is a defect of the host; restart it to load this file";
    Reason::new(Code::StaleImage, detail, hint)
}

/// Has the kernel map every page now, so that no first call waits for the disk.
fn touch(mappings: &[Mapping], span: &Range<usize>) {
    for mapping in mappings.iter().filter(|m| overlap(&m.range, span) && m.readable) {
        let advice =
            if mapping.writable { Advice::LinuxPopulateWrite } else { Advice::LinuxPopulateRead };
        let start = core::ptr::with_exposed_provenance_mut(mapping.range.start);
        // SAFETY: the range is mapped with these rights; populating changes no content. Older
        // kernels answer EINVAL, and the first calls fault the pages in.
        let _ = unsafe { madvise(start, mapping.range.len(), advice) };
    }
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

/// The dynamic loader's text is in the error's source, and is copied before anything else happens.
fn refused(error: &libloading::Error, inspected: &Inspected) -> Reason {
    let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    let mut detail = format!("the dynamic loader says: {text}");
    if !inspected.extra_needed.is_empty() {
        detail.push_str(&format!("; it needs {}", inspected.extra_needed.join(", ")));
    }
    let hint = "hint: link it statically or install what it needs where `ldd` finds it; \
                hint: libraries beside the plugin ($ORIGIN) are not found: a copy is mapped";
    Reason::new(Code::Dlopen, detail, hint)
}
