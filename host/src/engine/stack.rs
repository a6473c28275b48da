//! The stack of an engine's thread, taken from outside while a call of the plugin does not return.
//!
//! A signal makes the thread write down its return addresses; the asker turns them into names from
//! the symbol tables of the files that are mapped there. DWARF is left alone: reading it would cost
//! tens of megabytes per image, for good.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use object::{Object, ObjectSymbol};

use crate::loader::maps::{self, Mapping};

/// Most frames that are told.
const MAX_FRAMES: usize = 48;
/// Where functions that call plugins are.
const CALLER: &str = "hotshell::engine::call::";
/// How long the thread may take to answer.
const PATIENCE: Duration = Duration::from_millis(200);
/// The signal. Nothing else in the host uses it.
const SIGNAL: i32 = libc::SIGURG;

static FRAMES: [AtomicUsize; MAX_FRAMES] = [const { AtomicUsize::new(0) }; MAX_FRAMES];
static TAKEN: AtomicUsize = AtomicUsize::new(0);
static DONE: AtomicBool = AtomicBool::new(false);
static ASKING: Mutex<()> = Mutex::new(());

/// Makes this thread ready to be asked. Call it once on the thread, before it runs plugin code.
pub(super) fn arm() {
    // The unwinder allocates when it is first used; that must not happen in the handler.
    backtrace::trace(|_| true);
    // SAFETY: the handler only reads this thread's stack and writes atomics.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_signal as extern "C" fn(i32) as usize;
        action.sa_flags = libc::SA_RESTART;
        libc::sigaction(SIGNAL, &action, std::ptr::null_mut());
    }
}

extern "C" fn on_signal(_: i32) {
    let mut count = 0;
    // SAFETY: `ASKING` lets one asker at a time signal one thread, so this does not run twice at once.
    unsafe {
        backtrace::trace_unsynchronized(|frame| {
            FRAMES[count].store(frame.ip().expose_provenance(), Ordering::Relaxed);
            count += 1;
            count < MAX_FRAMES
        });
    }
    TAKEN.store(count, Ordering::Relaxed);
    DONE.store(true, Ordering::Release);
}

/// The frames of a thread of this process, innermost first, one line each; empty when it does not
/// answer, as a thread that is in the kernel for good.
pub fn of_thread(thread: u64) -> Vec<String> {
    let _one = ASKING.lock().unwrap_or_else(PoisonError::into_inner);
    DONE.store(false, Ordering::Relaxed);
    // SAFETY: sends a signal with a handler to a thread of our own; a stale id is an error, no harm.
    let sent =
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread as libc::pid_t, SIGNAL) };
    let deadline = Instant::now() + PATIENCE;
    while sent == 0 && !DONE.load(Ordering::Acquire) {
        if Instant::now() > deadline {
            return Vec::new();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let taken = if sent == 0 { TAKEN.load(Ordering::Relaxed) } else { 0 };
    let addresses: Vec<usize> =
        FRAMES[..taken].iter().map(|frame| frame.load(Ordering::Relaxed)).collect();
    let mut names = Names::new();
    let lines = addresses.iter().map(|&address| names.line(address)).collect::<Vec<_>>();
    of_plugin(lines)
}

/// The frames of the plugin and of who called it. Above them are the handler's own, below them the
/// host's and the runtime's.
fn of_plugin(lines: Vec<String>) -> Vec<String> {
    let handler = lines
        .iter()
        .rposition(|line| line.contains("on_signal") || line.contains("trace_unsynchronized"));
    // One more frame: the kernel's return trampoline.
    let mut lines: Vec<_> = lines.into_iter().skip(handler.map_or(0, |at| at + 2)).collect();
    if let Some(caller) = lines.iter().position(|line| line.starts_with(CALLER)) {
        lines.truncate(caller + 1);
    }
    lines
}

/// Turns addresses into names; reads each mapped file once.
struct Names {
    mappings: Vec<Mapping>,
    files: BTreeMap<String, Vec<(u64, u64, String)>>,
}

impl Names {
    fn new() -> Self {
        Self { mappings: maps::read().unwrap_or_default(), files: BTreeMap::new() }
    }

    fn line(&mut self, address: usize) -> String {
        let Some(found) = maps::holding(&self.mappings, address) else {
            return format!("{address:#x}");
        };
        let path = found.path.clone();
        // The lowest mapping of a file is at its load address.
        let parts = self.mappings.iter().filter(|m| m.file == found.file);
        let base = parts.map(|m| m.range.start).min().unwrap_or(address);
        let offset = (address - base) as u64;
        let symbols = self.files.entry(path.clone()).or_insert_with(|| symbols(&path));
        let at = symbols.partition_point(|(start, ..)| *start <= offset);
        let file = path.rsplit('/').next().unwrap_or(&path);
        match at.checked_sub(1).map(|i| &symbols[i]) {
            Some((start, size, name)) if offset < start + size => {
                format!("{:#} in {file}", rustc_demangle::demangle(name))
            }
            _ => format!("{offset:#x} in {file}"),
        }
    }
}

/// Functions of a file by address: start, size, name. Empty when it cannot be read.
fn symbols(path: &str) -> Vec<(u64, u64, String)> {
    let Ok(bytes) = std::fs::read(path) else { return Vec::new() };
    let Ok(file) = object::File::parse(&*bytes) else { return Vec::new() };
    let functions = file.symbols().chain(file.dynamic_symbols()).filter(|s| s.size() > 0);
    let mut all: Vec<(u64, u64, String)> = functions
        .filter_map(|s| Some((s.address(), s.size(), s.name().ok()?.to_owned())))
        .collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::PATIENCE;

    #[inline(never)]
    extern "C" fn spin_until(stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn the_stack_of_a_thread_that_spins_names_where_it_spins() {
        let stop = AtomicBool::new(false);
        let (tell, hear) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                arm();
                tell.send(rustix::thread::gettid().as_raw_nonzero().get() as u64).unwrap();
                spin_until(&stop);
            });
            let thread = hear.recv().unwrap();
            let deadline = Instant::now() + PATIENCE;
            let lines = loop {
                let lines = of_thread(thread);
                let top = lines.iter().take(3).any(|line| line.contains("spin_until"));
                if top || Instant::now() > deadline {
                    break lines;
                }
            };
            stop.store(true, Ordering::Relaxed);
            let found = lines.iter().position(|line| line.contains("spin_until"));
            assert!(found.is_some_and(|at| at < 3), "the spinning function is on top: {lines:#?}");
        });
    }
}
