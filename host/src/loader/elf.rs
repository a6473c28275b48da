//! Reading an ELF file without believing it: every offset is checked, nothing is mapped, nothing
//! runs. Goes by program headers only, as the dynamic loader does, so that stripped section headers
//! change nothing.

use object::LittleEndian as LE;
use object::elf::{self, Dyn64, FileHeader64, ProgramHeader64, Sym64};
use object::read::elf::{FileHeader as _, GnuHashTable, HashTable, NoteIterator};
use object::read::elf::{ProgramHeader as _, Sym as _};
use object::read::{ReadRef as _, StringTable};

/// What is wrong with the bytes, in words.
pub(super) type Damage = String;

/// Most entries of the version lists that are read. A libc has about fifty versions.
const MAX_VERSIONS: u64 = 4096;

/// A 64-bit little-endian ELF file, with its headers inside its bytes.
pub(super) struct Elf<'a> {
    bytes: &'a [u8],
    header: &'a FileHeader64<LE>,
    segments: &'a [ProgramHeader64<LE>],
    dynamic: &'a [Dyn64<LE>],
}

/// A symbol that the file defines for others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Export<'a> {
    pub name: &'a [u8],
    pub address: u64,
    pub size: u64,
    pub data: bool,
}

/// An ELF note.
pub(super) struct RawNote<'a> {
    pub owner: &'a [u8],
    pub kind: u32,
    pub content: &'a [u8],
}

impl<'a> Elf<'a> {
    /// Reads the headers. Answers in words what is not as it must be.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Damage> {
        if !bytes.starts_with(&elf::ELFMAG) {
            return Err("it is not an ELF file".to_owned());
        }
        if bytes.get(4) != Some(&2) || bytes.get(5) != Some(&1) {
            return Err("it is not a 64-bit little-endian ELF file".to_owned());
        }
        let header = FileHeader64::<LE>::parse(bytes).map_err(|e| truncated(bytes, &e))?;
        let segments = header.program_headers(LE, bytes).map_err(|e| truncated(bytes, &e))?;
        let this = Self { bytes, header, segments, dynamic: &[] };
        this.whole()?;
        let dynamic = segments.iter().find_map(|s| s.dynamic(LE, bytes).transpose());
        let dynamic = dynamic.transpose().map_err(|e| damaged(&e))?.unwrap_or(&[]);
        let end = dynamic.iter().position(|d| d.d_tag.get(LE) == elf::DT_NULL);
        Ok(Self { dynamic: &dynamic[..end.unwrap_or(dynamic.len())], ..this })
    }

    /// All that the headers announce is there: a file cut short would be SIGBUS once it is mapped.
    fn whole(&self) -> Result<(), Damage> {
        let len = self.bytes.len() as u64;
        let sections = u64::from(self.header.e_shnum.get(LE))
            .saturating_mul(u64::from(self.header.e_shentsize.get(LE)));
        let loads = self.segments.iter().filter(|s| s.p_type(LE) == elf::PT_LOAD);
        let ends = loads.map(|s| s.p_offset(LE).saturating_add(s.p_filesz(LE)));
        let section_end = self.header.e_shoff.get(LE).saturating_add(sections);
        let end = ends.chain([section_end]).max().unwrap_or(0);
        if end > len {
            return Err(format!("it is cut short: its headers speak of {end} bytes, it has {len}"));
        }
        Ok(())
    }

    /// `e_machine`.
    pub fn machine(&self) -> u16 {
        self.header.e_machine(LE).0
    }

    /// Whether it is a shared object, as opposed to an executable, an object file or a core.
    pub fn is_shared_object(&self) -> bool {
        self.header.e_type(LE) == elf::ET_DYN && !self.dynamic.is_empty()
    }

    /// All notes. A damaged one ends its segment's list.
    pub fn notes(&self) -> Vec<RawNote<'a>> {
        let mut found = Vec::new();
        for segment in self.segments {
            if let Ok(Some(notes)) = segment.notes(LE, self.bytes) {
                collect_notes(notes, &mut found);
            }
        }
        found
    }

    /// `DT_NEEDED`: the libraries it wants.
    pub fn needed(&self) -> Result<Vec<String>, Damage> {
        let strings = self.strings()?;
        let entries = self.dynamic.iter().filter(|d| d.d_tag.get(LE) == elf::DT_NEEDED);
        entries.map(|d| text(&strings, d.d_val.get(LE) as u32)).collect()
    }

    /// Whether `DT_FLAGS_1` carries NODELETE, which turns `dlclose` into a no-op.
    pub fn is_nodelete(&self) -> bool {
        self.value(elf::DT_FLAGS_1).is_some_and(|flags| flags & elf::DF_1_NODELETE.0 != 0)
    }

    /// Whether a symbol is GNU_UNIQUE (C++ inside), which pins the image as NODELETE does.
    pub fn has_unique_symbols(&self) -> Result<bool, Damage> {
        let symbols = self.symbols()?;
        Ok(symbols.iter().any(|s| s.st_bind() == elf::STB_GNU_UNIQUE && !s.is_undefined(LE)))
    }

    /// The symbols that it defines for others.
    pub fn exports(&self) -> Result<Vec<Export<'a>>, Damage> {
        let strings = self.strings()?;
        let defined = self.symbols()?.iter().filter(|s| !s.is_undefined(LE));
        let visible = defined.filter(|s| s.st_bind() != elf::STB_LOCAL);
        let export = |s: &'a Sym64<LE>| {
            Ok(Export {
                name: strings.get(s.st_name(LE)).map_err(|()| no_text())?,
                address: s.st_value(LE),
                size: s.st_size(LE),
                data: s.st_type() == elf::STT_OBJECT,
            })
        };
        visible.map(export).collect()
    }

    /// The symbol versions it wants from other libraries: `GLIBC_2.34` and the like.
    pub fn wanted_versions(&self) -> Result<Vec<String>, Damage> {
        let (Some(at), Some(count)) = (self.value(elf::DT_VERNEED), self.value(elf::DT_VERNEEDNUM))
        else {
            return Ok(Vec::new());
        };
        let strings = self.strings()?;
        let data = self.at_address(at)?;
        let (mut need, mut found) = (0_u64, Vec::new());
        for _ in 0..count.min(MAX_VERSIONS) {
            let names = u64::from(half(data, need + 2)?);
            let mut name = need + u64::from(word(data, need + 8)?);
            for _ in 0..names {
                if found.len() as u64 == MAX_VERSIONS {
                    return Ok(found);
                }
                found.push(text(&strings, word(data, name + 8)?)?);
                name += u64::from(word(data, name + 12)?);
            }
            need += u64::from(word(data, need + 12)?);
        }
        Ok(found)
    }

    fn value(&self, tag: elf::DynamicTag) -> Option<u64> {
        self.dynamic.iter().find(|d| d.d_tag.get(LE) == tag).map(|d| d.d_val.get(LE))
    }

    /// The bytes that are mapped at an address, up to the end of their segment.
    fn at_address(&self, address: u64) -> Result<&'a [u8], Damage> {
        let outside =
            || format!("its dynamic section points outside the file (address {address:#x})");
        let inside = |s: &&ProgramHeader64<LE>| {
            s.p_type(LE) == elf::PT_LOAD
                && (s.p_vaddr(LE)..s.p_vaddr(LE).saturating_add(s.p_filesz(LE))).contains(&address)
        };
        let segment = self.segments.iter().find(inside).ok_or_else(outside)?;
        let skip = address - segment.p_vaddr(LE);
        let start = segment.p_offset(LE).checked_add(skip).ok_or_else(outside)?;
        let len = segment.p_filesz(LE) - skip;
        self.bytes.read_bytes_at(start, len).map_err(|()| outside())
    }

    fn strings(&self) -> Result<StringTable<'a>, Damage> {
        let missing = || "its dynamic section names no strings".to_owned();
        let data = self.at_address(self.value(elf::DT_STRTAB).ok_or_else(missing)?)?;
        let size = self.value(elf::DT_STRSZ).ok_or_else(missing)?.min(data.len() as u64);
        Ok(StringTable::new(data, 0, size))
    }

    fn symbols(&self) -> Result<&'a [Sym64<LE>], Damage> {
        let Some(at) = self.value(elf::DT_SYMTAB) else { return Ok(&[]) };
        let count = self.symbol_count()?;
        let data = self.at_address(at)?;
        let cut = || "its symbol table is cut short".to_owned();
        data.read_slice_at(0, count).map_err(|()| cut())
    }

    fn symbol_count(&self) -> Result<usize, Damage> {
        if let Some(at) = self.value(elf::DT_GNU_HASH) {
            let table = GnuHashTable::<FileHeader64<LE>>::parse(LE, self.at_address(at)?);
            let table = table.map_err(|e| damaged(&e))?;
            let base = table.symbol_base();
            return Ok(table.symbol_table_length(LE).unwrap_or(base) as usize);
        }
        let Some(at) = self.value(elf::DT_HASH) else { return Ok(0) };
        let table = HashTable::<FileHeader64<LE>>::parse(LE, self.at_address(at)?);
        Ok(table.map_err(|e| damaged(&e))?.symbol_table_length() as usize)
    }
}

fn collect_notes<'a>(mut notes: NoteIterator<'a, FileHeader64<LE>>, into: &mut Vec<RawNote<'a>>) {
    while let Ok(Some(note)) = notes.next() {
        into.push(RawNote { owner: note.name(), kind: note.n_type(LE).0, content: note.desc() });
    }
}

fn text(strings: &StringTable<'_>, offset: u32) -> Result<String, Damage> {
    let bytes = strings.get(offset).map_err(|()| no_text())?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn no_text() -> Damage {
    "a name points outside its string table".to_owned()
}

fn word(data: &[u8], at: u64) -> Result<u32, Damage> {
    let bytes = data.read_bytes_at(at, 4).ok().and_then(|b| b.try_into().ok());
    bytes.map(u32::from_le_bytes).ok_or_else(|| "its version list is cut short".to_owned())
}

fn half(data: &[u8], at: u64) -> Result<u16, Damage> {
    let bytes = data.read_bytes_at(at, 2).ok().and_then(|b| b.try_into().ok());
    bytes.map(u16::from_le_bytes).ok_or_else(|| "its version list is cut short".to_owned())
}

fn truncated(bytes: &[u8], error: &object::read::Error) -> Damage {
    format!("it is cut short or damaged ({} bytes): {error}", bytes.len())
}

fn damaged(error: &object::read::Error) -> Damage {
    format!("it is damaged: {error}")
}
