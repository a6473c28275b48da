//! Goal: the journal gives back what was written, cuts what a crash tore, and refuses what is damaged.
//! Method: real files in a temporary folder, damaged on purpose.

use std::fs;
use std::path::PathBuf;

use super::{Folder, Fsync, Recovered, Store, Writer, frame, segment};
use crate::error::{Code, Result};

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
        let writer = Writer::start(&self.store, position).expect("a writer");
        let mut end = position;
        for text in texts {
            let (mut records, mut frames) = (Vec::new(), Vec::new());
            text.split('+').for_each(|one| frame::put_record(&mut records, one.as_bytes()));
            end += frame::seal(&mut frames, &records) as u64;
            writer.append(frames, end);
        }
        writer.close();
        end
    }

    fn read(&self) -> Result<(Recovered, Vec<String>)> {
        let mut all = Vec::new();
        let found = self.store.recover(|record| {
            all.push(String::from_utf8_lossy(record).into_owned());
            Ok(())
        })?;
        Ok((found, all))
    }

    fn files(&self) -> Vec<PathBuf> {
        let all = segment::list(&self.store.folder).expect("the folder is readable");
        all.into_iter().map(|segment| segment.path).collect()
    }
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
    assert_eq!(found, Recovered { position: end, frames: 3, records: 4, cut: 0 });
}

#[test]
fn a_torn_last_frame_is_cut_at_every_byte_and_the_journal_goes_on() {
    let place = Place::new();
    let before = place.write(0, &["first"]);
    place.write(before, &[]);
    let end = place.write(before, &["second+third"]);
    let last = place.files().pop().expect("a segment");
    let whole = fs::read(&last).expect("readable");
    for len in segment::HEAD..whole.len() {
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
    assert_eq!(error.detail, "it has format 9, this version reads 1");
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
fn a_folder_has_one_host() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let first = Folder::open(dir.path()).expect("the folder is free");
    let error = Folder::open(dir.path()).expect_err("it is taken");
    assert_eq!(error.detail, format!("process {} has locked it", std::process::id()));
    drop(first);
    Folder::open(dir.path()).expect("it is free again");
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
