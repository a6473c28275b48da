//! Making the state of a snapshot. On the engine's thread, before the first client.

use std::path::{Path, PathBuf};
use std::ptr::NonNull;

use hotshell_plugin_api::heap;
use hotshell_plugin_api::migrate::convert::Lost;
use hotshell_plugin_api::reflect::{Ends, Rebuilding, Reflect};
use hotshell_plugin_api::schema::Schema;

use super::clients::Client;
use super::core::Server;
use super::handle::Counters;
use crate::data::snapshot::{Blocks, Kind, Snapshot};
use crate::error::{Code, Error, Result};
use crate::time::monotonic_ns;

/// Makes the server's state; answers the position from which the journal goes on. The active generation
/// is the one that the snapshot names, or has its schema.
pub(super) fn restore(server: &Server, snapshot: Snapshot) -> Result<u64> {
    let began = monotonic_ns();
    let (head, path) = (snapshot.head, snapshot.path.clone());
    let schema = server.core.borrow().active.shape.schema.clone();
    let mut source = Reading { blocks: snapshot.blocks()?, path };
    if source.next(Kind::Schema)? != schema.encode() {
        return Err(source.wrong("its schema is not that of the artifact that wrote it"));
    }
    let entries = source.state(server, &schema)?;
    let core = &mut *server.core.borrow_mut();
    core.state.next_client = core.state.next_client.max(head.next_client);
    let took_ms = (monotonic_ns() - began) / 1_000_000;
    tracing::info!(
        verb = "recover",
        server = server.name,
        entries,
        took_ms,
        "the snapshot was read back"
    );
    Ok(head.position)
}

/// Where the blocks come from.
struct Reading {
    blocks: Blocks,
    path: PathBuf,
}

impl Reading {
    fn any(&self) -> Result<(Kind, Vec<u8>)> {
        self.blocks.recv().unwrap_or_else(|_| Err(self.wrong("its blocks end before the last one")))
    }

    fn next(&self, expected: Kind) -> Result<Vec<u8>> {
        match self.any()? {
            (kind, content) if kind == expected => Ok(content),
            (kind, _) => Err(self.wrong(&format!("{kind:?} is where {expected:?} should be"))),
        }
    }

    #[cold]
    fn wrong(&self, why: &str) -> Error {
        wrong(&self.path, why)
    }

    /// Root; then sessions, what is set aside, entries, in any order. Answers how many entries.
    fn state(&mut self, server: &Server, schema: &Schema) -> Result<u64> {
        let ends = |path: &Path| {
            let path = path.to_owned();
            move |ends: Ends| wrong(&path, ends.what)
        };
        let reflect = Reflect::new(schema);
        let root = heap::alloc(reflect.layout(schema.root));
        let outline = self.next(Kind::Root)?;
        // SAFETY: the schema is the active generation's, which the handshake checked, and equal to the
        // one that the snapshot was written under; each block passed its checksum.
        let begun = unsafe {
            Rebuilding::begin(reflect, schema.root, root.as_ptr(), &mut outline.as_slice())
        };
        let mut begun = begun.map_err(ends(&self.path))?;
        let (mut sessions, mut aside) = (Vec::new(), Vec::new());
        let mut entries = 0_u64;
        let told = loop {
            match self.any()? {
                (Kind::Entries, block) => {
                    let counters = &server.core.borrow().counters;
                    Counters::add(&counters.loading_bytes, block.len() as u64);
                    let mut rest = block.as_slice();
                    while !rest.is_empty() {
                        // SAFETY: as above; an entry was written once.
                        unsafe { begun.entry(&mut rest) }.map_err(ends(&self.path))?;
                        entries += 1;
                    }
                }
                (Kind::Sessions, block) => sessions.extend_from_slice(&block),
                (Kind::Aside, block) => aside.extend_from_slice(&block),
                (Kind::Done, told) => break told,
                (kind, _) => return Err(self.wrong(&format!("{kind:?} is where it cannot be"))),
            }
        };
        if told != entries.to_le_bytes() {
            return Err(self.wrong("the number of its entries is not the one at its end"));
        }
        begun.finish().map_err(ends(&self.path))?;
        server.core.borrow_mut().state.root = root.as_ptr();
        self.set_aside(server, &aside)?;
        let gone = bid_farewell(server, schema, &sessions);
        gone.map_err(ends(&self.path))?;
        Ok(entries)
    }

    fn set_aside(&self, server: &Server, mut parts: &[u8]) -> Result<()> {
        let aside = &mut server.core.borrow_mut().state.aside;
        while !parts.is_empty() {
            let part = parts.split_first_chunk::<8>().and_then(|(fingerprint, rest)| {
                let (len, rest) = rest.split_first_chunk::<4>()?;
                let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
                parts = rest;
                Some((u64::from_le_bytes(*fingerprint), Lost::decode(part)?))
            });
            let broken = || self.wrong("a part that is set aside is none");
            let (fingerprint, lost) = part.ok_or_else(broken)?;
            aside.put(fingerprint, vec![lost]);
        }
        Ok(())
    }
}

/// Tells the plugin that the clients of the snapshot are gone: the state knows of them.
fn bid_farewell(server: &Server, schema: &Schema, mut sessions: &[u8]) -> Result<(), Ends> {
    let reflect = Reflect::new(schema);
    server.refresh_clocks();
    while !sessions.is_empty() {
        let early = Ends { what: "a session ends early" };
        let (id, rest) = sessions.split_first_chunk::<8>().ok_or(early)?;
        sessions = rest;
        let session = heap::alloc(reflect.layout(schema.session));
        // SAFETY: as for the root.
        unsafe { reflect.build(schema.session, session.as_ptr(), &mut sessions) }?;
        let id = u64::from_le_bytes(*id);
        let client: NonNull<Client> = {
            let core = &mut *server.core.borrow_mut();
            let layout = core.state.root_layout;
            core.sessions.joined(layout);
            core.state.clients.insert(Client::gone(id, session.as_ptr(), layout))
        };
        server.disconnect(client);
        server.core.borrow_mut().state.clients.remove(id);
    }
    Ok(())
}

#[cold]
fn wrong(path: &Path, why: &str) -> Error {
    Error::new(
        Code::Data,
        format!("the snapshot '{}' cannot be read back", path.display()),
        why,
        "restore the file from a copy; without one, move it and the journal away to start empty",
    )
}
