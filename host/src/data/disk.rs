//! What the journal asks of the system. Tests put something in its place that fails.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::segment;

/// What is written at once.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// The calls whose failures decide what is kept.
pub trait Disk: Send + 'static {
    /// Writes the front of `bytes` at an offset; answers how many bytes of it.
    ///
    /// # Errors
    /// What the system says.
    fn write_at(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize>;

    /// Writes zeros over a range of a file.
    ///
    /// # Errors
    /// What the system says; some of them may be there.
    fn write_zeros(&mut self, file: &File, range: Range<u64>) -> io::Result<()>;

    /// Returns when all that was written is on disk.
    ///
    /// # Errors
    /// What the system says. It may have dropped the pages, so asking again proves nothing.
    fn sync(&mut self, file: &File) -> io::Result<()>;

    /// Makes the segment with this head.
    ///
    /// # Errors
    /// What the system says.
    fn create_segment(&mut self, folder: &Path, head: segment::Head) -> io::Result<File>;
}

/// The system itself.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Disk for System {
    fn write_at(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        file.write_at(bytes, at)
    }

    fn write_zeros(&mut self, file: &File, range: Range<u64>) -> io::Result<()> {
        let mut at = range.start;
        while at < range.end {
            let most = (range.end - at).min(ZEROS.len() as u64) as usize;
            file.write_all_at(&ZEROS[..most], at)?;
            at += most as u64;
        }
        Ok(())
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_data()
    }

    fn create_segment(&mut self, folder: &Path, head: segment::Head) -> io::Result<File> {
        segment::create(folder, head)
    }
}
