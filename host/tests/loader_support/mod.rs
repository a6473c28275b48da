//! What the loader's tests share: a loader with a stage of its own, and files made to order.

#![allow(dead_code, reason = "each test file uses a part")]

#[path = "../../../tests/src/artifacts.rs"]
pub mod artifacts;
#[path = "../../../tests/src/patch.rs"]
pub mod patch;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use hotshell::error::{Code, Error, Result};
use hotshell::loader::{Loaded, Loader, LoaderConfig, vet_host_table};
use hotshell_plugin_api::abi::{Buffer, Call, NO_WAKE, NOT_BEGUN, OUTCOME_DONE};
use tempfile::TempDir;

/// A loader and a directory for its stage and for test files. The vet child is this build's binary.
pub struct Bench {
    pub loader: Loader,
    dir: TempDir,
}

pub fn bench() -> Bench {
    bench_with(Duration::from_secs(30))
}

/// With a short patience for plugins that hang.
pub fn bench_with(vet_timeout: Duration) -> Bench {
    let dir = TempDir::new().expect("a temporary directory");
    let mut config = LoaderConfig::new(dir.path().join("stage"));
    config.vet_timeout = vet_timeout;
    config.vet_program = PathBuf::from(env!("CARGO_BIN_EXE_hotshell"));
    Bench { loader: Loader::new(config, vet_host_table()).expect("a loader"), dir }
}

impl Bench {
    /// Writes a file and answers its path.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.dir.path().join(name);
        fs::write(&path, bytes).expect("a file");
        path
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Names of staged files.
    pub fn staged(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path().join("stage")).expect("the stage");
        entries.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    pub fn load(&self, path: &Path) -> Result<Loaded> {
        self.loader.load(path, 1, &AtomicBool::new(false))
    }

    /// Loads bytes that must be refused, and checks that nothing is left of the attempt and that
    /// `check` says the same.
    pub fn refusal(&self, bytes: &[u8]) -> Error {
        let path = self.file("plugin.so", bytes);
        let error = self.load(&path).expect_err("a refusal");
        assert_eq!(error.message, format!("cannot load '{}'", path.display()));
        assert!(!error.detail.is_empty() && !error.hint.is_empty(), "three parts: {error}");
        self.nothing_is_left();
        error
    }

    /// The refusal of `misbehave` with a behaviour.
    pub fn refusal_of(&self, behaviour: &str) -> Error {
        self.refusal(&misbehave(behaviour))
    }

    pub fn nothing_is_left(&self) {
        assert_eq!(self.staged(), Vec::<String>::new(), "no staged file stays");
        let maps = fs::read_to_string("/proc/self/maps").expect("maps");
        let stage = self.dir.path().join("stage").display().to_string();
        assert!(!maps.contains(&stage), "no image stays mapped");
    }
}

/// The bytes of a built plugin.
pub fn built(package: &str) -> Vec<u8> {
    fs::read(artifacts::plugin(package)).expect("a built plugin")
}

/// `misbehave`, told what to do.
pub fn misbehave(behaviour: &str) -> Vec<u8> {
    let mut bytes = built("misbehave");
    patch::behaviour(&mut bytes, behaviour);
    bytes
}

/// Code and texts of an error; `parts` must be in its detail, `hint` in its hint.
#[track_caller]
pub fn says(error: &Error, code: Code, parts: &[&str], hint: &str) {
    assert_eq!(error.code, code, "{error}");
    for part in parts {
        assert!(error.detail.contains(part), "detail misses {part:?}: {}", error.detail);
    }
    assert!(error.hint.contains(hint), "hint misses {hint:?}: {}", error.hint);
}

/// Polls until a condition holds, for at most three minutes.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(180);
    while !holds() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::yield_now();
    }
}

/// The plugin's state and one client of it, called as an engine would.
pub struct Called {
    table: hotshell_plugin_api::abi::PluginTable,
    state: *mut u8,
    session: Box<u64>,
}

impl Called {
    pub fn start(loaded: &Loaded) -> Self {
        let table = loaded.callable.table;
        let mut called = Self { table, state: std::ptr::null_mut(), session: Box::new(0) };
        let mut root = std::ptr::null_mut();
        let table = called.table;
        // SAFETY: the image is mapped and the call is whole.
        called.call(b"", |call| unsafe { (table.init)(call, &raw mut root).code });
        called.state = root;
        called
    }

    /// Sends one line; answers what the plugin wrote.
    pub fn line(&mut self, line: &str) -> String {
        let table = self.table;
        // SAFETY: as in `start`; the session is a u64, as misbehave's is.
        let (_, out) = self.call(line.as_bytes(), |call| unsafe { (table.data)(call).code });
        out
    }

    pub fn tick(&mut self) {
        let table = self.table;
        // SAFETY: as in `start`.
        let (code, _) = self.call(b"", |call| unsafe { (table.tick)(call).code });
        assert_eq!(code, OUTCOME_DONE);
    }

    fn call(&mut self, input: &[u8], run: impl FnOnce(*mut Call) -> u32) -> (u32, String) {
        // Leaked: the plugin grows them on its own heap.
        let [out, message] = [(); 2].map(|()| Box::into_raw(Box::new(Buffer::new())));
        let mut call = Call {
            size: size_of::<Call>() as u32,
            failed: 0,
            client: 1,
            server: std::ptr::null_mut(),
            state: self.state,
            session: (&raw mut *self.session).cast(),
            out,
            input: input.as_ptr(),
            input_len: input.len(),
            begun: NOT_BEGUN,
            need: 0,
            unix_ms: 0,
            monotonic_ns: 0,
            wake_at_ms: NO_WAKE,
            message,
        };
        let code = run(&raw mut call);
        // SAFETY: the call is over.
        let text = unsafe { String::from_utf8_lossy((*out).as_slice()).into_owned() };
        (code, text)
    }
}
