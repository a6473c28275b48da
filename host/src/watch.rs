//! The watcher: swaps by itself when the plugin's file changes, or a newer version of the same
//! plugin is put beside it. It has no powers of its own: it asks the control thread as an admin
//! would.
//!
//! What lay in the folder at the start is left alone. A file counts once it is finished (closed
//! after writing, moved or linked into place). A content that was refused is not tried again, so a
//! refusal is logged once; and a rollback is not undone, since it changes no file.
//!
//! The folder is the one that the path leads to now: a `current` on the way to it that is pointed to
//! the next release, and a folder that a build makes anew, are followed.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use semver::Version;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::{sleep, timeout};

use crate::commands::{Request, execute, find};
use crate::control::{Checked, Control};
use crate::error::{Code, Error, Result};
use crate::options::Options;

/// How long a folder must be quiet before it is looked at.
const QUIET: Duration = Duration::from_millis(150);
/// How long to wait for that at most, in a folder in which something happens all the time.
const MOST_QUIET: Duration = Duration::from_secs(5);
/// How long to wait before asking again when the host was busy.
const BUSY_PAUSE: Duration = Duration::from_millis(500);

/// What tells one content of a path from another without reading it: device, inode, size, mtime.
type Print = (u64, u64, u64, i64, i64);

/// One server's watcher.
struct Watcher {
    control: Rc<Control>,
    server: String,
    file: PathBuf,
    folder: PathBuf,
    prints: HashMap<PathBuf, Print>,
    /// Digests of what was refused, and texts of what could not even be read.
    refused: HashSet<String>,
}

/// Starts to watch for a server.
///
/// # Errors
/// `START` when the folder cannot be watched.
pub fn start(control: Rc<Control>, server: &str, file: &Path) -> Result<()> {
    let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
    let (events, heard) = mpsc::unbounded_channel();
    let failed = |error: notify::Error| {
        let message = format!("cannot watch '{}'", folder.display());
        let hint = "start without --watch, or raise fs.inotify.max_user_watches";
        Error::new(Code::Start, message, error.to_string(), hint)
    };
    let (own, way) = (file.to_owned(), folder.clone());
    let on_event = move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_finished(&event) && concerns(&event, &own, &way)) {
            // Fails only when the host stops.
            let _ = events.send(());
        }
    };
    let mut notifier = notify::recommended_watcher(on_event).map_err(failed)?;
    notifier.watch(&folder, RecursiveMode::NonRecursive).map_err(failed)?;
    for above in way_to(&folder) {
        // Without them only the folder that is there now is watched.
        let _ = notifier.watch(&above, RecursiveMode::NonRecursive);
    }
    let (server, file) = (server.to_owned(), file.to_owned());
    let (prints, refused) = (HashMap::new(), HashSet::new());
    let mut watcher = Watcher { control, server, file, folder, prints, refused };
    watcher.changed();
    tokio::task::spawn_local(watcher.run(notifier, heard));
    Ok(())
}

/// Folders in which it is decided which folder a path leads to: the one above it, and those of the
/// symlinks on the way.
fn way_to(folder: &Path) -> Vec<PathBuf> {
    let is_link = |path: &&Path| fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
    let links = folder.ancestors().filter(|path| *path == folder || is_link(path));
    links.filter_map(|path| path.parent().map(Path::to_owned)).collect()
}

/// Whether a file may be whole now. What is created in one step, such as a link, is not written
/// to.
fn is_finished(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Modify(ModifyKind::Name(RenameMode::To | RenameMode::Both)) => true,
        EventKind::Create(_) => event.paths.iter().any(|path| {
            fs::symlink_metadata(path)
                .is_ok_and(|found| found.is_symlink() || found.is_dir() || found.nlink() > 1)
        }),
        _ => false,
    }
}

/// Whether what happened is about a plugin file, a link, or the way to the folder: in a folder that is
/// used for other things, too, those would keep the watcher from ever looking.
fn concerns(event: &Event, file: &Path, folder: &Path) -> bool {
    event.paths.iter().any(|path| {
        let plugin = path.extension().is_some_and(|end| end == "so");
        let link = || fs::symlink_metadata(path).is_ok_and(|found| found.is_symlink());
        (path.parent() == Some(folder) && (plugin || link()))
            || path == file
            || folder.starts_with(path)
    })
}

impl Watcher {
    async fn run(mut self, mut notifier: RecommendedWatcher, mut heard: UnboundedReceiver<()>) {
        while heard.recv().await.is_some() {
            let quiet = async { while let Ok(Some(())) = timeout(QUIET, heard.recv()).await {} };
            let _ = timeout(MOST_QUIET, quiet).await;
            self.follow(&mut notifier);
            let changed = self.changed();
            self.consider(changed).await;
        }
        drop(notifier);
    }

    /// Watches the folder that the path leads to now. Whether it is the one of before cannot be told: a
    /// new folder may have the inode of the old one.
    fn follow(&self, notifier: &mut RecommendedWatcher) {
        // The folder of before may be gone, and its watch with it.
        let _ = notifier.unwatch(&self.folder);
        if let Err(error) = notifier.watch(&self.folder, RecursiveMode::NonRecursive)
            && self.folder.is_dir()
        {
            tracing::warn!(verb = "watch", server = self.server, "cannot go on: {error}");
        }
    }

    /// Files of the folder that have another content than at the last look.
    fn changed(&mut self) -> Vec<PathBuf> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let beside = entries.map(|entry| entry.path());
        let beside = beside.filter(|path| path.extension().is_some_and(|end| end == "so"));
        let mut paths: Vec<PathBuf> = beside.chain([self.file.clone()]).collect();
        paths.sort();
        paths.dedup();
        paths.retain(|path| {
            let Some(print) = print_of(path) else { return false };
            self.prints.insert(path.clone(), print) != Some(print)
        });
        paths
    }

    async fn consider(&mut self, changed: Vec<PathBuf>) {
        let mut best: Option<(Version, String, PathBuf)> = None;
        for path in changed {
            if let Some((version, digest)) = self.wanted(&path).await {
                let newer = best.as_ref().is_none_or(|(best, ..)| version > *best);
                best = if newer { Some((version, digest, path)) } else { best };
            }
        }
        if let Some((_, digest, path)) = best {
            self.swap(&path, digest).await;
        }
    }

    /// The version and digest of a file, if the server should switch to it.
    async fn wanted(&mut self, path: &Path) -> Option<(Version, String)> {
        let server = self.control.server(Some(&self.server)).ok()?;
        let checked = match self.control.check(path.to_owned(), Some(server)).await {
            Ok(checked) => checked,
            Err(refused) => {
                self.note_refusal(path, &refused);
                return None;
            }
        };
        let Checked { artifact, .. } = checked;
        let registry = server.registry.borrow();
        let active = &registry.active().artifact;
        if active.digest == artifact.digest || self.refused.contains(&artifact.digest) {
            return None;
        }
        let version = Version::parse(&artifact.version).ok()?;
        let same_file = path == self.file || path == active.path;
        let newer = Version::parse(&active.version).is_ok_and(|active| version > active);
        let same_plugin = artifact.plugin == active.plugin;
        let wanted = same_file || (same_plugin && newer);
        wanted.then_some((version, artifact.digest))
    }

    fn note_refusal(&mut self, path: &Path, refused: &Error) {
        let first = self.refused.insert(refused.to_string());
        let ours = path == self.file;
        if ours && first {
            tracing::warn!(
                verb = "watch",
                server = self.server,
                code = refused.code.text(),
                "{refused}"
            );
        } else {
            tracing::debug!(verb = "watch", server = self.server, "{refused}");
        }
    }

    async fn swap(&mut self, path: &Path, digest: String) {
        loop {
            let options = Options { server: Some(self.server.clone()), ..Options::default() };
            let request = Request {
                verb: find("swap").expect("it is in the table"),
                args: vec![path.as_os_str().as_encoded_bytes().to_vec()],
                options,
                asker: "watcher".to_owned(),
            };
            match execute(&self.control, request).await {
                Err(error) if error.code == Code::Busy => sleep(BUSY_PAUSE).await,
                // The control thread has logged the outcome.
                Err(_) => {
                    self.refused.insert(digest);
                    return;
                }
                Ok(_) => return,
            }
        }
    }
}

fn print_of(path: &Path) -> Option<Print> {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.len(), file.mtime(), file.mtime_nsec()))
}
