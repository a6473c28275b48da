//! `/proc/self/maps`: what is really mapped, whatever `dlclose` answered.

use std::fs;
use std::ops::Range;

/// One line of `/proc/self/maps`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub range: Range<usize>,
    pub readable: bool,
    pub writable: bool,
    pub file: FileId,
    /// The path as the kernel tells it, without its ` (deleted)`.
    pub path: String,
}

/// Device and inode of a mapped file, as the maps tell them: on overlay and btrfs they differ from
/// those of `stat`. While a file is mapped, no other file has the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct FileId {
    device: String,
    pub inode: u64,
}

/// All mappings of this process.
pub(crate) fn read() -> std::io::Result<Vec<Mapping>> {
    Ok(String::from_utf8_lossy(&fs::read("/proc/self/maps")?).lines().filter_map(parse).collect())
}

/// The mapping that holds an address.
pub(crate) fn holding(mappings: &[Mapping], address: usize) -> Option<&Mapping> {
    mappings.iter().find(|m| m.range.contains(&address))
}

/// `7f00-7f01 r-xp 00000000 08:01 1234    /path/of the/file`
fn parse(line: &str) -> Option<Mapping> {
    let mut rest = line;
    let mut word = || {
        let (word, tail) = rest.split_once(' ').unwrap_or((rest, ""));
        rest = tail;
        Some(word).filter(|w| !w.is_empty())
    };
    let (start, end) = word()?.split_once('-')?;
    let rights = word()?.as_bytes();
    let (_offset, device, inode) = (word()?, word()?.to_owned(), word()?.parse().ok()?);
    let hex = |text| usize::from_str_radix(text, 16).ok();
    let path = rest.trim_start();
    Some(Mapping {
        range: hex(start)?..hex(end)?,
        readable: rights.first() == Some(&b'r'),
        writable: rights.get(1) == Some(&b'w'),
        file: FileId { device, inode },
        path: path.strip_suffix(" (deleted)").unwrap_or(path).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read() {
        let line = "7f1a-7f2b r-xp 00001000 fe:01 4711                  /a b/c.so (deleted)";
        let mapping = parse(line).expect("a mapping");
        assert_eq!(mapping.range, 0x7f1a..0x7f2b);
        assert!(mapping.readable && !mapping.writable);
        assert_eq!((mapping.file.inode, mapping.path.as_str()), (4711, "/a b/c.so"));
    }

    #[test]
    fn our_own_code_is_mapped() {
        let mappings = read().expect("maps");
        let here = our_own_code_is_mapped as fn() as usize;
        assert!(holding(&mappings, here).is_some_and(|m| m.readable && m.file.inode != 0));
    }
}
