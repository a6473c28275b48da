//! The encoded form of a [`Lost`], little-endian: as it waits in the state heap, and on disk.
//!
//! Type, path, image; then a byte that says whether a default is in its place, and if so its schema,
//! the way to it, its type, its image; then, if there are any, the marks, 16 bytes each. A path is a count and its steps, each a tag and what belongs to it; an
//! image or key is its length in eight bytes and its bytes.

use super::{Instead, Lost, Step};
use crate::migrate::marks::Mark;

impl Lost {
    /// The encoded form. See [`Lost::decode`].
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.image.len());
        out.extend(self.ty.to_le_bytes());
        put_path(&mut out, &self.path);
        put_bytes(&mut out, &self.image);
        out.push(u8::from(self.instead.is_some()));
        if let Some(Instead { schema, path, ty, image }) = &self.instead {
            out.extend(schema.to_le_bytes());
            put_path(&mut out, path);
            out.extend(ty.to_le_bytes());
            put_bytes(&mut out, image);
        }
        for Mark { map, hash } in &self.marks {
            out.extend(map.to_le_bytes());
            out.extend(hash.to_le_bytes());
        }
        out
    }

    /// Reads what [`Lost::encode`] wrote; `None` when the bytes are damaged.
    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        let input = &mut bytes;
        let ty = u32::from_le_bytes(take(input)?);
        let (path, image) = (take_path(input)?, take_bytes(input)?);
        let instead = match take::<1>(input)? {
            [0] => None,
            _ => {
                let schema = u64::from_le_bytes(take(input)?);
                let path = take_path(input)?;
                let ty = u32::from_le_bytes(take(input)?);
                Some(Instead { schema, path, ty, image: take_bytes(input)? })
            }
        };
        let marks = take_marks(input)?;
        let keys = path.iter().filter(|step| matches!(step, Step::Key(_))).count();
        (marks.is_empty() || marks.len() == keys).then_some(Self {
            path,
            ty,
            image,
            instead,
            marks,
        })
    }
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn put_path(out: &mut Vec<u8>, path: &[Step]) {
    out.extend((path.len() as u32).to_le_bytes());
    for step in path {
        match step {
            Step::Field(offset) => {
                out.push(0);
                out.extend(offset.to_le_bytes());
            }
            Step::Variant(tag) => out.extend([1, *tag]),
            Step::Some => out.push(2),
            Step::Boxed => out.push(3),
            Step::Item(at) | Step::There { at, .. } => {
                out.push(4);
                out.extend(at.to_le_bytes());
            }
            Step::Element { at, seed, image } => {
                out.push(6);
                [at, seed, image].iter().for_each(|n| out.extend(n.to_le_bytes()));
            }
            Step::Key(key) => {
                out.push(5);
                put_bytes(out, key);
            }
        }
    }
}

fn take<const N: usize>(input: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = input.split_first_chunk()?;
    *input = rest;
    Some(*head)
}

fn take_bytes(input: &mut &[u8]) -> Option<Vec<u8>> {
    let len = usize::try_from(u64::from_le_bytes(take(input)?)).ok()?;
    let (head, rest) = input.split_at_checked(len)?;
    *input = rest;
    Some(head.to_vec())
}

/// All that is left.
fn take_marks(input: &mut &[u8]) -> Option<Vec<Mark>> {
    let mut marks = Vec::new();
    while !input.is_empty() {
        let (map, hash) = (take(input)?, take(input)?);
        marks.push(Mark { map: u64::from_le_bytes(map), hash: u64::from_le_bytes(hash) });
    }
    Some(marks)
}

fn take_path(input: &mut &[u8]) -> Option<Vec<Step>> {
    let count = u32::from_le_bytes(take(input)?);
    let step = |_| {
        let [tag] = take(input)?;
        Some(match tag {
            0 => Step::Field(u32::from_le_bytes(take(input)?)),
            1 => Step::Variant(take::<1>(input)?[0]),
            2 => Step::Some,
            3 => Step::Boxed,
            4 => Step::Item(u64::from_le_bytes(take(input)?)),
            5 => Step::Key(take_bytes(input)?),
            6 => {
                let mut number = || Some(u64::from_le_bytes(take(input)?));
                Step::Element { at: number()?, seed: number()?, image: number()? }
            }
            _ => return None,
        })
    };
    (0..count).map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part() -> Lost {
        let key = Step::Key(b"a key".to_vec());
        let element = Step::Element { at: 7, seed: 1 << 50, image: 3 };
        let path = vec![Step::Field(24), key, Step::Variant(2), element, Step::Some, Step::Boxed];
        let way = vec![Step::Field(8), Step::Item(7)];
        let instead = Some(Instead { schema: 1 << 40, path: way, ty: 3, image: vec![1, 2, 3] });
        let marks = vec![Mark { map: 7, hash: 1 << 63 }];
        Lost { path, ty: 9, image: vec![4; 300], instead, marks }
    }

    #[test]
    fn a_part_is_read_back_as_it_was_written() {
        let (path, marks) = (Vec::new(), Vec::new());
        for part in [
            part(),
            Lost { marks: Vec::new(), ..part() },
            Lost { path, instead: None, marks, ..part() },
        ] {
            assert_eq!(Lost::decode(&part.encode()), Some(part));
        }
    }

    #[test]
    fn bytes_that_end_early_or_late_are_no_part() {
        let whole = part().encode();
        // Without its marks it is whole, too: so it was written before there were any.
        let bytes = Lost { marks: Vec::new(), ..part() }.encode();
        assert_eq!(whole.len(), bytes.len() + 16);
        for len in (0..whole.len()).filter(|&len| len != bytes.len()) {
            assert_eq!(Lost::decode(&whole[..len]), None, "{len} of {} bytes", whole.len());
        }
        assert_eq!(Lost::decode(&[&whole[..], &[0]].concat()), None);
        assert_eq!(Lost::decode(&[&whole[..], &[0; 16]].concat()), None, "a mark without a key");
    }
}
