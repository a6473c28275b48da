//! A disk whose syncs do what a test says, for a host that has this library in `LD_PRELOAD`.
//!
//! The file that `SLOW_DISK` names says it: `wait` until it says something else, `fail` with EIO, or how
//! many microseconds a sync takes. Anything else, and no file: as the disk does. That is for the journal
//! (fdatasync); with `wait for files` what is synced whole waits instead (fsync).

use std::ffi::c_int;
use std::time::Duration;

/// Between two looks at a file that says `wait`.
const LOOK: Duration = Duration::from_millis(1);

/// In place of the C library's.
#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(fd: c_int) -> c_int {
    loop {
        match said().as_deref().map(str::trim) {
            Some("wait") => {
                std::thread::sleep(LOOK);
                continue;
            }
            Some("fail") => {
                // SAFETY: the thread's own errno.
                unsafe { *libc::__errno_location() = libc::EIO };
                return -1;
            }
            Some(said) => {
                if let Ok(us) = said.parse() {
                    std::thread::sleep(Duration::from_micros(us));
                }
            }
            None => {}
        }
        // SAFETY: a system call without pointers.
        return unsafe { libc::syscall(libc::SYS_fdatasync, fd) } as c_int;
    }
}

/// In place of the C library's.
#[unsafe(no_mangle)]
pub extern "C" fn fsync(fd: c_int) -> c_int {
    while said().is_some_and(|said| said.trim() == "wait for files") {
        std::thread::sleep(LOOK);
    }
    // SAFETY: a system call without pointers.
    unsafe { libc::syscall(libc::SYS_fsync, fd) as c_int }
}

fn said() -> Option<String> {
    std::fs::read_to_string(std::env::var_os("SLOW_DISK")?).ok()
}
