//! What lies in a folder of `--data`: looked at without changing it and without taking it, so also
//! while a host runs on it.

mod artifacts;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::folder::{Store, cannot};
use super::frame::Kind;
use super::recovery::Step;
use super::snapshot::{Kind as Block, Snapshot};
use super::{Fsync, Origin, Permanent};
use crate::error::{Code, Error, Result};
use crate::time;

pub use self::artifacts::GoneSurvey;
use self::artifacts::gone_artifact;

/// Looks at a folder on which a host runs before what they find wrong is believed.
const LOOKS: usize = 3;

/// Everything in a folder.
#[derive(Debug, Serialize)]
pub struct Survey {
    /// The folder.
    pub folder: PathBuf,
    /// The host that runs on it; null when there is none. What it is writing now may look torn.
    pub host_pid: Option<u32>,
    /// Its servers.
    pub servers: Vec<ServerSurvey>,
}

/// What is kept of one server.
#[derive(Debug, Serialize)]
pub struct ServerSurvey {
    /// Its name.
    pub server: String,
    /// Position behind the last whole frame.
    pub position: u64,
    /// Calls of the plugin that changed something.
    pub frames: u64,
    /// Records in them.
    pub records: u64,
    /// Bytes of all its files.
    pub bytes: u64,
    /// When the newest of them was written.
    pub newest_at: Option<String>,
    /// What is started next, `kv 2.0.0 (sha256:...)`; null before the first start.
    pub permanent: Option<String>,
    /// Its files.
    pub files: Vec<FileSurvey>,
    /// A frame at the end that is not whole; a start cuts it off.
    pub torn: Option<TornSurvey>,
    /// Files whose own artifacts are gone, and which the permanent one reads: its state has the same shape.
    pub gone: Vec<GoneSurvey>,
    /// What keeps it from being read; empty when a start would read all of it.
    pub problems: Vec<Error>,
}

/// What a crash left unfinished.
#[derive(Debug, Serialize)]
pub struct TornSurvey {
    /// The file.
    pub file: String,
    /// Where in it the frame begins.
    pub offset: u64,
    /// Bytes of it that are there.
    pub bytes: u64,
}

/// A file.
#[derive(Debug, Serialize)]
pub struct FileSurvey {
    /// Its name, below the server's folder.
    pub file: String,
    /// `journal`, `snapshot`, `artifact`, `permanent`, `starts`, `leftover` (of a crash) or `other`.
    pub kind: &'static str,
    /// Its size.
    pub bytes: u64,
    /// When it was written last.
    pub changed_at: Option<String>,
    /// Position of its first frame.
    pub first: Option<u64>,
    /// Calls of the plugin in it.
    pub frames: Option<u64>,
    /// Records in them; entries of a snapshot.
    pub records: Option<u64>,
    /// The generation that wrote it.
    pub generation: Option<u64>,
    /// Digest of the artifact that wrote it.
    pub digest: Option<String>,
}

impl Survey {
    /// Looks at a folder. O(bytes in it).
    ///
    /// # Errors
    /// `DATA`: it is none, or cannot be read. What is wrong with a file is part of the survey.
    pub fn of(folder: &Path) -> Result<Self> {
        let look = || -> Result<Self> {
            let servers = stores(folder)?;
            let servers = servers.iter().map(|(name, store)| ServerSurvey::of(name, store));
            let servers = servers.collect();
            Ok(Self { folder: folder.to_owned(), host_pid: holder(folder), servers })
        };
        let mut survey = look()?;
        for _ in 1..LOOKS {
            // A host that runs may have begun or removed a file in the middle of the look.
            if survey.host_pid.is_none() || survey.problems().next().is_none() {
                break;
            }
            survey = look()?;
        }
        Ok(survey)
    }

    /// Everything that keeps a server from being read.
    pub fn problems(&self) -> impl Iterator<Item = &Error> {
        self.servers.iter().flat_map(|server| &server.problems)
    }
}

/// The servers of a folder.
pub(super) fn stores(folder: &Path) -> Result<Vec<(String, Store)>> {
    let entries = fs::read_dir(folder).map_err(|error| {
        let hint = "name the folder that `serve --data` was given";
        let message = format!("cannot look into '{}'", folder.display());
        Error::new(Code::Data, message, error.to_string(), hint)
    })?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| cannot(folder, &error))?.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        if path.is_dir() && is_kept(&path) {
            let name = name.to_owned();
            found.push((name, Store { folder: path, fsync: Fsync::default() }));
        }
    }
    found.sort_by(|(a, _), (b, _)| a.cmp(b));
    if found.is_empty() {
        return Err(Error::new(
            Code::Data,
            format!("'{}' keeps no data", folder.display()),
            "no folder in it has a journal or a permanent.json",
            "name the folder that `serve --data` was given, not one in it",
        ));
    }
    Ok(found)
}

/// Whether a folder looks like that of a server.
fn is_kept(folder: &Path) -> bool {
    let mut names = fs::read_dir(folder).into_iter().flatten().flatten();
    names.any(|entry| !matches!(kind_of(&entry.file_name().to_string_lossy()), "other"))
}

/// The host that has locked a folder: told by the kernel's list of locks, so that looking takes none.
fn holder(folder: &Path) -> Option<u32> {
    let lock = folder.join("lock");
    let inode = fs::metadata(&lock).ok()?.ino();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let held = locks.lines().any(|line| {
        let place = line.split_whitespace().find(|word| word.matches(':').count() == 2);
        let found = place.and_then(|place| place.rsplit(':').next()?.parse::<u64>().ok());
        line.contains("FLOCK") && found == Some(inode)
    });
    let pid = fs::read_to_string(&lock).ok().filter(|_| held)?;
    pid.trim().parse().ok()
}

fn kind_of(name: &str) -> &'static str {
    let extension = Path::new(name).extension().and_then(|end| end.to_str());
    match (name, extension) {
        ("permanent.json", _) => "permanent",
        ("starts", _) => "starts",
        (_, Some("new")) => "leftover",
        (_, Some("hsj")) if name.starts_with("journal-") => "journal",
        (_, Some("hss")) if name.starts_with("snapshot-") => "snapshot",
        (_, Some("so")) => "artifact",
        _ => "other",
    }
}

impl ServerSurvey {
    fn of(name: &str, store: &Store) -> Self {
        let mut survey = Self {
            server: name.to_owned(),
            position: 0,
            frames: 0,
            records: 0,
            bytes: 0,
            newest_at: None,
            permanent: None,
            files: files(&store.folder),
            torn: None,
            gone: Vec::new(),
            problems: Vec::new(),
        };
        survey.bytes = survey.files.iter().map(|file| file.bytes).sum();
        let data = survey.files.iter().filter(|file| matches!(file.kind, "journal" | "snapshot"));
        survey.newest_at = data.filter_map(|file| file.changed_at.clone()).max();
        let mut writers = Vec::new();
        let from = survey.read_snapshot(store, &mut writers);
        survey.read_journal(store, from, &mut writers);
        survey.read_permanent(store);
        survey.look_for_writers(store, &writers);
        survey.check_artifacts(&store.folder);
        survey
    }

    /// Verifies the newest snapshot; answers the position from which the journal goes on.
    fn read_snapshot(&mut self, store: &Store, writers: &mut Vec<(String, Origin)>) -> Option<u64> {
        let snapshot = match store.snapshot() {
            Ok(snapshot) => snapshot?,
            Err(problem) => {
                self.problems.push(problem);
                return None;
            }
        };
        let (head, name) = (snapshot.head, name_of(&snapshot.path));
        writers.push((name.clone(), head.origin));
        let entries = match entries_of(snapshot) {
            Ok(entries) => Some(entries),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        };
        if let Some(file) = self.files.iter_mut().find(|file| file.file == name) {
            (file.first, file.records) = (Some(head.position), entries);
            file.generation = Some(head.origin.generation);
            file.digest = Some(head.origin.digest.to_string());
        }
        Some(head.position)
    }

    fn read_journal(
        &mut self,
        store: &Store,
        from: Option<u64>,
        writers: &mut Vec<(String, Origin)>,
    ) {
        let (files, mut current) = (&mut self.files, None);
        let read = store.read(from, &mut |step| {
            if let Step::Segment(segment, _) = step {
                current = files.iter().position(|file| file.file == segment.name());
            }
            // A file that is new since the folder was looked at counts the next time.
            let Some(file) = current.map(|at| &mut files[at]) else { return Ok(()) };
            match step {
                Step::Segment(_, head) => {
                    (file.first, file.frames, file.records) = (Some(head.first), Some(0), Some(0));
                    file.generation = Some(head.origin.generation);
                    file.digest = Some(head.origin.digest.to_string());
                }
                Step::Frame(frame) if frame.kind == Kind::Call => {
                    if file.frames == Some(0) {
                        // What holds no call needs nobody who reads it.
                        writers.push((file.file.clone(), frame.head.origin));
                    }
                    *file.frames.get_or_insert(0) += 1;
                    *file.records.get_or_insert(0) += frame.records().count() as u64;
                }
                Step::Frame(_) => {}
            }
            Ok(())
        });
        self.frames = self.files.iter().filter_map(|file| file.frames).sum();
        let journal = self.files.iter().filter(|file| file.kind == "journal");
        self.records = journal.filter_map(|file| file.records).sum();
        match read {
            Ok((found, torn)) => {
                self.position = found.position;
                self.torn = torn.map(|torn| TornSurvey {
                    file: name_of(&torn.path),
                    offset: torn.offset,
                    bytes: torn.bytes,
                });
            }
            Err(problem) => self.problems.push(problem),
        }
    }

    fn read_permanent(&mut self, store: &Store) {
        match store.permanent() {
            Ok(permanent) => {
                let Some(last) = permanent.as_ref().and_then(Permanent::last) else { return };
                self.permanent = Some(last.title());
                let artifact = last.digest.parse().map(|digest| store.artifacts().path(&digest));
                if let Some(gone) = artifact.ok().filter(|path| !path.exists()) {
                    self.problems.push(gone_artifact(&gone, last));
                }
            }
            Err(problem) => self.problems.push(problem),
        }
    }
}

pub(super) fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Entries of a snapshot, all of whose blocks are looked at.
fn entries_of(snapshot: Snapshot) -> Result<u64> {
    for block in snapshot.blocks()? {
        let (kind, content) = block?;
        if kind == Block::Done {
            return Ok(content.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)));
        }
    }
    Ok(0)
}

/// All files of a server, those in the folder of artifacts included.
fn files(folder: &Path) -> Vec<FileSurvey> {
    let mut found = Vec::new();
    for (below, prefix) in [(folder.to_owned(), ""), (folder.join("artifacts"), "artifacts/")] {
        for entry in fs::read_dir(below).into_iter().flatten().flatten() {
            // A host that runs may have removed it meanwhile.
            let Ok(meta) = entry.metadata() else { continue };
            if meta.is_dir() {
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            let changed = meta.modified().ok().and_then(|at| Timestamp::try_from(at).ok());
            found.push(FileSurvey {
                kind: kind_of(&name),
                file: format!("{prefix}{name}"),
                bytes: meta.len(),
                changed_at: changed.map(time::text),
                first: None,
                frames: None,
                records: None,
                generation: None,
                digest: None,
            });
        }
    }
    found.sort_by(|a, b| a.file.cmp(&b.file));
    found
}
