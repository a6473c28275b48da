//! `VecDeque` and `Vec` against std's, `Bytes` against std's `Vec<u8>`.

use std::hint::black_box;

use hotshell_plugin_api::collections::{Bytes, Vec as StateVec, VecDeque};

use super::Bench;
use crate::median::time;
use crate::random::Random;

type PeerDeque = std::collections::VecDeque<u64>;

/// Elements that wait in a queue.
const QUEUE: u64 = 1_000;
/// Bytes of a value that grows byte by byte.
const GROWN: usize = 4 << 10;

/// All of them.
pub fn compare(bench: &mut Bench, n: usize) {
    compare_deque(bench, n);
    compare_vec(bench, n);
    for len in [8, 32, 256] {
        compare_bytes(bench, n, len);
    }
    compare_growing_bytes(bench, n);
}

fn compare_deque(bench: &mut Bench, n: usize) {
    let name = "VecDeque u64";
    let ours = || (0..n as u64).collect::<VecDeque<u64>>();
    let peer = || (0..n as u64).collect::<PeerDeque>();
    bench.compare(
        (name, "push_back"),
        n,
        || {
            time(|| {
                let mut deque = VecDeque::new();
                (0..n as u64).for_each(|i| deque.push_back(i));
                deque
            })
        },
        || {
            time(|| {
                let mut deque = PeerDeque::new();
                (0..n as u64).for_each(|i| deque.push_back(i));
                deque
            })
        },
    );
    let (mut our_queue, mut peer_queue): (VecDeque<u64>, PeerDeque) =
        ((0..QUEUE).collect(), (0..QUEUE).collect());
    bench.compare(
        (name, "push_back, pop_front"),
        n,
        || {
            time(|| {
                (0..n as u64).for_each(|i| {
                    our_queue.push_back(i);
                    black_box(our_queue.pop_front());
                })
            })
        },
        || {
            time(|| {
                (0..n as u64).for_each(|i| {
                    peer_queue.push_back(i);
                    black_box(peer_queue.pop_front());
                })
            })
        },
    );
    let (ours, peer) = (ours(), peer());
    bench.compare(
        (name, "iterate"),
        n,
        || time(|| ours.iter().sum::<u64>()),
        || time(|| peer.iter().sum::<u64>()),
    );
    let mut random = Random::new(7);
    let places: Vec<usize> = (0..n).map(|_| random.below(n as u64) as usize).collect();
    bench.compare(
        (name, "get by index"),
        n,
        || time(|| places.iter().filter_map(|&at| ours.get(at)).sum::<u64>()),
        || time(|| places.iter().filter_map(|&at| peer.get(at)).sum::<u64>()),
    );
}

fn compare_vec(bench: &mut Bench, n: usize) {
    let name = "Vec u64";
    bench.compare(
        (name, "push"),
        n,
        || {
            time(|| {
                let mut vec = StateVec::new();
                (0..n as u64).for_each(|i| vec.push(i));
                vec
            })
        },
        || {
            time(|| {
                let mut vec = Vec::new();
                (0..n as u64).for_each(|i| vec.push(i));
                vec
            })
        },
    );
    let (ours, peer): (StateVec<u64>, Vec<u64>) =
        ((0..n as u64).collect(), (0..n as u64).collect());
    bench.compare(
        (name, "iterate"),
        n,
        || time(|| ours.iter().map(black_box).sum::<u64>()),
        || time(|| peer.iter().map(black_box).sum::<u64>()),
    );
}

fn compare_bytes(bench: &mut Bench, n: usize, len: usize) {
    let name = format!("Bytes {len}");
    let text = vec![b'x'; len];
    let text = text.as_slice();
    bench.compare(
        (&name, "create and drop"),
        n,
        || time(|| (0..n).for_each(|_| drop(black_box(Bytes::from(black_box(text)))))),
        || time(|| (0..n).for_each(|_| drop(black_box(Vec::from(black_box(text)))))),
    );
    let (ours, peer) = (Bytes::from(text), Vec::from(text));
    bench.compare(
        (&name, "compare"),
        n,
        || time(|| (0..n).filter(|_| black_box(&ours).as_slice() == black_box(text)).count()),
        || time(|| (0..n).filter(|_| black_box(&peer).as_slice() == black_box(text)).count()),
    );
}

fn compare_growing_bytes(bench: &mut Bench, n: usize) {
    let bytes = n.next_multiple_of(GROWN);
    bench.compare(
        ("Bytes", "extend by 8 up to 4 KiB"),
        bytes / 8,
        || {
            time(|| {
                for _ in 0..bytes / GROWN {
                    let mut value = Bytes::new();
                    (0..GROWN / 8).for_each(|_| value.extend_from_slice(black_box(b"12345678")));
                    black_box(value);
                }
            })
        },
        || {
            time(|| {
                for _ in 0..bytes / GROWN {
                    let mut value = Vec::new();
                    (0..GROWN / 8).for_each(|_| value.extend_from_slice(black_box(b"12345678")));
                    black_box(value);
                }
            })
        },
    );
}
