//! Low priority, for threads whose work can wait while an engine's cannot.

/// How far below the engines, as a nice value: a tenth of their share where there is too little for all.
const NICE: i32 = 10;
/// The time slice it asks for, in nanoseconds: the longest that Linux grants.
///
/// A thread that wakes up interrupts the running one at once if its own slice is the shorter one, and
/// otherwise waits for some milliseconds, whatever their nice values (sched(7); since Linux 6.12). So
/// who asks for a long one gives way to everybody.
const SLICE_NS: u64 = 100_000_000;

/// Lets all other threads go before the calling one, or before the calling process if that has only
/// this one. It is still served where all processors are busy. Best effort: without it the work is only
/// less polite.
pub fn give_way() {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: libc::SCHED_BATCH as u32,
        sched_flags: 0,
        sched_nice: NICE,
        sched_priority: 0,
        sched_runtime: SLICE_NS,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: the kernel reads `size` bytes of a struct that outlives the call; 0 is the calling thread.
    let refused =
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) } != 0;
    if refused {
        let _ = rustix::process::setpriority_process(None, NICE);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_thread_that_gives_way_is_batch_work_of_nice_10() {
        let thread = std::thread::spawn(|| {
            super::give_way();
            let nice = rustix::process::getpriority_process(None).expect("a thread has one");
            let told = std::fs::read_to_string("/proc/thread-self/sched").unwrap_or_default();
            // SAFETY: asks about the calling thread.
            (nice, unsafe { libc::sched_getscheduler(0) }, told)
        });
        let (nice, policy, told) = thread.join().expect("it ends");
        assert_eq!((nice, policy), (10, libc::SCHED_BATCH));
        let slice = told.lines().find(|line| line.starts_with("se.slice"));
        if let Some(slice) = slice.filter(|_| grants_slices()) {
            assert_eq!(slice.rsplit(' ').next(), Some("100000000"), "{slice}");
        }
    }

    /// Whether this is Linux 6.12 or later.
    fn grants_slices() -> bool {
        let uname = rustix::system::uname();
        let release = uname.release().to_string_lossy().into_owned();
        let mut numbers = release.split('.').map_while(|number| number.parse::<u32>().ok());
        (numbers.next(), numbers.next()) >= (Some(6), Some(12))
    }
}
