//! Goal: a disk that fails costs nothing that was called durable, and nothing that failed is called
//! durable. Method: the journal's thread on real files, with a disk that fails as it is told.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Mutex;
use std::thread::JoinHandle;

use super::*;
use crate::data::frame::Kind;
use crate::data::progress::LATE_AFTER;
use crate::data::tests::Read;
use crate::data::{Folder, Recovered, frame};
use crate::testing::PATIENCE;

pub(super) const SALT: Salt = Salt(7);

/// What becomes of a call, one after the other; then all go well.
#[derive(Debug, Default)]
pub(super) struct Script {
    writes: VecDeque<Result<usize, i32>>,
    pub(super) zeros: VecDeque<Result<(), i32>>,
    syncs: VecDeque<Result<(), i32>>,
    creates: VecDeque<Result<(), i32>>,
    /// Calls so far, in order.
    seen: Vec<&'static str>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Faulty(Arc<Mutex<Script>>);

impl Faulty {
    fn script(&self) -> std::sync::MutexGuard<'_, Script> {
        self.0.lock().expect("no panics")
    }

    pub(super) fn seen(&self, call: &str) -> usize {
        self.script().seen.iter().filter(|seen| **seen == call).count()
    }
}

fn error(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

impl Disk for Faulty {
    fn write_at(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
        let mut script = self.script();
        script.seen.push("write");
        let most = script.writes.pop_front().unwrap_or(Ok(usize::MAX)).map_err(error)?;
        System.write_at(file, &bytes[..most.min(bytes.len())], at)
    }

    /// Half of it, where there is an error.
    fn write_zeros(&mut self, file: &File, mut range: Range<u64>) -> io::Result<()> {
        let mut script = self.script();
        script.seen.push("zeros");
        let outcome = script.zeros.pop_front().unwrap_or(Ok(())).map_err(error);
        if outcome.is_err() {
            range.end -= (range.end - range.start) / 2;
        }
        System.write_zeros(file, range)?;
        outcome
    }

    fn sync(&mut self, file: &File) -> io::Result<()> {
        let mut script = self.script();
        script.seen.push("sync");
        script.syncs.pop_front().unwrap_or(Ok(())).map_err(error)?;
        System.sync(file)
    }

    fn create_segment(&mut self, folder: &Path, head: Head) -> io::Result<File> {
        let mut script = self.script();
        script.seen.push("create");
        script.creates.pop_front().unwrap_or(Ok(())).map_err(error)?;
        System.create_segment(folder, head)
    }
}

/// A journal on a disk that fails.
pub(super) struct Rig {
    _dir: tempfile::TempDir,
    _folder: Folder,
    pub(super) store: Store,
    pub(super) disk: Faulty,
    pub(super) progress: Arc<Progress>,
    pub(super) orders: Sender<Order>,
    spares: Receiver<Vec<u8>>,
    thread: JoinHandle<io::Result<()>>,
    pub(super) position: u64,
}

impl Rig {
    pub(super) fn new(fsync: Fsync, segment_bytes: u64, script: impl FnOnce(&mut Script)) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(dir.path()).expect("the folder is free");
        let store = folder.store("main", fsync).expect("a place for the server");
        let head = Head::now(0, Origin::default(), SALT);
        let file = segment::create(&store.folder, head).expect("a segment");
        let (disk, progress) = (Faulty::default(), Arc::new(Progress::new(fsync)));
        script(&mut disk.script());
        let mut log = Log::new(disk.clone(), &store, file, head, Arc::clone(&progress));
        log.segment_bytes = segment_bytes;
        let (orders, inbox) = channel();
        let (give_back, spares) = sync_channel(SPARES);
        let inbox = Inbox { orders: inbox, give_back };
        let thread = std::thread::spawn(move || log.run(&inbox));
        let (_dir, _folder, position) = (dir, folder, 0);
        Self { _dir, _folder, store, disk, progress, orders, spares, thread, position }
    }

    /// Hands a frame with one record over.
    pub(super) fn append(&mut self, text: &str) {
        let (mut records, mut frames) = (Vec::new(), Vec::new());
        frame::put_record(&mut records, text.as_bytes());
        self.position += frame::seal(&mut frames, SALT, Kind::Call, &records) as u64;
        self.orders.send(Order::Append(frames, self.position)).expect("the thread lives");
    }

    pub(super) fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(self) {
            assert!(Instant::now() < deadline, "never: {what}; {:?}", self.disk.script());
            std::thread::yield_now();
        }
    }

    /// Ends the thread; answers its outcome and what a restart finds.
    pub(super) fn end(self) -> (io::Result<()>, Recovered, Vec<String>) {
        drop(self.orders);
        let outcome = self.thread.join().expect("no panics");
        let mut read = Read::default();
        let found = self.store.recover(0, &mut read);
        (outcome, found.expect("what is there is whole or torn"), read.records())
    }
}

#[test]
fn a_full_disk_is_waited_out_and_nothing_is_lost() {
    let full = Err(libc::ENOSPC);
    let mut rig = Rig::new(Fsync::Always, SEGMENT_BYTES, |script| {
        script.writes = [Ok(usize::MAX), Ok(5), full, full].into();
    });
    rig.append("before");
    rig.until("the first frame is durable", |rig| rig.progress.durable() == rig.position);
    let before = rig.position;
    rig.append("meanwhile");
    rig.until("the disk is found full", |rig| rig.progress.full_for().is_some());
    assert_eq!(rig.progress.durable(), before, "nothing is durable that is not written");
    rig.until("there is room", |rig| rig.progress.durable() == rig.position);
    assert_eq!(rig.progress.full_for(), None);
    let (outcome, _, all) = rig.end();
    outcome.expect("a full disk ends nothing");
    assert_eq!(all, ["before", "meanwhile"]);
}

#[test]
fn short_and_interrupted_writes_are_gone_on_with() {
    let mut rig = Rig::new(Fsync::Always, SEGMENT_BYTES, |script| {
        script.writes = [Ok(1), Err(libc::EINTR), Ok(7), Ok(2), Err(libc::EINTR)].into();
    });
    rig.append("one");
    rig.append("two");
    rig.until("both are durable", |rig| rig.progress.durable() == rig.position);
    let (outcome, _, all) = rig.end();
    outcome.expect("no error");
    assert_eq!(all, ["one", "two"]);
}

#[test]
fn a_write_that_fails_ends_the_journal_with_what_was_durable() {
    for (number, kind) in
        [(libc::EIO, "Input/output error"), (libc::EROFS, "Read-only file system")]
    {
        let mut rig = Rig::new(Fsync::Always, SEGMENT_BYTES, |script| {
            script.writes = [Ok(usize::MAX), Ok(3), Err(number)].into();
        });
        rig.append("before");
        rig.until("the first frame is durable", |rig| rig.progress.durable() == rig.position);
        let before = rig.position;
        rig.append("lost");
        rig.until("the thread ends", |rig| rig.thread.is_finished());
        assert_eq!(rig.progress.durable(), before);
        let (outcome, found, all) = rig.end();
        let error = cannot(Path::new("/data/main"), &outcome.expect_err("it failed"));
        assert_eq!(error.message, "cannot keep data in '/data/main'");
        assert!(error.detail.starts_with(kind), "{error}");
        assert_eq!(all, ["before"]);
        assert_eq!((found.position, found.cut), (before, 3), "half a frame is cut off");
    }
}

#[test]
fn a_sync_that_fails_is_never_asked_again() {
    let mut rig = Rig::new(Fsync::Always, SEGMENT_BYTES, |script| {
        script.syncs = [Ok(()), Err(libc::EIO)].into();
    });
    rig.append("before");
    rig.until("the first frame is durable", |rig| rig.progress.durable() == rig.position);
    let before = rig.position;
    rig.append("unknown");
    rig.until("the thread ends", |rig| rig.thread.is_finished());
    assert_eq!(rig.progress.durable(), before, "what the failed sync was about is not durable");
    assert_eq!(rig.disk.seen("sync"), 2);
    let (outcome, _, _) = rig.end();
    assert_eq!(outcome.expect_err("it failed").raw_os_error(), Some(libc::EIO));
}

#[test]
fn a_disk_too_full_for_another_segment_leaves_the_present_one_growing() {
    let mut rig = Rig::new(Fsync::Always, segment::HEAD as u64 + 1, |script| {
        script.creates = [Err(libc::ENOSPC), Ok(()), Err(libc::EIO)].into();
    });
    for (text, creates) in [("one", 1), ("two", 2), ("three", 3)] {
        rig.append(text);
        rig.until("it was tried", |rig| rig.disk.seen("create") == creates);
    }
    rig.until("the thread ends", |rig| rig.thread.is_finished());
    assert_eq!(rig.progress.rotations(), 1);
    let firsts: Vec<u64> = segment::list(&rig.store.folder)
        .expect("readable")
        .into_iter()
        .map(|segment| segment.first)
        .collect();
    let (outcome, found, all) = rig.end();
    assert_eq!(outcome.expect_err("another error").raw_os_error(), Some(libc::EIO));
    assert_eq!(all, ["one", "two", "three"]);
    let three = (frame::HEAD + 4 + "three".len()) as u64;
    assert_eq!(firsts, [0, found.position - three]);
}

#[test]
fn a_disk_too_full_for_the_file_of_another_generation_is_waited_out() {
    let mut rig = Rig::new(Fsync::Always, SEGMENT_BYTES, |script| {
        script.creates = [Err(libc::ENOSPC), Err(libc::ENOSPC)].into();
    });
    rig.append("one");
    let second = Origin { generation: 2, ..Origin::default() };
    let (tell, _) = oneshot::channel();
    rig.orders.send(Order::Begin(second, tell)).expect("the thread lives");
    rig.append("two");
    rig.until("the disk is found full", |rig| rig.progress.full_for().is_some());
    rig.until("both are durable", |rig| rig.progress.durable() == rig.position);
    assert_eq!((rig.disk.seen("create"), rig.progress.full_for()), (3, None));
    let heads = rig.store.segments().expect("whole heads");
    let generations: Vec<u64> = heads.iter().map(|(_, head)| head.origin.generation).collect();
    assert_eq!(generations, [0, 2]);
    let (outcome, _, all) = rig.end();
    outcome.expect("a full disk ends nothing");
    assert_eq!(all, ["one", "two"]);
}

#[test]
fn a_policy_that_lets_output_go_ahead_does_not_do_so_for_longer_than_its_limit() {
    let mut rig = Rig::new(Fsync::No, SEGMENT_BYTES, |script| {
        script.writes = [Err(libc::ENOSPC); 16].into();
    });
    rig.append("waits");
    assert!(!rig.progress.is_late());
    rig.until("it is late", |rig| rig.progress.is_late());
    assert!(rig.progress.full_for().is_some_and(|time| time >= LATE_AFTER - FULL_RETRY));
    assert_eq!(rig.progress.durable(), 0);
    rig.until("it is written", |rig| rig.progress.durable() == rig.position);
    rig.until("it is late no more", |rig| !rig.progress.is_late());
    assert_eq!(rig.disk.seen("sync"), 0, "the policy asks for none");
}

#[test]
fn the_memory_of_frames_that_were_written_comes_back_unless_it_is_large() {
    let mut rig = Rig::new(Fsync::Always, SEGMENT_BYTES, |_| {});
    rig.append("small");
    rig.append(&"large".repeat(SPARE_BYTES));
    let spare = rig.spares.recv_timeout(PATIENCE).expect("it comes back");
    assert!(spare.is_empty() && spare.capacity() > 0);
    rig.append("small again");
    let spare = rig.spares.recv_timeout(PATIENCE).expect("it comes back");
    assert!(spare.capacity() <= SPARE_BYTES, "{}", spare.capacity());
    let (outcome, found, _) = rig.end();
    outcome.expect("the disk is well");
    assert_eq!(found.records, 3);
}

#[test]
fn frames_that_come_while_the_thread_rests_are_written_together() {
    const FRAMES: usize = 1000;
    let mut rig = Rig::new(Fsync::No, SEGMENT_BYTES, |_| {});
    for n in 0..FRAMES {
        rig.append(&format!("{n}"));
    }
    rig.append(&"larger than a batch".repeat(BATCH_BYTES / 16));
    rig.until("all is written", |rig| rig.progress.durable() == rig.position);
    assert!(rig.disk.seen("write") < FRAMES / 2, "{} writes", rig.disk.seen("write"));
    let (outcome, found, all) = rig.end();
    outcome.expect("the disk is well");
    assert_eq!(found.records, FRAMES as u64 + 1);
    assert!(all.iter().take(FRAMES).enumerate().all(|(n, text)| *text == n.to_string()));
}
