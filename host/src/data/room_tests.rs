//! Goal: room that is made ahead is never seen by a reader, whatever ends the writer, and costs nothing
//! where there is none. Method: the journal's thread on real files, as in the tests beside.

use std::fs;

use super::tests::{Rig, SALT};
use super::*;
use crate::data::room::FROM;
use crate::error::Code;

/// Records are so large that a few dozen of them reach [`FROM`], bytes.
const RECORD: usize = 8 << 10;

/// Writes frames, each synced before the next, until the file is twice as long as where room begins.
fn fill(rig: &mut Rig) -> usize {
    let mut frames = 0;
    while rig.position < 2 * FROM {
        rig.append(&format!("{frames:>RECORD$}"));
        rig.until("it is durable", |rig| rig.progress.durable() == rig.position);
        frames += 1;
    }
    frames
}

/// The only segment, what it is long, and what of it is frames and marks.
fn segment_of(rig: &Rig) -> (PathBuf, u64, usize) {
    let path = segment::list(&rig.store.folder).expect("readable").remove(0).path;
    let bytes = fs::read(&path).expect("readable");
    let mut used = segment::HEAD;
    while let Some((_, size)) = frame::read(&bytes[used..], SALT) {
        used += size;
    }
    (path, bytes.len() as u64, used)
}

#[test]
fn room_is_made_ahead_for_many_syncs_and_what_a_kill_leaves_of_it_is_not_read() {
    let mut rig = Rig::new(Fsync::Always, SEGMENT_BYTES, |_| {});
    let frames = fill(&mut rig);
    let (_, len, used) = segment_of(&rig);
    assert!(len >= used as u64 + RECORD as u64, "{len} bytes, {used} used");
    assert!(len <= used as u64 * 3 / 2, "{len} bytes, {used} used: the middle is a frame's");
    let made = rig.disk.seen("zeros");
    assert!((1..frames / 8).contains(&made), "made {made} times for {frames} frames");
    let position = rig.position;
    let (outcome, found, all) = rig.end();
    outcome.expect("the disk is well");
    assert_eq!((found.position, found.cut, all.len()), (position, 0, frames));
}

#[test]
fn a_segment_that_is_ended_is_as_long_as_its_frames() {
    for close in [true, false] {
        let mut rig = Rig::new(Fsync::Always, SEGMENT_BYTES, |_| {});
        let frames = fill(&mut rig);
        if close {
            let (done, ended) = sync_channel(1);
            rig.orders.send(Order::Close(done)).expect("the thread lives");
            ended.recv().expect("it ends");
        } else {
            let (tell, begun) = oneshot::channel();
            rig.orders.send(Order::Begin(Origin::default(), tell)).expect("the thread lives");
            begun.blocking_recv().expect("it begins");
        }
        let (_, len, used) = segment_of(&rig);
        assert_eq!(len, used as u64, "closed: {close}");
        assert_eq!(rig.end().2.len(), frames);
    }
}

#[test]
fn a_disk_without_room_for_room_still_takes_frames() {
    let mut rig = Rig::new(Fsync::Always, SEGMENT_BYTES, |script| {
        script.zeros = [Err(libc::ENOSPC); 1000].into();
    });
    let frames = fill(&mut rig);
    assert!(rig.disk.seen("zeros") > 0);
    let (_, len, used) = segment_of(&rig);
    assert_eq!(len, used as u64, "what it took is given back");
    assert_eq!(rig.progress.full_for(), None, "frames did not wait");
    let (outcome, found, _) = rig.end();
    outcome.expect("no error");
    assert_eq!((found.records, found.cut), (frames as u64, 0));
}

#[test]
fn other_policies_make_no_room() {
    for fsync in [Fsync::EverySec, Fsync::No] {
        let mut rig = Rig::new(fsync, SEGMENT_BYTES, |_| {});
        rig.append(&"x".repeat(2 * FROM as usize));
        rig.append("behind it");
        rig.until("all is written", |rig| segment_of(rig).2 as u64 > 2 * FROM);
        assert_eq!(rig.disk.seen("zeros"), 0, "{fsync:?}");
    }
}

#[test]
fn half_a_frame_in_the_room_is_cut_off_and_counted_without_the_room() {
    let mut rig = Rig::new(Fsync::Always, SEGMENT_BYTES, |_| {});
    let frames = fill(&mut rig);
    let (path, _, used) = segment_of(&rig);
    let file = File::options().write(true).open(path).expect("writable");
    System.write_at(&file, b"HSFRsome of it", used as u64).expect("written");
    let (_, found, all) = rig.end();
    assert_eq!((found.cut, all.len()), (14, frames));
}

#[test]
fn a_flipped_bit_in_front_of_room_is_refused() {
    let mut rig = Rig::new(Fsync::Always, SEGMENT_BYTES, |_| {});
    fill(&mut rig);
    let (path, len, used) = segment_of(&rig);
    let mut bytes = fs::read(&path).expect("readable");
    let last = used - frame::MARK - 1;
    bytes[last] ^= 0x10;
    fs::write(&path, &bytes).expect("writable");
    let error = rig.store.recover(0, &mut crate::data::tests::Read::default());
    let error = error.expect_err("its mark says that the frame was on disk");
    let at = used - frame::MARK - (frame::HEAD + 4 + RECORD);
    assert_eq!(error.code, Code::Data);
    assert!(error.message.ends_with(&format!("is damaged at byte {at}")), "{error}");
    let behind = bytes.iter().rposition(|&byte| byte != 0).expect("a mark") + 1 - at;
    let told = format!("fails its checksum; {behind} bytes from there on are lost");
    assert!(error.detail.contains(&told), "{error}");
    assert!(at + behind <= used && len > used as u64, "{at} {behind} {used} {len}");
}
