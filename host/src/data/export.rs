//! What a folder of `--data` holds, as lines of JSON: the newest snapshot by its schema, then every
//! record of the journal. Reads only, and needs no code of the plugin; where that is there, it shows its
//! records.

use std::io;
use std::path::Path;

use hotshell_plugin_api::migrate::convert::Lost;
use hotshell_plugin_api::reflect::Ends;
use hotshell_plugin_api::schema::Schema;
use serde::Serialize;
use serde_json::value::RawValue;

use super::describe::Describer;
use super::folder::Store;
use super::frame;
use super::origin::Origin;
use super::recovery::{Frame, Step};
use super::snapshot::{Kind as Block, Snapshot};
use super::survey::{name_of, stores};
use crate::error::{Code, Error, Result};

/// A line.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    /// The server.
    pub server: &'a str,
    /// The file.
    pub file: &'a str,
    /// The generation that wrote it.
    pub generation: u64,
    /// What it is about.
    #[serde(flatten)]
    pub about: About<'a>,
}

/// What a line is about.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase", tag = "kind")]
pub enum About<'a> {
    /// A snapshot begins.
    Snapshot {
        /// Where in the journal.
        position: u64,
        /// The author's number of its schema.
        schema: u32,
    },
    /// The state, in which large hash maps are numbers of entries that follow.
    Root {
        /// By its schema.
        value: Box<RawValue>,
    },
    /// The session of a client.
    Session {
        /// The client's id.
        client: u64,
        /// By its schema.
        value: Box<RawValue>,
    },
    /// What another version left.
    Aside {
        /// Fingerprint of the schema that it was in.
        schema: String,
        /// Offsets and keys on the way to it.
        path: String,
        /// Its image.
        hex: String,
    },
    /// An entry of a hash map of the state.
    Entry {
        /// The way to the map.
        map: &'a str,
        /// By the schema.
        key: Box<RawValue>,
        /// By the schema; absent in sets.
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<Box<RawValue>>,
    },
    /// A record of the plugin.
    Call(Record<'a>),
    /// A record of the host: a switch.
    Use(Record<'a>),
}

/// A record of the journal.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    /// Where in the file its frame begins.
    pub offset: usize,
    /// Where in the journal.
    pub position: u64,
    /// The record as its author shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
    /// Else the record, where it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<&'a str>,
    /// Else the record in hexadecimal digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
}

/// Shows a record that a generation wrote, if it can.
pub type Show<'s> = dyn FnMut(&Store, &Origin, &[u8]) -> Option<Box<RawValue>> + 's;

/// Takes the lines.
type Each<'e> = dyn FnMut(&Line<'_>) -> io::Result<()> + 'e;

/// Hands over every line of a folder, or of one server in it: the newest snapshot, then the records in the
/// order in which they were written. `show` is asked about records of plugins.
///
/// # Errors
/// `DATA`: as for a start; what is before has been handed over then. `FILE`: `each` fails.
pub fn export(
    folder: &Path,
    only: Option<&str>,
    show: &mut Show<'_>,
    each: &mut Each<'_>,
) -> Result<()> {
    let stores = stores(folder)?;
    let chosen: Vec<_> =
        stores.iter().filter(|(name, _)| only.is_none_or(|only| only == name)).collect();
    if let (Some(only), true) = (only, chosen.is_empty()) {
        let names: Vec<&str> = stores.iter().map(|(name, _)| name.as_str()).collect();
        let message = format!("'{}' keeps no server '{only}'", folder.display());
        let there = format!("it keeps {}", names.join(", "));
        return Err(Error::new(Code::Server, message, there, "pass one of these to --server"));
    }
    for (name, store) in chosen {
        server(name, store, show, each)?;
    }
    Ok(())
}

fn server(name: &str, store: &Store, show: &mut Show<'_>, each: &mut Each<'_>) -> Result<()> {
    if let Some(snapshot) = store.snapshot()? {
        Export::of(name, &snapshot).snapshot(snapshot, each)?;
    }
    store
        .read(None, &mut |step| {
            let Step::Frame(frame) = step else { return Ok(()) };
            let mut records = frame.records();
            records.try_for_each(|record| {
                let value = match frame.kind {
                    frame::Kind::Call => show(store, &frame.head.origin, record),
                    frame::Kind::Use => None,
                };
                each(&told(name, &frame, record, value)).map_err(gone)
            })
        })
        .map(drop)
}

fn told<'a>(
    server: &'a str,
    frame: &Frame<'a>,
    record: &'a [u8],
    value: Option<Box<RawValue>>,
) -> Line<'a> {
    let text = std::str::from_utf8(record).ok().filter(|text| !text.contains(char::is_control));
    let text = text.filter(|_| value.is_none());
    let hex = (value.is_none() && text.is_none()).then(|| hex::encode(record));
    let record = Record { offset: frame.offset, position: frame.position, value, text, hex };
    let about = match frame.kind {
        frame::Kind::Call => About::Call(record),
        frame::Kind::Use => About::Use(record),
    };
    let generation = frame.head.origin.generation;
    Line { server, file: frame.segment.name(), generation, about }
}

/// What all lines of a snapshot have in common.
struct Export<'a> {
    server: &'a str,
    file: String,
    path: String,
    generation: u64,
}

impl<'a> Export<'a> {
    fn of(server: &'a str, snapshot: &Snapshot) -> Self {
        let (file, path) = (name_of(&snapshot.path), snapshot.path.display().to_string());
        Self { server, file, path, generation: snapshot.head.origin.generation }
    }

    fn tell(&self, about: About<'_>, each: &mut Each<'_>) -> Result<()> {
        let Self { server, file, generation, .. } = self;
        each(&Line { server, file, generation: *generation, about }).map_err(gone)
    }

    fn snapshot(&self, snapshot: Snapshot, each: &mut Each<'_>) -> Result<()> {
        let position = snapshot.head.position;
        let mut blocks = snapshot.blocks()?.into_iter();
        let mut next = || blocks.next().unwrap_or_else(|| Err(self.wrong("it ends early")));
        let (Block::Schema, schema) = next()? else {
            return Err(self.wrong("it does not begin with its schema"));
        };
        let schema = Schema::decode(&schema).map_err(|why| self.wrong(&why.to_string()))?;
        self.tell(About::Snapshot { position, schema: schema.number }, each)?;
        let mut describer = Describer::new(&schema);
        loop {
            let (kind, content) = next()?;
            let image = &mut &*content;
            match kind {
                Block::Root => {
                    let value = describer.outline(image).map_err(|e| self.ends(e))?;
                    self.tell(About::Root { value: raw(value) }, each)?;
                }
                Block::Sessions => self.sessions(&mut describer, schema.session, image, each)?,
                Block::Aside => self.aside(image, each)?,
                Block::Entries => self.entries(&mut describer, image, each)?,
                Block::Done => return Ok(()),
                Block::Schema => return Err(self.wrong("it has two schemas")),
            }
        }
    }

    fn sessions(
        &self,
        describer: &mut Describer<'_>,
        ty: u32,
        image: &mut &[u8],
        each: &mut Each<'_>,
    ) -> Result<()> {
        while let Some((client, rest)) = image.split_first_chunk() {
            *image = rest;
            let value = describer.one(ty, image).map_err(|e| self.ends(e))?;
            let client = u64::from_le_bytes(*client);
            self.tell(About::Session { client, value: raw(value) }, each)?;
        }
        Ok(())
    }

    fn aside(&self, image: &mut &[u8], each: &mut Each<'_>) -> Result<()> {
        while let Some((fingerprint, rest)) = image.split_first_chunk() {
            let part = rest.split_first_chunk().and_then(|(len, rest)| {
                let (part, rest) = rest.split_at_checked(u32::from_le_bytes(*len) as usize)?;
                *image = rest;
                Lost::decode(part)
            });
            let part = part.ok_or_else(|| self.wrong("a part that is set aside is none"))?;
            let schema = format!("{:016x}", u64::from_le_bytes(*fingerprint));
            let (path, hex) = (part.to_string(), hex::encode(&part.image));
            self.tell(About::Aside { schema, path, hex }, each)?;
        }
        Ok(())
    }

    fn entries(
        &self,
        describer: &mut Describer<'_>,
        image: &mut &[u8],
        each: &mut Each<'_>,
    ) -> Result<()> {
        while !image.is_empty() {
            let (map, key, value) = describer.entry(image).map_err(|e| self.ends(e))?;
            let (key, value) = (raw(key), value.map(raw));
            self.tell(About::Entry { map: &map, key, value }, each)?;
        }
        Ok(())
    }

    fn ends(&self, ends: Ends) -> Error {
        self.wrong(ends.what)
    }

    #[cold]
    fn wrong(&self, why: &str) -> Error {
        let message = format!("the snapshot '{}' cannot be shown", self.path);
        let hint = "`hotshell data check` tells whether the file is damaged";
        Error::new(Code::Data, message, why, hint)
    }
}

/// What the describer has written is JSON.
fn raw(json: String) -> Box<RawValue> {
    RawValue::from_string(json).expect("it is JSON")
}

#[cold]
fn gone(error: io::Error) -> Error {
    let hint = "whoever reads the lines has stopped";
    Error::new(Code::File, "cannot print the records", error.to_string(), hint)
}
