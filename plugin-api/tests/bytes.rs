//! Goal: `Bytes` and `String` behave as std's `Vec<u8>` and `String`, leak nothing, and keep their
//! layout. Method: random operations on both twins; golden numbers for the layout.

mod common;

use std::io::Write as _;

use common::{Random, held, leak_checked, panic_of, with_seeds};
use hotshell_plugin_api::collections::hash::KeyHasher;
use hotshell_plugin_api::collections::{Bytes, String as Text, bytes};
use hotshell_plugin_api::state::{Lookup, StateKey};

fn some_bytes(random: &mut Random, max: usize) -> Vec<u8> {
    (0..random.below(max + 1)).map(|_| random.next() as u8).collect()
}

fn step(random: &mut Random, ours: &mut Bytes, std: &mut Vec<u8>) {
    match random.below(17) {
        0 | 1 => {
            let byte = random.next() as u8;
            ours.push(byte);
            std.push(byte);
        }
        2 => assert_eq!(ours.pop(), std.pop()),
        3 | 4 => {
            let more = some_bytes(random, 40);
            ours.extend_from_slice(&more);
            std.extend_from_slice(&more);
        }
        5 => {
            let n = random.below(std.len() + 4);
            ours.truncate(n);
            std.truncate(n);
        }
        6 => {
            let (n, byte) = (random.below(60), random.next() as u8);
            ours.resize(n, byte);
            std.resize(n, byte);
        }
        7 => {
            let (at, byte) = (random.below(std.len() + 1), random.next() as u8);
            ours.insert(at, byte);
            std.insert(at, byte);
        }
        8 if !std.is_empty() => {
            let at = random.below(std.len());
            assert_eq!(ours.remove(at), std.remove(at));
        }
        9 => {
            let range = random.range(std.len());
            let a: Vec<u8> = ours.drain(range.clone()).rev().collect();
            assert_eq!(a, std.drain(range).rev().collect::<Vec<u8>>());
        }
        10 => {
            let at = random.below(std.len() + 1);
            assert_eq!(ours.split_off(at), std.split_off(at));
        }
        11 => ours.shrink_to_fit(),
        12 => ours.reserve(random.below(100)),
        13 => *ours = ours.clone(),
        14 => {
            ours.retain(|b| b % 3 != 0);
            std.retain(|b| b % 3 != 0);
        }
        15 => {
            let (at, more) = (random.below(std.len() + 1), some_bytes(random, 20));
            ours.insert_slice(at, &more);
            std.splice(at..at, more);
        }
        16 if random.below(8) == 0 => {
            ours.clear();
            std.clear();
        }
        _ => {}
    }
}

#[test]
fn bytes_do_what_a_vec_of_bytes_does() {
    with_seeds(60, |random| {
        let (mut ours, mut std) = (Bytes::new(), Vec::new());
        for _ in 0..600 {
            step(random, &mut ours, &mut std);
            assert_eq!(ours, std);
            assert_eq!(ours.len(), std.len());
            assert!(ours.capacity() >= ours.len());
            assert_eq!(ours.cmp(&Bytes::from("m")), std.as_slice().cmp(b"m"));
        }
        assert!(ours.into_iter().eq(std));
    });
}

#[test]
fn text_does_what_std_text_does() {
    let chars = ['a', 'é', '漢', '🦀', ' ', '\0'];
    with_seeds(40, |random| {
        let (mut ours, mut std) = (Text::new(), String::new());
        for _ in 0..300 {
            let ends: Vec<usize> = (0..=std.len()).filter(|&i| std.is_char_boundary(i)).collect();
            let (at, c) = (ends[random.below(ends.len())], chars[random.below(chars.len())]);
            match random.below(9) {
                0..=2 => {
                    ours.push(c);
                    std.push(c);
                }
                3 => {
                    ours.insert(at, c);
                    std.insert(at, c);
                }
                4 if at < std.len() => assert_eq!(ours.remove(at), std.remove(at)),
                5 => {
                    ours.truncate(at);
                    std.truncate(at);
                }
                6 => assert_eq!(ours.pop(), std.pop()),
                7 => {
                    ours += "straße";
                    std += "straße";
                }
                _ => {
                    ours.retain(|x| x != c);
                    std.retain(|x| x != c);
                }
            }
            assert_eq!(ours, std);
            assert_eq!(format!("{ours} {ours:?}"), format!("{std} {std:?}"));
        }
        assert_eq!(Text::from_utf8(ours.into_bytes()).unwrap(), std);
    });
}

#[test]
fn short_strings_take_no_memory_and_long_ones_exactly_theirs() {
    leak_checked(|| {
        let short = Bytes::from(&[7; 15][..]);
        assert_eq!(held(), (0, 0));
        let long = Bytes::from(&[7; 16][..]);
        assert_eq!(held(), (1, 16));
        assert_eq!(long.capacity(), 16);
        assert_eq!((short.clone(), long.clone()), (short, long));
        let mut text = Bytes::from(&[1; 100][..]);
        text.truncate(15);
        text.shrink_to_fit();
        assert_eq!((held(), text.capacity()), ((0, 0), 15));
    });
}

#[test]
fn capacities_are_exact_when_short_and_nearly_so_when_long() {
    leak_checked(|| {
        for bytes in (16..2048).chain((2048..1 << 22).step_by(997)) {
            let capacity = Bytes::with_capacity(bytes).capacity();
            assert!(capacity >= bytes, "{capacity} for {bytes}");
            let most = if bytes < 2048 { bytes } else { bytes + bytes / 1000 };
            assert!(capacity <= most, "{capacity} for {bytes}");
            assert_eq!(held(), (0, 0));
        }
    });
}

#[test]
fn growth_is_geometric() {
    leak_checked(|| {
        let (mut text, mut sizes) = (Bytes::new(), Vec::new());
        for _ in 0..1_000_000 {
            text.push(1);
            if sizes.last() != Some(&text.capacity()) {
                sizes.push(text.capacity());
            }
        }
        assert!(sizes.len() < 32, "{sizes:?}");
    });
}

#[test]
fn not_utf8_is_given_back() {
    leak_checked(|| {
        let error = Text::from_utf8(Bytes::from(b"ab\xff")).unwrap_err();
        assert_eq!(error.utf8_error().valid_up_to(), 2);
        assert_eq!(error.to_string(), "invalid utf-8 sequence of 1 bytes from index 2");
        assert_eq!(error.into_bytes(), b"ab\xff");
    });
}

#[test]
fn it_is_written_to_and_read_as_text() {
    leak_checked(|| {
        let (mut line, line_name) = (Bytes::new(), "x");
        write!(line, "{}:{}\r\n", 1, line_name).unwrap();
        assert_eq!(line, "1:x\r\n");
        assert_eq!(format!("{line:?}"), r#"b"1:x\r\n""#);
        assert_eq!(line, *b"1:x\r\n");
    });
}

#[test]
fn what_stands_for_a_key_hashes_and_orders_as_the_key() {
    leak_checked(|| {
        fn hash<K: StateKey, Q: Lookup<K> + ?Sized>(q: &Q) -> u64 {
            let mut hasher = KeyHasher::new([3, 5]);
            q.hash_into(&mut hasher);
            hasher.finish()
        }
        for text in ["", "a", "a key longer than fifteen bytes"] {
            let (key, name) = (Bytes::from(text), Text::from(text));
            let expected = hash::<Bytes, Bytes>(&key);
            assert_eq!(hash::<Bytes, [u8]>(text.as_bytes()), expected);
            assert_eq!(hash::<Bytes, str>(text), expected);
            assert_eq!(hash::<String_, str>(text), hash::<String_, String_>(&name));
            assert!(text.as_bytes().eq_key(&key) && text.eq_key(&name));
            assert_eq!(text.as_bytes().cmp_key(&Bytes::from("a ")), text.cmp("a "));
        }
        assert_eq!(hash::<Bytes, [u8; 1]>(b"a"), hash::<Bytes, Bytes>(&Bytes::from("a")));
    });
}

type String_ = Text;

#[test]
fn panics_name_index_and_length() {
    leak_checked(|| {
        let mut text = Bytes::from("abc");
        let said = panic_of(|| text.insert(4, 0));
        assert_eq!(said, "insertion index (is 4) should be <= len (is 3)");
        let said = panic_of(|| text.remove(3));
        assert_eq!(said, "removal index (is 3) should be < len (is 3)");
        let said = panic_of(|| text[3]);
        assert_eq!(said, "index out of bounds: the len is 3 but the index is 3");
        assert!(panic_of(|| text.drain(2..5).count()).contains("range end index 5 out of range"));
        assert_eq!(panic_of(|| text.reserve(usize::MAX)), "capacity overflow");
        let mut text = Text::from("é");
        assert!(panic_of(|| text.truncate(1)).contains("char boundary"));
    });
}

#[test]
fn the_layout_is_golden() {
    leak_checked(|| {
        const SAY: &str = "the layout of Bytes changed: raise bytes::FORMAT, then this test";
        assert_eq!((size_of::<Bytes>(), align_of::<Bytes>()), (16, 8), "{SAY}");
        assert_eq!((size_of::<Text>(), align_of::<Text>()), (16, 8), "{SAY}");
        assert_eq!(bytes::FORMAT, 2, "{SAY}");
        let words = |text: &Bytes| -> [u8; 16] {
            // SAFETY: all 16 bytes of a `Bytes` are initialised.
            unsafe { std::ptr::from_ref(text).cast::<[u8; 16]>().read() }
        };
        assert_eq!(words(&Bytes::new()), [0; 16], "{SAY}");
        assert_eq!(words(&Bytes::from("abc")), *b"abc\0\0\0\0\0\0\0\0\0\0\0\0\x03", "{SAY}");
        let long = Bytes::from(&[9; 300][..]);
        assert_eq!(words(&long)[8..], [44, 1, 0, 0, 0, 44, 1, 0x80], "{SAY}");
        assert_eq!(words(&long)[..8], (long.as_ptr() as usize).to_le_bytes(), "{SAY}");
        let longer = Bytes::from(&[9; 10_000][..]);
        // 10,000 is 1,250 times 2^3.
        let capacity = (1250_u16 | 3 << 11).to_le_bytes();
        assert_eq!(words(&longer)[13..], [capacity[0], capacity[1], 0x80], "{SAY}");
    });
}
