//! What the kernel says of the process, for INFO. Each is a look into `/proc`: microseconds.

/// Bytes of a page, and ticks of the kernel's clock in a second: the same on all Linux that hotshell
/// runs on.
const PAGE: u64 = 4096;
const TICKS: f64 = 100.0;

/// CPU time in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cpu {
    /// In the kernel.
    pub system: f64,
    /// Outside of it.
    pub user: f64,
    /// In the kernel, of children that have ended.
    pub system_children: f64,
    /// Outside of it, of children that have ended.
    pub user_children: f64,
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Resident memory in bytes; 0 when it cannot be told.
pub fn resident() -> u64 {
    let pages = read("/proc/self/statm");
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * PAGE
}

/// Memory of the machine in bytes; 0 when it cannot be told.
pub fn machine_memory() -> u64 {
    let all = read("/proc/meminfo");
    let total = all.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|total| total.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// CPU time of all threads.
pub fn cpu() -> Cpu {
    cpu_of(&read("/proc/self/stat"))
}

/// CPU time of this thread.
pub fn cpu_of_thread() -> Cpu {
    cpu_of(&read("/proc/thread-self/stat"))
}

fn cpu_of(stat: &str) -> Cpu {
    // The second field is the name, which may hold anything; the times are the 14th to the 17th.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut times = rest.split_whitespace().skip(11);
    let mut time = || {
        let ticks = times.next().and_then(|ticks| ticks.parse::<u64>().ok());
        ticks.unwrap_or(0) as f64 / TICKS
    };
    Cpu { user: time(), system: time(), user_children: time(), system_children: time() }
}

/// The program's file.
pub fn executable() -> String {
    let path = std::fs::read_link("/proc/self/exe").unwrap_or_default();
    path.to_string_lossy().into_owned()
}

/// The kernel, as Redis shows it: `Linux 6.1.0 x86_64`.
pub fn system() -> String {
    let release = read("/proc/sys/kernel/osrelease");
    format!("Linux {} {}", release.trim(), std::env::consts::ARCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_a_program() {
        assert!(resident() > 100_000 && machine_memory() > resident());
        assert!(executable().starts_with('/'));
        assert!(system().starts_with("Linux ") && !system().contains('\n'));
    }

    #[test]
    fn a_name_with_brackets_and_spaces_hides_no_time() {
        let stat = "7 (a) b (c) S 1 1 1 0 -1 4 10 0 0 0 250 125 50 25 20 0 1";
        let times = Cpu { user: 2.5, system: 1.25, user_children: 0.5, system_children: 0.25 };
        assert_eq!(cpu_of(stat), times);
        assert_eq!(cpu_of(""), Cpu::default());
    }
}
