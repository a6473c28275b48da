//! Judging replies, and counting what was judged.

use std::collections::VecDeque;

use super::expect::{Expected, Reply};

/// How many later replies are looked at, to tell a missing reply from a wrong one.
const LOOK_AHEAD: usize = 64;
/// How many bad replies are told in full.
const EXAMPLES: usize = 5;
/// How much of one is told, bytes.
const EXAMPLE_BYTES: usize = 80;

/// What a reply is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The expected one, after so many that did not come.
    Right {
        /// Replies that should have come before it.
        skipped: usize,
    },
    /// The one that came just before, again.
    Doubled,
    /// Nothing was due.
    Unasked,
    /// Something else.
    Wrong,
}

/// What was judged.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    /// Replies that were as expected.
    pub right: u64,
    /// Replies that were not.
    pub wrong: u64,
    /// Replies that came twice, or that nobody asked for.
    pub doubled: u64,
    /// Replies that never came.
    pub missing: u64,
    /// Connections that the server closed.
    pub lost_connections: u64,
    /// The first bad replies.
    pub examples: Vec<String>,
}

/// Judges one whole reply.
pub fn judge(
    got: &[u8],
    expected: &VecDeque<Expected>,
    last: Option<&Reply>,
    scratch: &mut Vec<u8>,
) -> Verdict {
    let mut is = |reply: &Reply| {
        scratch.clear();
        reply.render(scratch);
        scratch == got
    };
    match expected.front() {
        Some(front) if is(&front.reply) => return Verdict::Right { skipped: 0 },
        _ => {}
    }
    if last.is_some_and(|last| last.is_unique() && is(last)) {
        return Verdict::Doubled;
    }
    let later = expected.iter().take(LOOK_AHEAD).skip(1);
    let found = later.enumerate().find(|(_, later)| later.reply.is_unique() && is(&later.reply));
    match found {
        Some((at, _)) => Verdict::Right { skipped: at + 1 },
        None if expected.is_empty() => Verdict::Unasked,
        None => Verdict::Wrong,
    }
}

impl Tally {
    /// Counts a verdict.
    pub fn count(
        &mut self,
        connection: usize,
        verdict: &Verdict,
        got: &[u8],
        expected: &VecDeque<Expected>,
    ) {
        match verdict {
            Verdict::Right { skipped } => {
                self.right += 1;
                self.missing += *skipped as u64;
                if *skipped == 0 {
                    return;
                }
            }
            Verdict::Doubled | Verdict::Unasked => self.doubled += 1,
            Verdict::Wrong => self.wrong += 1,
        }
        let got = String::from_utf8_lossy(&got[..got.len().min(EXAMPLE_BYTES)]);
        let wanted = expected.front().map(|front| &front.reply);
        self.example(format!("connection {connection}: {verdict:?}: {got:?}, due was {wanted:?}"));
    }

    /// Keeps one of the first examples.
    pub fn example(&mut self, text: String) {
        if self.examples.len() < EXAMPLES {
            self.examples.push(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(got: &[u8], expected: &[Reply], last: Option<Reply>) -> Verdict {
        let expected =
            expected.iter().map(|reply| Expected { reply: reply.clone(), due_ns: 0 }).collect();
        judge(got, &expected, last.as_ref(), &mut Vec::new())
    }

    #[test]
    fn missing_doubled_unasked_and_wrong_replies_are_told_apart() {
        let due = [Reply::Echo(5), Reply::Ok, Reply::Echo(6)];
        let last = || Some(Reply::Echo(4));
        assert_eq!(judged(b"$1\r\n5\r\n", &due, last()), Verdict::Right { skipped: 0 });
        assert_eq!(judged(b"$1\r\n4\r\n", &due, last()), Verdict::Doubled);
        assert_eq!(judged(b"$1\r\n6\r\n", &due, last()), Verdict::Right { skipped: 2 });
        assert_eq!(judged(b"$1\r\n7\r\n", &due, last()), Verdict::Wrong);
        assert_eq!(judged(b"-ERR no\r\n", &due, last()), Verdict::Wrong);
        assert_eq!(judged(b"+OK\r\n", &[], last()), Verdict::Unasked);
    }
}
