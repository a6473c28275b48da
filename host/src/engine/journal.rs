//! The engine's side of the journal: the records of a call become a frame, frames wait to be written.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::handle::Counters;
use crate::data::frame::{self, Kind, Salt};
use crate::data::{Fsync, Origin, Progress, Writer};

/// What the engine knows of its journal.
pub(super) struct Journal {
    /// Records of the running call.
    records: Vec<u8>,
    /// Whole frames that the writer has not been given yet.
    frames: Vec<u8>,
    /// Position behind the last frame: bytes of frames since the journal began.
    position: u64,
    /// Frames of calls since the start.
    sealed: u64,
    salt: Salt,
    writer: Writer,
}

impl Journal {
    pub(super) fn new(writer: Writer, position: u64) -> Self {
        let salt = writer.salt();
        Self { records: Vec::new(), frames: Vec::new(), position, sealed: 0, salt, writer }
    }

    /// Adds a record to the frame of the running call.
    pub(super) fn record(&mut self, record: &[u8]) {
        frame::put_record(&mut self.records, record);
    }

    /// Forgets the records of a call that panicked.
    pub(super) fn forget(&mut self) {
        self.records.clear();
    }

    /// Makes one frame of the records of the call that has returned.
    pub(super) fn seal(&mut self) {
        if !self.records.is_empty() {
            self.position +=
                frame::seal(&mut self.frames, self.salt, Kind::Call, &self.records) as u64;
            self.records.clear();
            self.sealed += 1;
        }
    }

    /// Frames of calls since the start.
    pub(super) const fn frames(&self) -> u64 {
        self.sealed
    }

    /// What follows is in a file of its own; answers the position at which that begins, and who tells
    /// that it is there and all before it on disk.
    pub(super) fn begin_file(&mut self, origin: Origin) -> (u64, oneshot::Receiver<()>) {
        self.seal();
        if !self.frames.is_empty() {
            self.writer.append(&mut self.frames, self.position);
        }
        (self.position, self.writer.begin(origin))
    }

    /// What follows is written by another generation: it has a file of its own.
    pub(super) fn switched(&mut self, origin: Origin) {
        // Frames of the new generation wait behind the new file anyway.
        let _ = self.begin_file(origin);
        self.tell_use("use");
    }

    /// The first frame of a file that another generation begins: so no two files have one name.
    pub(super) fn tell_use(&mut self, verb: &str) {
        let mut record = Vec::new();
        frame::put_record(&mut record, verb.as_bytes());
        self.position += frame::seal(&mut self.frames, self.salt, Kind::Use, &record) as u64;
    }

    /// Gives the writer all whole frames. Answers what output must wait for, if it must.
    pub(super) fn hand_over(&mut self) -> Option<(u64, Arc<Progress>)> {
        if !self.frames.is_empty() {
            self.writer.append(&mut self.frames, self.position);
        }
        let progress = self.writer.progress();
        let behind = progress.durable() < self.position;
        // A policy that lets output go ahead of the disk does so as long as the disk keeps up.
        let waits = behind && (progress.fsync() == Fsync::Always || progress.is_late());
        waits.then(|| (self.position, Arc::clone(progress)))
    }

    /// Position behind the last frame.
    pub(super) const fn position(&self) -> u64 {
        self.position
    }

    /// How far it is on disk.
    pub(super) const fn progress(&self) -> &Arc<Progress> {
        self.writer.progress()
    }

    /// Copies how far it is to where other threads read it.
    pub(super) fn publish(&self, out: &Counters) {
        out.journal_position.store(self.position, Ordering::Relaxed);
        out.journal.get_or_init(|| Arc::clone(self.writer.progress()));
    }

    /// Writes everything and returns when it is on disk.
    pub(super) fn close(mut self) {
        self.seal();
        self.hand_over();
        self.writer.close();
    }
}
