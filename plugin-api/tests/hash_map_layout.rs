//! Goal: layout, hash and rules of `HashMap` are those of its FORMAT, whoever compiled it.
//! Method: golden values. When one differs, raise `FORMAT` (or the hash's `ALGORITHM`), do not edit it
//! here alone: maps that an older plugin wrote would be misread.

use hotshell_plugin_api::collections::hash::{ALGORITHM, KeyHasher};
use hotshell_plugin_api::collections::hash_map::{FORMAT, UnitHead};
use hotshell_plugin_api::collections::{HashMap, HashSet};
use hotshell_plugin_api::schema::Schema;
use hotshell_plugin_api::state::StateType;

mod counting_heap;
use counting_heap::Leaks;

const RAISE: &str = "the layout or the rules changed: raise FORMAT, then update this golden value";

fn header(map: &HashMap<u64, u32>) -> [u64; 8] {
    // SAFETY: the header is eight words without padding.
    unsafe { std::ptr::from_ref(map).cast::<[u64; 8]>().read() }
}

#[test]
fn the_header_is_as_told() {
    let leaks = Leaks::start();
    assert_eq!(size_of::<HashMap<u64, u32>>(), 64, "{RAISE}");
    assert_eq!(size_of::<HashSet<u64>>(), 64, "{RAISE}");
    assert_eq!(align_of::<HashMap<u8, u8>>(), 8, "{RAISE}");
    assert_eq!(size_of::<UnitHead>(), 8, "{RAISE}");
    let empty = header(&HashMap::new());
    assert_eq!(empty, [0, 0, 60, 0, 0, 0, 8, 0], "{RAISE}");
    let mut map: HashMap<u64, u32> = HashMap::with_capacity(100);
    map.set_stamp(UnitHead { layout: 0x0102_0304, epoch: 0x0a0b_0c0d });
    map.insert(1, 2);
    let [ctrl, growth_left, geometry, _, _, len, rehash, stamp] = header(&map);
    assert_eq!((ctrl % 16, growth_left, len, rehash), (0, 111, 1, 0), "{RAISE}");
    // shift 57 (8 groups), 2^1 tail groups, format, algorithm, 16 bytes a slot.
    let expected = [57, 1, FORMAT as u8, ALGORITHM as u8, 16, 0, 0, 0];
    assert_eq!(geometry.to_le_bytes(), expected, "{RAISE}");
    assert_eq!(stamp, 0x0a0b_0c0d_0102_0304, "{RAISE}");
    // SAFETY: control bytes of eight groups and two more, and one closing group.
    let ctrl = unsafe { std::slice::from_raw_parts(ctrl as usize as *const u8, 11 * 16) };
    assert_eq!(ctrl.iter().filter(|&&byte| byte == 0).count(), ctrl.len() - 1, "{RAISE}");
    assert_eq!(ctrl.iter().filter(|&&byte| byte >= 2).count(), 1, "{RAISE}");
    drop(map);
    leaks.none();
}

#[test]
fn a_large_table_may_have_three_quarters_of_a_power_of_two() {
    let leaks = Leaks::start();
    let map: HashMap<u64, u32> = HashMap::with_capacity(1_000_000);
    let [_, growth_left, geometry, ..] = header(&map);
    // 3 * 2^15 groups: shift 43, as of 2^17, and the top bit of 2^3 tail groups.
    let expected = [43, 0x83, FORMAT as u8, ALGORITHM as u8, 16, 0, 0, 0];
    assert_eq!(geometry.to_le_bytes(), expected, "{RAISE}");
    assert_eq!(growth_left, 14 * (3 << 15), "{RAISE}");
    drop(map);
    leaks.none();
}

#[test]
fn the_hash_is_as_ever() {
    let hash = |write: &dyn Fn(&mut KeyHasher)| {
        let mut hasher = KeyHasher::new([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);
        write(&mut hasher);
        hasher.finish()
    };
    let raise = "the hash changed: give it a new ALGORITHM id and keep the old one for old maps";
    assert_eq!(ALGORITHM, 1);
    let got = [
        hash(&|_| ()),
        hash(&|h| h.write_u64(0)),
        hash(&|h| h.write_u64(1)),
        hash(&|h| h.write_u64(u64::MAX)),
        hash(&|h| h.write_bytes(b"")),
        hash(&|h| h.write_bytes(b"a")),
        hash(&|h| h.write_bytes(b"abcd")),
        hash(&|h| h.write_bytes(b"abcdefgh")),
        hash(&|h| h.write_bytes(b"0123456789abcdef")),
        hash(&|h| h.write_bytes(b"0123456789abcdefg")),
        hash(&|h| h.write_bytes(&[7; 100])),
    ];
    assert_eq!(got, HASHES, "{raise}; got {got:#x?}");
}

const HASHES: [u64; 11] = [
    0x0648_7cb6_ca32_8375,
    0xac2e_12f5_b038_dd42,
    0xe8a0_3a05_cc25_7acc,
    0xb0c5_d8f3_1ee4_68cd,
    0x68c1_7349_a72d_b423,
    0x49fb_6b3c_3ca2_a439,
    0x899f_fa6e_4144_6950,
    0x05c0_20d4_bdc7_71fe,
    0x3f59_2f07_1912_69a2,
    0xc223_0297_c0ef_f375,
    0x4947_50ca_5349_0cb1,
];

#[test]
fn the_rules_are_as_ever() {
    let leaks = Leaks::start();
    // The counting heap's random numbers are the same in every run, and so is all that follows.
    let mut map: HashMap<u64, u64> = HashMap::new();
    let mut digest = 0xcbf2_9ce4_8422_2325_u64;
    let mut fold = |n: u64| digest = (digest ^ n).wrapping_mul(0x0000_0100_0000_01b3);
    for round in 0..6 {
        for key in 0..3000 * (round + 1) {
            if round % 2 == 0 || key % 7 != 0 {
                map.insert(key, round);
            }
            if key % 500 == 0 {
                fold(map.is_moving().into());
                fold(map.capacity() as u64);
            }
        }
        map.keys().for_each(|&key| fold(key));
        for key in 0..3000 * (round + 1) {
            if key % 101 != round {
                map.remove(&key);
            }
        }
        map.keys().for_each(|&key| fold(key));
        fold(map.capacity() as u64);
        fold(map.unit_heads().count() as u64);
    }
    assert_eq!(digest, RULES, "{RAISE}; got {digest:#x}");
    drop(map);
    leaks.none();
}

const RULES: u64 = 0x1424_7d75_e359_ca8b;

#[test]
fn the_schema_names_format_and_arguments() {
    let schema = Schema::of::<HashMap<u64, HashSet<i32>>, ()>();
    assert_eq!(schema.type_name(schema.root), "HashMap<u64, HashSet<i32>>");
    assert_eq!(schema.types[schema.root as usize].format, FORMAT);
    let prints = [
        HashMap::<u64, u32>::FINGERPRINT,
        HashMap::<u32, u64>::FINGERPRINT,
        HashMap::<u64, ()>::FINGERPRINT,
        HashSet::<u64>::FINGERPRINT,
    ];
    let distinct: std::collections::BTreeSet<_> = prints.into_iter().collect();
    assert_eq!(distinct.len(), prints.len());
}

#[test]
fn patterned_keys_spread_as_random_ones_do() {
    // Entries per group of 16 at 7/8 load: a group that gets more than 16 spills into the next.
    type Pattern = (&'static str, fn(u64) -> u64);
    let patterns: [Pattern; 7] = [
        ("counting", |n| n),
        ("multiples of 8", |n| n << 3),
        ("pages", |n| n << 12),
        ("high half", |n| n << 32),
        ("top bits", |n| n.reverse_bits()),
        ("two counters", |n| ((n % 256) << 40) | (n / 256)),
        ("ids with a tag", |n| n * 1_000_003 + 0x7fff_0000_0000),
    ];
    for (name, key) in patterns {
        let mut random = counting_heap::Random(11);
        let (mut worst, mut alike) = (0.0_f64, 0.0_f64);
        for _ in 0..20 {
            let seed = [random.next(), random.next()];
            let mut groups = vec![Vec::new(); 1 << 12];
            for n in 0..14 << 12 {
                let mut hasher = KeyHasher::new(seed);
                hasher.write_u64(key(n));
                let hash = hasher.finish();
                groups[(hash >> 52) as usize].push((hash as u8).max(2));
            }
            let spilled: usize = groups.iter().map(|tags| tags.len().saturating_sub(16)).sum();
            worst = worst.max(spilled as f64 / f64::from(14 << 12));
            alike = alike.max(equal_pairs(&groups));
        }
        println!("{name}: at worst {:.1} % spilled, {:.2} % alike", worst * 100.0, alike * 100.0);
        // A Poisson distribution around 14 spills 4.9 %.
        assert!(worst < 0.065, "{name}: {worst}");
        // Of 254 tags any two entries of a group have the same with 0.4 %.
        assert!(alike < 0.008, "{name}: {alike}");
    }
}

/// The part of the pairs in all groups whose tags are the same: each costs a search a comparison.
fn equal_pairs(groups: &[Vec<u8>]) -> f64 {
    let (mut equal, mut pairs) = (0_usize, 0_usize);
    for tags in groups {
        pairs += tags.len() * tags.len().saturating_sub(1);
        equal += tags.iter().map(|a| tags.iter().filter(|b| *b == a).count() - 1).sum::<usize>();
    }
    equal as f64 / pairs as f64
}
