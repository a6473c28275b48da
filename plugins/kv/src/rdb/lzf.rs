//! LZF, by which Redis shortens strings in dump payloads: runs of literals, and copies of what came
//! before. Only read; what we write is plain.

/// The bytes that were shortened to `bytes`, of which there must be `len`; `None` when it makes no sense.
pub fn open(bytes: &[u8], len: usize) -> Option<Vec<u8>> {
    /// A control byte above it is a copy.
    const LITERALS: u8 = 32;
    // A copy of 264 bytes takes three: more than that cannot come out.
    if len > bytes.len().checked_mul(264)? {
        return None;
    }
    let mut open = Vec::with_capacity(len);
    let mut rest = bytes;
    while let Some((&control, more)) = rest.split_first() {
        if control < LITERALS {
            let (run, more) = more.split_at_checked(control as usize + 1)?;
            open.extend_from_slice(run);
            rest = more;
            continue;
        }
        let (mut count, mut more) = (usize::from(control >> 5) + 2, more);
        if count == 9 {
            let (&longer, behind) = more.split_first()?;
            (count, more) = (count + usize::from(longer), behind);
        }
        let (&low, behind) = more.split_first()?;
        let back = (usize::from(control & 31) << 8 | usize::from(low)) + 1;
        let from = open.len().checked_sub(back)?;
        // Source and target may overlap: what was just written is copied, too.
        for at in from..from + count {
            open.push(open[at]);
        }
        if open.len() > len {
            return None;
        }
        rest = behind;
    }
    (open.len() == len).then_some(open)
}

#[cfg(test)]
mod tests {
    use super::open;

    #[test]
    fn literals_and_overlapping_copies_are_opened() {
        // One literal, then seven more by a copy of the byte before.
        assert_eq!(open(&[0, b'a', 0xa0, 0], 8), Some(b"aaaaaaaa".to_vec()));
        assert_eq!(open(&[2, b'a', b'b', b'c'], 3), Some(b"abc".to_vec()));
        // A long copy: 9 and 20 more.
        assert_eq!(open(&[0, b'x', 0xe0, 20, 0], 30), Some(vec![b'x'; 30]));
    }

    #[test]
    fn what_is_broken_is_refused() {
        for bytes in [&[5, b'a'][..], &[0xa0], &[0xa0, 0], &[0, b'a', 0xe0], &[0, b'a', 0xa0, 9]] {
            assert_eq!(open(bytes, 8), None, "{bytes:?}");
        }
        assert_eq!(open(&[0, b'a'], 2), None);
        assert_eq!(open(&[0, b'a'], usize::MAX), None);
    }
}
