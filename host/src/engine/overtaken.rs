//! What was set aside and cannot return, since something newer is in its place: exported to a file, one
//! JSON object a line, and reported in the log.
//!
//! Nobody else has these values, and a switch has no time to describe them; so a thread of its own does,
//! which is started with the first one.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use hotshell_plugin_api::migrate::convert::Lost;
use hotshell_plugin_api::schema::{Schema, TypeIndex};
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::handle::Counters;
use crate::data::{Describer, way};
use crate::limits::MAX_OVERTAKEN_BYTES;

/// The way to the file, for one engine.
#[derive(Debug)]
pub(super) struct Overtaken {
    server: String,
    file: PathBuf,
    counters: Arc<Counters>,
    thread: Option<(Sender<Batch>, JoinHandle<()>)>,
}

/// Parts of values of one type.
#[derive(Debug)]
struct Batch {
    schema: Arc<Schema>,
    ty: TypeIndex,
    parts: Vec<Lost>,
}

/// A line of the file.
#[derive(Debug, serde::Serialize)]
struct Line<'a> {
    at: String,
    server: &'a str,
    /// Where it was: `state.dbs[0].keys["s"]`.
    path: String,
    #[serde(rename = "type")]
    ty: &'a str,
    /// What it was.
    value: &'a RawValue,
}

impl Overtaken {
    pub fn new(server: &str, file: PathBuf, counters: Arc<Counters>) -> Self {
        Self { server: server.to_owned(), file, counters, thread: None }
    }

    /// Exports and reports parts that were lost from values of this type. O(1), but for the first.
    pub fn tell(&mut self, schema: &Arc<Schema>, ty: TypeIndex, parts: Vec<Lost>) {
        if parts.is_empty() {
            return;
        }
        Counters::add(&self.counters.overtaken, parts.len() as u64);
        let (sender, _) = self.thread.get_or_insert_with(|| {
            let (sender, batches) = channel();
            let (server, file) = (self.server.clone(), self.file.clone());
            let thread = std::thread::Builder::new()
                .name(format!("overtaken-{server}"))
                .spawn(move || write(&server, &file, &batches))
                .expect("the system has a thread to give");
            (sender, thread)
        });
        // The thread ends after its sender.
        let _ = sender.send(Batch { schema: Arc::clone(schema), ty, parts });
    }
}

impl Drop for Overtaken {
    /// Waits until all is written.
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.thread.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}

fn write(server: &str, path: &Path, batches: &Receiver<Batch>) {
    while let Ok(batch) = batches.recv() {
        let Batch { schema, ty, parts } = &batch;
        let written = append(server, path, &batch);
        let (count, first) = (parts.len(), way(schema, *ty, &parts[0]));
        let told = "set aside cannot return, since something newer is in its place";
        match written {
            Ok(()) => tracing::warn!(
                verb = "use",
                server,
                count,
                first,
                "what was {told}: exported to {}",
                path.display()
            ),
            // The log is the last place to keep them.
            Err(error) => {
                tracing::error!(
                    verb = "use",
                    server,
                    count,
                    "what was {told}, nor be exported to {}: {error}",
                    path.display()
                );
                for part in parts {
                    let value = value_of(schema, part);
                    tracing::error!(verb = "use", server, value, "{}", way(schema, *ty, part));
                }
            }
        }
    }
}

fn append(server: &str, path: &Path, Batch { schema, ty, parts }: &Batch) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let file = File::options().create(true).append(true).mode(0o600).open(path)?;
    if file.metadata()?.len() > MAX_OVERTAKEN_BYTES {
        let why = format!("it has more than {MAX_OVERTAKEN_BYTES} bytes; move it away");
        return Err(io::Error::other(why));
    }
    let mut out = io::BufWriter::new(file);
    for part in parts {
        let value = RawValue::from_string(value_of(schema, part))?;
        let (at, path) = (crate::time::text(Timestamp::now()), way(schema, *ty, part));
        let ty = schema.type_name(part.ty);
        serde_json::to_writer(&mut out, &Line { at, server, path, ty: &ty, value: &value })?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    out.get_ref().sync_data()
}

/// As JSON, whatever it is.
fn value_of(schema: &Schema, part: &Lost) -> String {
    let value = Describer::new(schema).one(part.ty, &mut &part.image[..]);
    value.unwrap_or_else(|_| format!("{{\"hex\":\"{}\"}}", hex::encode(&part.image)))
}
