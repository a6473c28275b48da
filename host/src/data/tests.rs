//! Goal: the journal gives back what was written, cuts what a crash tore, and refuses what is damaged.
//! Method: real files in a temporary folder, damaged on purpose.

use std::fs;
use std::path::PathBuf;

use super::frame::{self, Kind, Salt};
use super::{Digest, Folder, Fsync, Origin, Recovered, Replay, Store, Writer, segment};
use crate::error::{Code, Result};

const FIRST: Origin = Origin { generation: 1, fingerprint: 7, digest: Digest([1; 32]) };
const SECOND: Origin = Origin { generation: 2, fingerprint: 8, digest: Digest([2; 32]) };

/// What was read back, and before what: `<1>` where a file of generation 1 begins.
#[derive(Default)]
pub(super) struct Read(Vec<String>);

impl Read {
    /// What was read back, without where it came from.
    pub(super) fn records(self) -> Vec<String> {
        self.0.into_iter().filter(|text| !text.starts_with('<')).collect()
    }
}

impl Replay for Read {
    fn origin(&mut self, origin: &Origin) -> Result<()> {
        self.0.push(format!("<{}>", origin.generation));
        Ok(())
    }

    fn record(&mut self, record: &[u8]) -> Result<()> {
        self.0.push(String::from_utf8_lossy(record).into_owned());
        Ok(())
    }
}

struct Place {
    dir: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let folder = Folder::open(dir.path()).expect("the folder is free");
        let store = folder.store("main", Fsync::Always).expect("a place for the server");
        Self { dir, store }
    }

    /// Writes one frame per text, from `position` on; answers the position behind.
    fn write(&self, position: u64, texts: &[&str]) -> u64 {
        let writer = Writer::start(&self.store, position, FIRST).expect("a writer");
        let mut end = position;
        for text in texts {
            let (mut records, mut frames) = (Vec::new(), Vec::new());
            text.split('+').for_each(|one| frame::put_record(&mut records, one.as_bytes()));
            end += frame::seal(&mut frames, writer.salt(), Kind::Call, &records) as u64;
            writer.append(&mut frames, end);
        }
        writer.close();
        end
    }

    fn read(&self) -> Result<(Recovered, Vec<String>)> {
        let mut read = Read::default();
        let found = self.store.recover(0, &mut read)?;
        Ok((found, read.records()))
    }

    fn files(&self) -> Vec<PathBuf> {
        let all = segment::list(&self.store.folder).expect("the folder is readable");
        all.into_iter().map(|segment| segment.path).collect()
    }
}

fn salt_of(segment: &[u8]) -> Salt {
    segment::Head::decode(segment).expect("a head").salt
}

/// Adds a frame with one record; answers its bytes.
fn seal(bytes: &mut Vec<u8>, salt: Salt, record: &[u8]) -> u64 {
    let mut records = Vec::new();
    frame::put_record(&mut records, record);
    frame::seal(bytes, salt, Kind::Call, &records) as u64
}

#[test]
fn what_was_written_is_read_back_in_order_over_several_starts() {
    let place = Place::new();
    let end = place.write(0, &["a", "b+c"]);
    let end = place.write(end, &["d"]);
    assert_eq!(place.write(end, &[]), end);
    assert_eq!(place.write(end, &[]), end, "an empty segment is used again");
    let (found, all) = place.read().expect("the journal is whole");
    assert_eq!(all, ["a", "b", "c", "d"]);
    assert_eq!(found, Recovered { position: end, frames: 3, records: 4, bytes: end, cut: 0 });
}

#[test]
fn a_torn_last_frame_is_cut_at_every_byte_and_the_journal_goes_on() {
    let place = Place::new();
    let before = place.write(0, &["first"]);
    place.write(before, &[]);
    let end = place.write(before, &["second+third"]);
    let last = place.files().pop().expect("a segment");
    let whole = fs::read(&last).expect("readable");
    for len in segment::HEAD..whole.len() - frame::MARK {
        fs::write(&last, &whole[..len]).expect("writable");
        let (found, all) = place.read().expect("a torn frame is no damage");
        assert_eq!(all, ["first"], "none of the frame's records is left");
        assert_eq!((found.position, found.cut), (before, (len - segment::HEAD) as u64));
        assert_eq!(fs::metadata(&last).expect("there").len(), segment::HEAD as u64);
    }
    assert_eq!(place.write(before, &["second+third"]), end);
    assert_eq!(place.read().expect("whole again").1, ["first", "second", "third"]);
}

#[test]
fn a_flipped_bit_in_front_of_whole_frames_is_refused_and_nothing_is_changed() {
    let place = Place::new();
    place.write(0, &["first", "second", "third"]);
    let file = place.files().pop().expect("a segment");
    let whole = fs::read(&file).expect("readable");
    let second = segment::HEAD + frame::HEAD + 4 + "first".len();
    for byte in second..second + frame::HEAD + 4 + "second".len() {
        let mut bytes = whole.clone();
        bytes[byte] ^= 0x10;
        fs::write(&file, &bytes).expect("writable");
        let error = place.read().expect_err("damage is refused");
        assert_eq!(error.code, Code::Data);
        assert!(error.message.ends_with(&format!("is damaged at byte {second}")), "{error}");
        let lost = whole.len() - second;
        assert!(error.detail.contains(&format!("{lost} bytes from there on are lost")), "{error}");
        assert!(error.hint.contains(&format!("truncate -s {second}")), "{error}");
        assert_eq!(fs::read(&file).expect("readable"), bytes);
    }
    fs::write(&file, &whole[..second]).expect("writable");
    assert_eq!(place.read().expect("what the hint says works").1, ["first"]);
}

/// What the disk has of a file when the power goes: any of its pages, if they were not synced.
#[test]
fn a_hole_in_what_was_never_synced_is_cut_with_all_behind_it_and_one_before_that_is_refused() {
    let place = Place::new();
    let (mut bytes, mut position) = (Vec::new(), 0);
    place.write(0, &[]);
    let file = place.files().pop().expect("a segment");
    bytes.extend_from_slice(&fs::read(&file).expect("readable"));
    let salt = salt_of(&bytes);
    let frame = |bytes: &mut Vec<u8>, text: &str| seal(bytes, salt, text.as_bytes());
    let first = bytes.len();
    position += frame(&mut bytes, &"synced ".repeat(2_000));
    bytes.extend_from_slice(&frame::mark(salt, position));
    let (second, kept) = (bytes.len(), position);
    for n in 0..3 {
        frame(&mut bytes, &format!("{n} ").repeat(4_000));
    }
    let with = |change: &dyn Fn(&mut [u8])| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        fs::write(&file, &bytes).expect("writable");
        place.read()
    };
    let hole = |from: usize| {
        let page = from.next_multiple_of(4096);
        with(&|bytes| bytes[page..page + 4096].fill(0))
    };
    let (found, all) = hole(second + 100).expect("what a crash left is no damage");
    assert_eq!(all.len(), 1, "the whole frames behind the hole are gone, too");
    assert_eq!((found.position, found.cut), (kept, (bytes.len() - second) as u64));
    assert_eq!(fs::metadata(&file).expect("there").len(), second as u64);
    let error = hole(first + 100).expect_err("it was on disk: the mark says so");
    assert!(error.message.ends_with(&format!("is damaged at byte {first}")), "{error}");
    assert_eq!(place.read().expect_err("nothing was changed"), error);
    let end = second.next_multiple_of(4096);
    let (found, _) = with(&|bytes| bytes[second..end].fill(0)).expect("the page as it was synced");
    assert_eq!(found.position, kept);
    let error = with(&|bytes| bytes[second + 100] ^= 1).expect_err("a flipped bit is no hole");
    assert!(error.message.ends_with(&format!("is damaged at byte {second}")), "{error}");
}

/// Whoever may write can write what looks like frames and marks, and a kill tears any frame.
#[test]
fn what_a_client_has_made_to_look_like_frames_and_marks_is_cut_with_its_torn_frame() {
    let place = Place::new();
    let mut forged = Vec::new();
    for salt in [Salt(0), Salt(1), Salt(u32::MAX)] {
        seal(&mut forged, salt, b"forged");
        forged.extend_from_slice(&frame::mark(salt, u64::MAX));
    }
    place.write(0, &["first"]);
    let file = place.files().pop().expect("a segment");
    let mut bytes = fs::read(&file).expect("readable");
    let (salt, whole) = (salt_of(&bytes), bytes.len());
    seal(&mut bytes, salt, &[&forged[..], b"the end"].concat());
    fs::write(&file, &bytes[..bytes.len() - 1]).expect("writable");
    let (found, all) = place.read().expect("a torn frame is no damage");
    assert_eq!((all, found.cut), (vec!["first".to_owned()], (bytes.len() - 1 - whole) as u64));
    // With the salt of the file it is damage: the writer's own frames are behind what is broken.
    bytes.truncate(whole);
    bytes.extend_from_slice(b"broken");
    seal(&mut bytes, salt, b"second");
    fs::write(&file, &bytes).expect("writable");
    let error = place.read().expect_err("a whole frame is behind it");
    assert!(error.message.ends_with(&format!("is damaged at byte {whole}")), "{error}");
}

#[test]
fn a_mark_that_never_came_to_the_disk_before_the_next_file_is_not_missed() {
    let place = Place::new();
    let end = place.write(0, &["first"]);
    place.write(end, &["second"]);
    let file = place.files().remove(0);
    let whole = fs::read(&file).expect("readable");
    let frames = whole.len() - frame::MARK;
    for kept in 0..frame::MARK {
        for lost in [&[][..], &[0; frame::MARK][kept..]] {
            fs::write(&file, [&whole[..frames + kept], lost].concat()).expect("writable");
            let (found, all) = place.read().expect("nothing is lost");
            assert_eq!((&*all, found.cut), (&["first".to_owned(), "second".to_owned()][..], 0));
        }
    }
    fs::write(&file, &whole[..frames - 1]).expect("writable");
    let error = place.read().expect_err("a frame is lost");
    let damaged = format!("is damaged at byte {}", segment::HEAD);
    assert!(error.message.ends_with(&damaged), "{error}");
    assert!(error.detail.contains("and 1 later files are lost"), "{error}");
}

#[test]
fn a_file_of_the_first_format_is_read() {
    let place = Place::new();
    place.write(0, &[]);
    let file = place.files().pop().expect("a segment");
    let mut bytes = fs::read(&file).expect("readable");
    bytes[8] = 1;
    bytes[80..88].fill(0);
    let crc = crc32fast::hash(&bytes[..92]);
    bytes[92..].copy_from_slice(&crc.to_le_bytes());
    let end = seal(&mut bytes, Salt(0), b"first");
    bytes.extend_from_slice(&frame::mark(Salt(0), end));
    fs::write(&file, &bytes).expect("writable");
    let (found, all) = place.read().expect("an older format is read");
    assert_eq!((found.position, &*all), (end, &["first".to_owned()][..]));
    assert_eq!(place.write(end, &["second"]), 2 * end + 1);
    assert_eq!(place.read().expect("both are read").1, ["first", "second"]);
}

#[test]
fn a_newer_format_a_gap_and_a_damaged_head_are_refused() {
    let place = Place::new();
    let end = place.write(0, &["first"]);
    place.write(end, &["second"]);
    let files = place.files();
    let head = fs::read(&files[0]).expect("readable");
    let mut newer = head.clone();
    newer[8] = 9;
    fs::write(&files[0], &newer).expect("writable");
    let error = place.read().expect_err("a newer format");
    assert_eq!(error.detail, "it has format 9, this version reads 2");
    let mut broken = head;
    broken[3] ^= 1;
    fs::write(&files[0], &broken).expect("writable");
    let error = place.read().expect_err("a damaged head");
    assert!(error.message.ends_with("is damaged at byte 0"), "{error}");
    fs::remove_file(&files[0]).expect("removable");
    let error = place.read().expect_err("a gap");
    assert!(error.message.starts_with("the journal has a gap before"), "{error}");
}

#[test]
fn a_switch_begins_a_file_of_its_own_and_is_told_before_what_it_writes() {
    let place = Place::new();
    let end = place.write(0, &["first"]);
    let writer = Writer::start(&place.store, end, FIRST).expect("a writer");
    let mut position = end;
    for origin in [SECOND, FIRST, SECOND] {
        let (mut records, mut frames) = (Vec::new(), Vec::new());
        frame::put_record(&mut records, b"use");
        position += frame::seal(&mut frames, writer.salt(), Kind::Use, &records) as u64;
        writer.begin(origin);
        writer.append(&mut frames, position);
    }
    let (mut records, mut frames) = (Vec::new(), Vec::new());
    frame::put_record(&mut records, b"second");
    position += frame::seal(&mut frames, writer.salt(), Kind::Call, &records) as u64;
    writer.append(&mut frames, position);
    writer.close();
    let mut read = Read::default();
    let found = place.store.recover(0, &mut read).expect("the journal is whole");
    assert_eq!(read.0, ["<1>", "first", "<2>", "<1>", "<2>", "second"]);
    assert_eq!((found.position, found.frames, found.records), (position, 2, 2));
    assert_eq!(place.store.origins().expect("whole heads"), [FIRST, SECOND]);
}

#[test]
fn what_lies_before_a_position_is_cut_and_the_rest_is_read_from_there() {
    let place = Place::new();
    let end = place.write(0, &["first"]);
    let end = place.write(end, &["second"]);
    let last = place.write(end, &["third"]);
    for cut in [false, true] {
        if cut {
            assert_eq!(segment::cut(&place.store.folder, end).expect("removable"), 2);
        }
        let mut read = Read::default();
        let found = place.store.recover(end, &mut read).expect("the journal is whole");
        assert_eq!((found.position, &*read.0), (last, &["<1>".to_owned(), "third".to_owned()][..]));
    }
    let refused = place.read().expect_err("the beginning is gone");
    assert!(refused.message.starts_with("the journal has a gap before"), "{refused}");
}

#[test]
fn a_folder_has_one_host() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let first = Folder::open(dir.path()).expect("the folder is free");
    let error = Folder::open(dir.path()).expect_err("it is taken");
    assert_eq!(error.detail, format!("process {} has locked it", std::process::id()));
    drop(first);
    Folder::open(dir.path()).expect("it is free again");
}

#[test]
fn a_lock_that_only_a_child_of_a_dead_host_holds_is_waited_for() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut gone = std::process::Command::new("true").spawn().expect("true(1) runs");
    let dead = gone.id();
    gone.wait().expect("it ends");
    let lock = dir.path().join("lock");
    let held = fs::File::options().create_new(true).write(true).open(&lock).expect("made");
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).expect("it is free");
    fs::write(&lock, format!("{dead}\n")).expect("writable");
    let mut cat = std::process::Command::new("cat");
    let (stdin, theirs) = (std::process::Stdio::piped(), held.try_clone().expect("a descriptor"));
    let mut child = cat.stdin(stdin).stdout(theirs).spawn().expect("cat(1) runs");
    drop((cat, held));
    let folder = std::thread::scope(|scope| {
        let opening = scope.spawn(|| Folder::open(dir.path()));
        // It waits as long as the child lives; whether it has begun to is open.
        let (never, pause) = std::sync::mpsc::channel::<()>();
        let _ = pause.recv_timeout(std::time::Duration::from_millis(100));
        assert!(!opening.is_finished(), "the child has it");
        drop((never, child.stdin.take()));
        opening.join().expect("no panics").expect("it is free once the child has ended")
    });
    child.wait().expect("it ends");
    // One that a living process holds is not waited for.
    fs::write(&lock, "1\n").expect("writable");
    let error = Folder::open(dir.path()).expect_err("it is taken");
    assert_eq!((error.code, &*error.detail), (Code::Data, "process 1 has locked it"));
    drop(folder);
}

#[test]
fn a_place_that_is_no_folder_is_refused_with_the_way_on() {
    let place = Place::new();
    let file = place.dir.path().join("file");
    fs::write(&file, b"").expect("writable");
    let error = Folder::open(&file).expect_err("it is a file");
    assert_eq!(error.code, Code::Data);
    assert!(error.message.starts_with("cannot keep data in"), "{error}");
}
