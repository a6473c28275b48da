//! Goal: `Vec`, `Option` and `Box` behave as std's, leak nothing, and keep their layout.
//! Method: random operations on both twins with counted values; golden numbers for the layout.

mod common;

use common::{Counted, Random, held, leak_checked, panic_of, values, with_seeds};
use hotshell_plugin_api::collections::{self, Box as StateBox, Bytes, Vec as StateVec};
use hotshell_plugin_api::schema::{Kind, Schema};
use hotshell_plugin_api::state::StateType;

type Twin = Vec<Counted>;

fn step(random: &mut Random, ours: &mut StateVec<Counted>, std: &mut Twin) {
    let n = random.next() % 50;
    let len = std.len();
    match random.below(20) {
        0..=2 => {
            ours.push(Counted::new(n));
            std.push(Counted::new(n));
        }
        3 => assert_eq!(ours.pop(), std.pop()),
        4 => {
            let at = random.below(len + 1);
            ours.insert(at, Counted::new(n));
            std.insert(at, Counted::new(n));
        }
        5 if len > 0 => {
            let at = random.below(len);
            assert_eq!(ours.remove(at), std.remove(at));
        }
        6 if len > 0 => {
            let at = random.below(len);
            assert_eq!(ours.swap_remove(at), std.swap_remove(at));
        }
        7 => {
            let to = random.below(len + 4);
            ours.truncate(to);
            std.truncate(to);
        }
        8 => {
            let to = random.below(40);
            ours.resize(to, Counted::new(n));
            std.resize(to, Counted::new(n));
        }
        9 => {
            ours.retain(|v| v.0 % 4 != n % 4);
            std.retain(|v| v.0 % 4 != n % 4);
        }
        10 => {
            let (range, some) = (random.range(len), random.below(5));
            let (mut a, mut b) = (ours.drain(range.clone()), std.drain(range));
            for i in 0..some {
                assert_eq!(a.len(), b.len());
                let (x, y) =
                    if i % 2 == 0 { (a.next(), b.next()) } else { (a.next_back(), b.next_back()) };
                assert_eq!(x, y);
            }
        }
        11 => {
            ours.dedup_by_key(|v| v.0 / 10);
            std.dedup_by_key(|v| v.0 / 10);
        }
        12 => {
            let at = random.below(len + 1);
            assert_eq!(ours.split_off(at), std.split_off(at));
        }
        13 => {
            let more: Vec<Counted> = (0..n % 9).map(Counted::new).collect();
            ours.append(&mut StateVec::from(more.clone()));
            std.extend(more);
        }
        14 => ours.shrink_to_fit(),
        15 => *ours = ours.clone(),
        16 => {
            ours.sort();
            std.sort();
        }
        17 => {
            let more = std[random.range(len)].to_vec();
            ours.extend_from_slice(&more);
            std.extend_from_slice(&more);
        }
        18 if len > 30 => {
            let (mut a, mut b) =
                (std::mem::take(ours).into_iter(), std::mem::take(std).into_iter());
            assert_eq!((a.next(), a.next_back()), (b.next(), b.next_back()));
            assert_eq!(a.as_slice(), b.as_slice());
            ours.extend(a.take(9));
            std.extend(b.take(9));
        }
        _ => ours.reserve(n as usize),
    }
}

#[test]
fn a_vec_does_what_stds_does() {
    with_seeds(60, |random| {
        let (mut ours, mut std) = (StateVec::new(), Vec::new());
        for _ in 0..400 {
            step(random, &mut ours, &mut std);
            assert_eq!(ours, std);
            assert!(ours.capacity() >= ours.len());
        }
    });
}

#[test]
fn values_of_no_size_take_no_memory() {
    leak_checked(|| {
        let mut units: StateVec<()> = (0..100).map(|_| ()).collect();
        units.truncate(90);
        units.insert(3, ());
        assert_eq!((units.len(), units.iter().count(), held()), (91, 91, (0, 0)));
        assert_eq!(units.into_iter().count(), 91);
        assert_eq!(StateBox::new(()), StateBox::new(()));
    });
}

#[test]
fn a_panicking_filter_loses_nothing() {
    leak_checked(|| {
        let mut list: StateVec<Counted> = (0..10).map(Counted::new).collect();
        panic_of(|| {
            list.retain(|v| {
                assert!(v.0 < 6);
                v.0 % 2 == 0
            });
        });
        let left: Vec<u64> = list.iter().map(|v| v.0).collect();
        assert_eq!(left, [0, 2, 4, 6, 7, 8, 9]);
    });
}

#[test]
fn a_panicking_drop_frees_the_rest() {
    struct Bomb(u32, #[allow(dead_code)] Counted);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert_ne!(self.0, 3, "boom");
        }
    }
    leak_checked(|| {
        let bombs: StateVec<Bomb> = (0..6).map(|n| Bomb(n, Counted::new(9))).collect();
        assert!(panic_of(|| drop(bombs)).contains("boom"));
        assert_eq!((held().0, values()), (0, 0));
        let boxed = StateBox::new(Bomb(3, Counted::new(9)));
        assert!(panic_of(|| drop(boxed)).contains("boom"));
    });
}

#[test]
fn a_leaked_drain_shows_no_value_twice() {
    leak_checked(|| {
        let mut list: StateVec<u32> = (0..10).collect();
        std::mem::forget(list.drain(3..5));
        assert_eq!(list, [0, 1, 2]);
    });
}

#[test]
fn panics_are_those_of_std() {
    leak_checked(|| {
        let (mut ours, mut std) = (StateVec::from([1, 2, 3]), vec![1, 2, 3]);
        assert_eq!(panic_of(|| ours.insert(4, 0)), panic_of(|| std.insert(4, 0)));
        assert_eq!(panic_of(|| ours.remove(3)), panic_of(|| std.remove(3)));
        assert_eq!(panic_of(|| ours.swap_remove(3)), panic_of(|| std.swap_remove(3)));
        assert_eq!(panic_of(|| ours[3]), panic_of(|| std[3]));
        assert_eq!(panic_of(|| ours.split_off(4)), panic_of(|| std.split_off(4)));
        assert_eq!(panic_of(|| ours.reserve(usize::MAX)), panic_of(|| std.reserve(usize::MAX)));
        assert!(panic_of(|| ours.drain(2..9).count()).contains("range end index 9 out of range"));
    });
}

#[test]
fn an_option_converts_and_hands_out_stds() {
    leak_checked(|| {
        let mut name: collections::Option<Counted> = None.into();
        assert!(name.is_none() && name.take().is_none());
        assert_eq!(name.get_or_insert_with(|| Counted::new(4)).0, 4);
        assert_eq!(name.replace(Counted::new(5)), Some(Counted::new(4)));
        name.as_mut().unwrap().0 = 5;
        assert_eq!(name, Some(Counted::new(5)));
        assert_eq!(name.insert(Counted::new(6)).0, 6);
        assert_eq!(name.clone().map(|v| v.0), Some(6));
        assert_eq!(name.as_ref().ok_or("none").map(|v| v.0), Ok(6));
        assert_eq!(name.take().map(|v| v.0), Some(6));
        assert_eq!(
            panic_of(|| name.clone().unwrap()),
            "called `Option::unwrap()` on a `None` value"
        );
        assert_eq!(name.unwrap_or(Counted::new(1)), Counted::new(1));
    });
}

#[test]
fn a_box_owns_its_value() {
    leak_checked(|| {
        let mut value = StateBox::new(Counted::new(1));
        value.0 = 1;
        let copy = value.clone();
        assert_eq!(copy, value);
        assert_eq!(held(), (2, 32));
        assert_eq!(value.into_inner(), Counted::new(1));
        assert_eq!(format!("{:?}", StateBox::new(3)), "3");
    });
}

#[test]
fn the_layouts_are_golden() {
    leak_checked(|| {
        const SAY: &str =
            "the layout of Vec, Option or Box changed: raise its FORMAT, then this test";
        assert_eq!(size_of::<StateVec<u64>>(), 24, "{SAY}");
        assert_eq!(
            (size_of::<StateBox<u8>>(), size_of::<collections::Option<u64>>()),
            (8, 16),
            "{SAY}"
        );
        let mut list: StateVec<u16> = StateVec::with_capacity(7);
        list.push(1);
        // SAFETY: all 24 bytes of a `Vec` are initialised.
        let words = unsafe { std::ptr::from_ref(&list).cast::<[usize; 3]>().read() };
        assert_eq!(words, [list.as_ptr() as usize, 1, 7], "{SAY}");
        let tag = |option: &collections::Option<u8>| -> u8 {
            // SAFETY: the first byte is the tag.
            unsafe { std::ptr::from_ref(option).cast::<u8>().read() }
        };
        assert_eq!((tag(&None.into()), tag(&Some(9).into())), (0, 1), "{SAY}");
        let formats =
            (collections::vec::FORMAT, collections::option::FORMAT, collections::boxed::FORMAT);
        assert_eq!(formats, (1, 1, 1), "{SAY}");
    });
}

#[test]
fn the_schema_tells_kind_and_argument() {
    leak_checked(|| {
        let schema = Schema::of::<StateVec<collections::Option<Bytes>>, StateBox<u32>>();
        assert_eq!(schema.type_name(schema.root), "Vec<Option<Bytes>>");
        assert_eq!(schema.type_name(schema.session), "Box<u32>");
        assert_eq!(schema.types[schema.root as usize].kind, Kind::Vec);
        assert_ne!(StateVec::<u8>::FINGERPRINT, StateVec::<u16>::FINGERPRINT);
        assert_ne!(StateVec::<u8>::FINGERPRINT, StateBox::<u8>::FINGERPRINT);
    });
}
