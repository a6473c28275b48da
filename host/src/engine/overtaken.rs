//! What was set aside and cannot return, since something newer is in its place: exported to a file, one
//! JSON object a line, and reported in the log.
//!
//! Nobody else has these values, and a switch has no time to describe them; so a thread of its own does,
//! which is started with the first one.
//!
//! A start that repeats switches finds the same parts again. Those that were exported before it are not exported
//! twice; a crash may have come before the others were. The line that a crash tore is cut off: what it was of is
//! exported again by such a start.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use hotshell_plugin_api::migrate::convert::Lost;
use hotshell_plugin_api::schema::{Schema, TypeIndex};
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use super::handle::Counters;
use crate::data::{Describer, way};
use crate::limits::MAX_OVERTAKEN_BYTES;

/// Bytes of a torn line that the log has.
const SHOWN_OF_TORN: usize = 1000;

/// The way to the file, for one engine.
#[derive(Debug)]
pub(super) struct Overtaken {
    server: String,
    file: PathBuf,
    counters: Arc<Counters>,
    /// Whether switches are repeated.
    repeats: bool,
    thread: Option<(Sender<Batch>, JoinHandle<()>)>,
}

/// Parts of values of one type.
#[derive(Debug)]
struct Batch {
    schema: Arc<Schema>,
    ty: TypeIndex,
    parts: Vec<Lost>,
    /// From a switch that is repeated.
    repeated: bool,
}

/// Lines that are in the file since before switches were repeated: how often, by what they say.
#[derive(Debug, Default)]
struct Known(HashMap<[u8; 32], u32>);

/// What is read of a line.
#[derive(Debug, serde::Deserialize)]
struct Read {
    server: String,
    path: String,
    #[serde(rename = "type")]
    ty: String,
    value: Box<RawValue>,
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
        Self { server: server.to_owned(), file, counters, repeats: false, thread: None }
    }

    /// Says whether switches are repeated from here on.
    pub fn repeat(&mut self, repeats: bool) {
        self.repeats = repeats;
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
        let (schema, repeated) = (Arc::clone(schema), self.repeats);
        let _ = sender.send(Batch { schema, ty, parts, repeated });
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
    let mut known = None;
    while let Ok(batch) = batches.recv() {
        let Batch { schema, ty, parts, repeated } = &batch;
        known = repeated.then(|| known.take().unwrap_or_else(|| Known::read(server, path)));
        let written = append(server, path, &batch, known.as_mut());
        let (count, first) = (parts.len(), way(schema, *ty, &parts[0]));
        let told = "set aside cannot return, since something newer is in its place";
        match written {
            Ok(0) => {}
            Ok(count) => tracing::warn!(
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

/// Writes what is not known; answers how many lines that were.
fn append(
    server: &str,
    path: &Path,
    Batch { schema, ty, parts, .. }: &Batch,
    mut known: Option<&mut Known>,
) -> io::Result<usize> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let file = File::options().read(true).create(true).append(true).mode(0o600).open(path)?;
    // The servers of a host may share the file: no line may come between the parts of another one.
    flock(&file, FlockOperation::LockExclusive)?;
    end_last_line(server, &file, path)?;
    if file.metadata()?.len() > MAX_OVERTAKEN_BYTES {
        let why = format!("it has more than {MAX_OVERTAKEN_BYTES} bytes; move it away");
        return Err(io::Error::other(why));
    }
    let mut out = io::BufWriter::new(file);
    let mut count = 0;
    for part in parts {
        let value = RawValue::from_string(value_of(schema, part))?;
        let (at, path) = (crate::time::text(Timestamp::now()), way(schema, *ty, part));
        let ty = schema.type_name(part.ty);
        if known.as_mut().is_some_and(|known| known.take([server, &path, &ty, value.get()])) {
            continue;
        }
        serde_json::to_writer(&mut out, &Line { at, server, path, ty: &ty, value: &value })?;
        out.write_all(b"\n")?;
        count += 1;
    }
    out.flush()?;
    out.get_ref().sync_data()?;
    Ok(count)
}

/// Sees to it that the file ends with a whole line. A crash or a full disk may have torn the last one.
fn end_last_line(server: &str, file: &File, path: &Path) -> io::Result<()> {
    let len = file.metadata()?.len();
    let whole = line_end(file, len)?;
    let torn = len - whole;
    if torn == 0 {
        return Ok(());
    }
    let mut line = vec![0; torn as usize];
    file.read_exact_at(&mut line, whole)?;
    if serde_json::from_slice::<Read>(&line).is_ok() {
        let mut file = file;
        return file.write_all(b"\n");
    }
    file.set_len(whole)?;
    tracing::warn!(
        verb = "use",
        server,
        bytes = torn,
        begins = %line[..line.len().min(SHOWN_OF_TORN)].escape_ascii(),
        "the last line of {} was torn, by a crash or a full disk: {torn} bytes were cut off",
        path.display()
    );
    Ok(())
}

/// Where the last whole line ends, in the first `len` bytes.
fn line_end(file: &File, len: u64) -> io::Result<u64> {
    let mut end = len;
    while end > 0 {
        let mut block = [0; 4096];
        let block = &mut block[..end.min(4096) as usize];
        let start = end - block.len() as u64;
        file.read_exact_at(block, start)?;
        if let Some(at) = block.iter().rposition(|&byte| byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

impl Known {
    /// Reads the lines of a server. Without the file, or behind damage, none are known: then a part is rather
    /// exported twice than not at all.
    fn read(server: &str, path: &Path) -> Self {
        let mut known = Self::default();
        let Ok(file) = File::open(path) else { return known };
        let lines = io::BufReader::new(file).lines().map_while(io::Result::ok);
        for line in lines.filter_map(|line| serde_json::from_str::<Read>(&line).ok()) {
            if line.server == server {
                let words = [server, &line.path, &line.ty, line.value.get()];
                *known.0.entry(digest(words)).or_default() += 1;
            }
        }
        known
    }

    /// Takes a line that says this. False when there is none left.
    fn take(&mut self, words: [&str; 4]) -> bool {
        let count = self.0.get_mut(&digest(words)).filter(|count| **count > 0);
        count.map(|count| *count -= 1).is_some()
    }
}

fn digest(words: [&str; 4]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for word in words {
        digest.update((word.len() as u64).to_le_bytes());
        digest.update(word);
    }
    digest.finalize().into()
}

/// As JSON, whatever it is.
fn value_of(schema: &Schema, part: &Lost) -> String {
    let value = Describer::new(schema).one(part.ty, &mut &part.image[..]);
    value.unwrap_or_else(|_| format!("{{\"hex\":\"{}\"}}", hex::encode(&part.image)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 4] = ["main", "state.people[7]", "Person", "{\"name\":\"a\"}"];

    /// A batch of one part: this number.
    fn batch(number: u32) -> Batch {
        let schema = Arc::new(Schema::of::<u32, ()>());
        let (ty, image) = (schema.root, number.to_le_bytes().to_vec());
        let part = Lost { path: vec![], ty, image, instead: None, marks: vec![] };
        Batch { schema, ty, parts: vec![part], repeated: false }
    }

    /// What the file says after it said this and number 7 was exported.
    fn after(before: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("overtaken.jsonl");
        std::fs::write(&path, before).expect("a disk");
        assert_eq!(append("main", &path, &batch(7), None).expect("it can be written"), 1);
        std::fs::read_to_string(&path).expect("it can be read")
    }

    #[test]
    fn a_torn_last_line_is_cut_off_and_the_next_one_is_whole() {
        let new = after("");
        assert!(new.ends_with("\"value\":7}\n") && new.lines().count() == 1, "{new}");
        // All but the time.
        let what = |text: &str| text.split_once(",\"server\"").map(|of| of.1.to_owned());
        let long = "x".repeat(10_000);
        for whole in ["", &new, &format!("{new}{new}"), &format!("{long}\n")] {
            for torn in ["", "{", &new[..new.len() - 2], &long] {
                let text = after(&format!("{whole}{torn}"));
                let rest = text.strip_prefix(whole).expect("whole lines stay");
                assert_eq!(what(rest), what(&new), "{whole:.50} {torn:.50}");
            }
        }
        let unended = new.trim_end();
        let text = after(unended);
        let rest = text.strip_prefix(&new).expect("a whole line that only lacks its end stays");
        assert_eq!(what(rest), what(&new));
    }

    #[test]
    fn a_line_that_was_written_is_known_as_often_as_it_was_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("overtaken.jsonl");
        let [server, place, ty, value] = WORDS;
        let value = RawValue::from_string(value.to_owned()).expect("it is JSON");
        let line = |server: &str| {
            let (at, path) = ("now".to_owned(), place.to_owned());
            serde_json::to_string(&Line { at, server, path, ty, value: &value }).expect("it is one")
        };
        let text = [&*line(server), "torn {", &*line("other"), &*line(server)].join("\n");
        std::fs::write(&path, text).expect("a disk");
        let mut known = Known::read(server, &path);
        assert!(!known.take(["main", "state.people[8]", ty, value.get()]), "another place");
        assert!(!known.take(["main", place, ty, "{}"]), "another value");
        assert_eq!([(); 3].map(|()| known.take(WORDS)), [true, true, false]);
        assert!(!Known::read("third", &path).take(["third", place, ty, value.get()]));
        assert!(!Known::read(server, Path::new("/nowhere")).take(WORDS));
    }
}
