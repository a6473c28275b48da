//! Goal: `VecDeque` behaves as std's over every form it takes, leaks nothing, keeps its layout, and
//! grows without moving elements. Method: random operations on both twins, all short sequences of
//! operations over blocks of four elements, golden numbers for the layout.

mod common;

use std::collections::VecDeque as Std;

use common::{Counted, Random, held, leak_checked, panic_of, with_seeds};
use hotshell_plugin_api::collections::{VecDeque, vec_deque};

/// Four fit into a block, so that a few of them make a chunked queue.
#[derive(Debug, Clone, PartialEq)]
struct Wide(Counted, [u64; 126]);

trait Value: Clone + PartialEq + std::fmt::Debug + 'static {
    fn make(n: u64) -> Self;
    fn number(&self) -> u64;
}

impl Value for Counted {
    fn make(n: u64) -> Self {
        Counted::new(n)
    }
    fn number(&self) -> u64 {
        self.0
    }
}

impl Value for Wide {
    fn make(n: u64) -> Self {
        Wide(Counted::new(n), [n; 126])
    }
    fn number(&self) -> u64 {
        assert_eq!(self.1, [self.0.0; 126]);
        self.0.0
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Huge(Counted, [u64; 700]);

impl Value for Huge {
    fn make(n: u64) -> Self {
        Huge(Counted::new(n), [n; 700])
    }
    fn number(&self) -> u64 {
        self.0.0
    }
}

impl Value for u8 {
    fn make(n: u64) -> Self {
        n as u8
    }
    fn number(&self) -> u64 {
        u64::from(*self)
    }
}

impl Value for () {
    fn make(_: u64) -> Self {}
    fn number(&self) -> u64 {
        0
    }
}

fn step<T: Value>(random: &mut Random, ours: &mut VecDeque<T>, std: &mut Std<T>, many: usize) {
    let n = random.next() % 100;
    let len = std.len();
    match random.below(24) {
        0..=2 => (0..random.below(many)).for_each(|i| {
            ours.push_back(T::make(n + i as u64));
            std.push_back(T::make(n + i as u64));
        }),
        3..=5 => (0..random.below(many)).for_each(|i| {
            ours.push_front(T::make(n + i as u64));
            std.push_front(T::make(n + i as u64));
        }),
        6..=8 => {
            (0..random.below(many)).for_each(|_| assert_eq!(ours.pop_front(), std.pop_front()));
        }
        9..=11 => {
            (0..random.below(many)).for_each(|_| assert_eq!(ours.pop_back(), std.pop_back()));
        }
        12 => {
            let at = random.below(len + 1);
            ours.insert(at, T::make(n));
            std.insert(at, T::make(n));
        }
        13 => {
            let at = random.below(len + 1);
            assert_eq!(ours.remove(at), std.remove(at));
        }
        14 => {
            let range = random.range(len);
            let (mut a, mut b) = (ours.drain(range.clone()), std.drain(range));
            assert_eq!((a.len(), a.next(), a.next_back()), (b.len(), b.next(), b.next_back()));
        }
        15 => {
            let range = random.range(len);
            assert!(ours.range(range.clone()).eq(std.range(range.clone())));
            ours.range_mut(range.clone()).rev().for_each(|v| *v = T::make(n));
            std.range_mut(range).for_each(|v| *v = T::make(n));
        }
        16 => {
            ours.retain(|v| v.number() % 5 != n % 5);
            std.retain(|v| v.number() % 5 != n % 5);
        }
        17 => {
            let at = random.below(len + 1);
            assert_eq!(ours.split_off(at), std.split_off(at));
        }
        18 => ours.shrink_to_fit(),
        19 => {
            let at = random.below(len + 1);
            ours.rotate_left(at);
            std.rotate_left(at);
        }
        20 if len > 1 => {
            let (i, j) = (random.below(len), random.below(len));
            ours.swap(i, j);
            std.swap(i, j);
        }
        21 => {
            let to = random.below(len + many);
            ours.resize(to, T::make(n));
            std.resize(to, T::make(n));
        }
        22 => *ours = ours.clone(),
        _ if random.below(6) == 0 => {
            ours.clear();
            std.clear();
        }
        _ => ours.reserve(random.below(2 * many)),
    }
}

fn compare<T: Value>(ours: &mut VecDeque<T>, std: &Std<T>) {
    assert_eq!(ours.len(), std.len());
    assert!(ours.iter().eq(std) && ours.iter().rev().eq(std.iter().rev()));
    assert!(ours.iter_mut().map(|v| v.clone()).eq(std.iter().cloned()));
    assert!(ours.chunks().flatten().eq(std));
    let sum = |total: u64, v: &T| total.wrapping_mul(31) + v.number();
    assert_eq!(ours.iter().fold(0, sum), std.iter().fold(0, sum));
    assert_eq!((ours.front(), ours.back()), (std.front(), std.back()));
    (0..std.len() + 1).step_by(7).for_each(|i| assert_eq!(ours.get(i), std.get(i)));
}

fn does_what_stds_does<T: Value>(random: &mut Random, steps: usize, many: usize) {
    let (mut ours, mut std) = (VecDeque::new(), Std::new());
    for _ in 0..steps {
        step::<T>(random, &mut ours, &mut std, many);
        compare(&mut ours, &std);
    }
    let (mut ours, mut std) = (ours.into_iter(), std.into_iter());
    assert_eq!((ours.next_back(), ours.next()), (std.next_back(), std.next()));
}

#[test]
fn a_deque_does_what_stds_does() {
    with_seeds(20, |random| {
        does_what_stds_does::<Counted>(random, 150, 300);
        does_what_stds_does::<Wide>(random, 150, 12);
        does_what_stds_does::<Huge>(random, 60, 6);
        does_what_stds_does::<u8>(random, 20, 9000);
        does_what_stds_does::<()>(random, 30, 9000);
    });
}

/// From 0 to 9 elements, with the head at every place of a block, all sequences of 6 operations: over
/// a ring, the step to blocks, block edges at both ends, and back.
#[test]
fn every_short_sequence_of_operations_agrees() {
    fn walk(ours: &mut VecDeque<Wide>, std: &mut Std<Wide>, depth: usize) {
        assert!(ours.iter().map(Value::number).eq(std.iter().map(Value::number)));
        if depth == 0 {
            return;
        }
        for op in 0..6 {
            let (mut a, mut b) = (ours.clone_form(), std.clone());
            match op {
                0 => {
                    a.push_back(Wide::make(90 + depth as u64));
                    b.push_back(Wide::make(90 + depth as u64));
                }
                1 => {
                    a.push_front(Wide::make(80 + depth as u64));
                    b.push_front(Wide::make(80 + depth as u64));
                }
                2 => assert_eq!(a.pop_front(), b.pop_front()),
                3 => assert_eq!(a.pop_back(), b.pop_back()),
                4 => {
                    a.insert(a.len() / 3, Wide::make(70));
                    b.insert(b.len() / 3, Wide::make(70));
                }
                _ => assert_eq!(a.remove(a.len() / 2), b.remove(b.len() / 2)),
            }
            walk(&mut a, &mut b, depth - 1);
        }
    }
    leak_checked(|| {
        for len in [0, 1, 3, 4, 5, 8, 9] {
            for turn in 0..4 {
                let (mut ours, mut std) = (VecDeque::new(), Std::new());
                for n in 0..turn {
                    ours.push_back(Wide::make(n));
                }
                (0..len).for_each(|n| ours.push_back(Wide::make(n)));
                (0..turn).for_each(|_| drop(ours.pop_front()));
                std.extend(ours.iter().cloned());
                walk(&mut ours, &mut std, 4);
            }
        }
    });
}

/// A copy in the same form: same head, same blocks, made by turning the copy as far.
trait CloneForm {
    fn clone_form(&self) -> Self;
}

impl CloneForm for VecDeque<Wide> {
    fn clone_form(&self) -> Self {
        let first = self.chunks().next().map_or(0, <[Wide]>::len);
        let turn = if self.len() > 4 { 4 - first as u64 } else { 0 };
        let mut copy = VecDeque::new();
        (0..turn).for_each(|n| copy.push_back(Wide::make(n)));
        copy.extend(self.iter().cloned());
        (0..turn).for_each(|_| drop(copy.pop_front()));
        copy
    }
}

#[test]
fn a_long_queue_moves_no_element_when_it_grows() {
    leak_checked(|| {
        let mut queue: VecDeque<u64> = (0..512).collect();
        queue.push_back(512);
        let first = std::ptr::from_ref(&queue[0]);
        (0..100_000).for_each(|n| queue.push_back(n));
        (0..100_000).for_each(|n| queue.push_front(n));
        assert_eq!(std::ptr::from_ref(&queue[100_000]), first);
        assert_eq!(queue.len(), 200_513);
    });
}

#[test]
fn memory_follows_the_length() {
    leak_checked(|| {
        let mut queue: VecDeque<u64> = VecDeque::new();
        assert_eq!(held(), (0, 0));
        queue.push_back(1);
        assert_eq!(held(), (1, 32));
        (0..10_000).for_each(|n| queue.push_back(n));
        assert!(held().1 < 10_001 * 8 + 3 * 4096, "{:?}", held());
        // A window that moves on keeps to its size, and takes no memory at a block's edge.
        for n in 0..100_000 {
            queue.push_back(n);
            queue.pop_front();
        }
        assert!(held().1 < 10_001 * 8 + 3 * 4096, "{:?}", held());
        queue.truncate(3);
        queue.shrink_to_fit();
        assert_eq!((queue.len(), held()), (3, (1, 32)));
        queue.clear();
        queue.shrink_to_fit();
        assert_eq!(held(), (0, 0));
    });
}

#[test]
fn a_panicking_filter_loses_nothing() {
    leak_checked(|| {
        let mut queue: VecDeque<Counted> = (0..1000).map(Counted::new).collect();
        panic_of(|| {
            queue.retain(|v| {
                assert!(v.0 < 600);
                v.0 % 2 == 0
            });
        });
        assert_eq!(queue.len(), 1000);
    });
}

#[test]
fn panics_are_those_of_std() {
    leak_checked(|| {
        let (mut ours, mut std) = (VecDeque::from([1, 2, 3]), Std::from([1, 2, 3]));
        assert_eq!(panic_of(|| ours[3]), panic_of(|| std[3]));
        assert_eq!(panic_of(|| ours.insert(4, 0)), panic_of(|| std.insert(4, 0)));
        assert_eq!(panic_of(|| ours.split_off(4)), panic_of(|| std.split_off(4)));
        assert_eq!(panic_of(|| ours.swap(0, 3)), panic_of(|| std.swap(0, 3)));
        assert!(panic_of(|| ours.range(2..9).count()).contains("range end index 9 out of range"));
        assert_eq!(panic_of(|| ours.rotate_left(4)), "assertion failed: n <= self.len()");
    });
}

#[test]
fn the_layout_is_golden() {
    const SAY: &str = "the layout of VecDeque changed: raise vec_deque::FORMAT, then this test";
    type Header = (*mut u8, *mut u8, usize, usize, [u32; 2]);
    let read = |queue: &VecDeque<u64>| -> Header {
        // SAFETY: the header is repr(C) and initialised throughout; the offsets are the test.
        unsafe {
            let at = std::ptr::from_ref(queue).cast::<u8>();
            (
                at.cast::<*mut u8>().read(),
                at.add(8).cast::<*mut u8>().read(),
                at.add(16).cast::<usize>().read(),
                at.add(24).cast::<usize>().read(),
                at.add(32).cast::<[u32; 2]>().read(),
            )
        }
    };
    leak_checked(|| {
        assert_eq!((size_of::<VecDeque<u64>>(), vec_deque::FORMAT), (40, 1), "{SAY}");
        let mut queue: VecDeque<u64> = (0..5).collect();
        queue.pop_front();
        let (ring, spare, head, len, form) = read(&queue);
        assert_eq!((spare.is_null(), head, len, form), (true, 1, 4, [8, 0]), "{SAY}");
        assert_eq!(ring.cast_const().wrapping_add(8).cast(), &raw const queue[0], "{SAY}");
        (5..1000).for_each(|n| queue.push_back(n));
        let (directory, _, head, len, form) = read(&queue);
        assert_eq!((head, len, form), (0, 999, [4, 1]), "{SAY}");
        // SAFETY: the directory of a chunked queue has four entries at first.
        let blocks = unsafe { directory.cast::<[*const u64; 4]>().read() };
        assert_eq!(blocks[0], &raw const queue[0], "{SAY}");
        assert_eq!(blocks[1], &raw const queue[512], "{SAY}");
        assert!(blocks[2].is_null() && blocks[3].is_null(), "{SAY}");
    });
}
