//! [`Output`]: a file that is written front to back while others need the processors.
//!
//! The bytes of a snapshot are wanted at the next start, if ever, so they go past the system's cache where
//! the file system can do that: then there is no second copy of them, no thread of the kernel writes them
//! back at a time and a priority of its own, and the cache keeps what it has. Elsewhere the system is asked
//! to write back as the file grows. A system call is not interrupted by whoever has more right to the
//! processor, so none is long, and between two of them the thread gives way.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// What the file system wants offsets, lengths and addresses to be multiples of, at most.
const ALIGN: usize = 4096;
/// Bytes that are written at once.
const CHUNK: usize = 128 << 10;

/// A file that is being written.
#[derive(Debug)]
pub(super) struct Output {
    file: File,
    /// Room for a chunk behind a first byte at an aligned address.
    room: Vec<u8>,
    first: usize,
    /// Bytes in the chunk.
    held: usize,
    /// Bytes of the file before the chunk.
    written: u64,
    /// Past the system's cache.
    direct: bool,
}

impl Output {
    /// Makes a file, or empties the one that is there. `direct`: past the system's cache, where that can
    /// be.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn create(path: &Path, direct: bool) -> io::Result<Self> {
        let open = |flags| {
            let mut options = File::options();
            options.write(true).create(true).truncate(true).mode(0o600).custom_flags(flags);
            options.open(path)
        };
        let (file, direct) = match open(if direct { libc::O_DIRECT } else { 0 }) {
            // The file system knows only its cache.
            Err(error) if direct && is_invalid(&error) => (open(0)?, false),
            file => (file?, direct),
        };
        let room = vec![0; CHUNK + ALIGN];
        let first = room.as_ptr().align_offset(ALIGN);
        Ok(Self { file, room, first, held: 0, written: 0, direct })
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// What the system says; the file is of no use then.
    pub(super) fn put(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK - self.held));
            let at = self.first + self.held;
            self.room[at..at + now.len()].copy_from_slice(now);
            self.held += now.len();
            bytes = later;
            if self.held == CHUNK {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Bytes so far.
    pub(super) const fn len(&self) -> u64 {
        self.written + self.held as u64
    }

    /// Returns when all of it is on disk.
    ///
    /// # Errors
    /// What the system says; the file is of no use then.
    pub(super) fn finish(mut self) -> io::Result<()> {
        if !self.held.is_multiple_of(ALIGN) {
            self.use_cache()?;
        }
        self.flush()?;
        self.file.sync_all()
    }

    fn flush(&mut self) -> io::Result<()> {
        let mut chunk = &self.room[self.first..self.first + self.held];
        while !chunk.is_empty() {
            match self.file.write_at(chunk, self.written) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(some) => {
                    self.written += some as u64;
                    chunk = &chunk[some..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It wants more than this alignment, or took a part of the chunk.
                Err(error) if self.direct && is_invalid(&error) => {
                    self.direct = false;
                    leave_direct(&self.file)?;
                }
                Err(error) => return Err(error),
            }
        }
        if !self.direct {
            write_back(&self.file, self.written - self.held as u64, self.held as u64);
        }
        self.held = 0;
        std::thread::yield_now();
        Ok(())
    }

    fn use_cache(&mut self) -> io::Result<()> {
        if self.direct {
            self.direct = false;
            leave_direct(&self.file)?;
        }
        Ok(())
    }
}

fn is_invalid(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}

/// What is written from here on goes through the system's cache.
fn leave_direct(file: &File) -> io::Result<()> {
    Ok(fcntl_setfl(file, fcntl_getfl(file)? - OFlags::DIRECT)?)
}

/// Asks the system to begin to write a range back. A hint: what it answers changes nothing.
fn write_back(file: &File, from: u64, len: u64) {
    // SAFETY: a system call on an open file, without pointers.
    unsafe {
        libc::sync_file_range(
            file.as_raw_fd(),
            from as i64,
            len as i64,
            libc::SYNC_FILE_RANGE_WRITE,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written in pieces is the file, whatever their sizes and however it is written.
    #[test]
    fn what_is_put_in_pieces_is_the_file() {
        let folder = tempfile::tempdir().expect("a folder");
        for (direct, total) in
            [(true, 0), (true, 1), (true, ALIGN), (true, 3 * CHUNK + 77), (false, 2 * CHUNK)]
        {
            let path = folder.path().join("file");
            let bytes: Vec<u8> = (0..total).map(|n| (n % 251) as u8).collect();
            let mut output = Output::create(&path, direct).expect("made");
            let mut rest = &bytes[..];
            for size in [1, 11, 4096, 100_000, usize::MAX] {
                let (now, later) = rest.split_at(size.min(rest.len()));
                output.put(now).expect("written");
                rest = later;
            }
            assert_eq!(output.len(), total as u64);
            output.finish().expect("on disk");
            assert!(
                std::fs::read(&path).expect("there") == bytes,
                "direct {direct}, {total} bytes"
            );
        }
    }

    #[test]
    fn a_file_system_without_a_way_past_its_cache_takes_the_file_all_the_same() {
        let Ok(folder) = tempfile::tempdir_in("/dev/shm") else { return };
        let path = folder.path().join("file");
        let mut output = Output::create(&path, true).expect("made");
        output.put(&[7; CHUNK + 5]).expect("written");
        output.finish().expect("on disk");
        assert_eq!(std::fs::read(&path).expect("there"), [7; CHUNK + 5]);
    }
}
