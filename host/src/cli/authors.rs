//! [`Authors`]: records of the journal as the plugins show them that wrote them.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::AtomicBool;

use hotshell_plugin_api::abi::OUTCOME_DONE;
use serde_json::value::RawValue;

use crate::data::{Digest, Origin, Store};
use crate::limits::VET_TIMEOUT;
use crate::loader::{Loaded, Loader};
use crate::stage;

/// The code that wrote what is shown, loaded when it is first needed.
#[derive(Debug, Default)]
pub struct Authors {
    /// `None` when there is none to be had, in the inner one.
    loader: Option<Option<Loader>>,
    loaded: HashMap<Digest, Option<Loaded>>,
}

impl Authors {
    /// A record as JSON. `None` where its author's code is gone or refused, or does not show it.
    pub fn describe(
        &mut self,
        store: &Store,
        origin: &Origin,
        record: &[u8],
    ) -> Option<Box<RawValue>> {
        let Self { loader, loaded } = self;
        let author = loaded.entry(origin.digest).or_insert_with(|| {
            let loader = loader.get_or_insert_with(|| stage::loader(None, VET_TIMEOUT).ok());
            let path = store.artifacts().path(&origin.digest);
            loader.as_ref()?.load(&path, origin.generation, &AtomicBool::new(false)).ok()
        });
        let describe = author.as_ref()?.callable.describe()?;
        let mut text = Vec::new();
        // SAFETY: `[any]`; the record is valid for the call, and `take` gets the text it wants.
        let outcome = unsafe {
            describe(record.as_ptr(), record.len(), take, (&raw mut text).cast::<c_void>())
        };
        let text = String::from_utf8(text).ok().filter(|_| outcome.code == OUTCOME_DONE)?;
        RawValue::from_string(text).ok()
    }
}

impl Drop for Authors {
    fn drop(&mut self) {
        // Each has a private copy of its file, which goes with the image.
        self.loaded.drain().filter_map(|(_, loaded)| loaded).for_each(|loaded| {
            loaded.image.unmap();
        });
    }
}

/// Adds a text to a `Vec<u8>`.
unsafe extern "C" fn take(to: *mut c_void, text: *const u8, len: usize) {
    // SAFETY: `to` is what `describe` was called with, and the plugin's text is valid for the call.
    unsafe { (*to.cast::<Vec<u8>>()).extend_from_slice(core::slice::from_raw_parts(text, len)) };
}
