//! What parameters accept, and what Redis says of what they do not.

use core::fmt::Display;

use crate::notify;
use crate::number::{parse_f64, parse_i64, parse_memory};

/// What a parameter accepts.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// `yes` or `no`.
    Switch,
    /// The same, but `yes` is refused with this text.
    Off(&'static str),
    /// An integer in a range.
    Integer(i64, i64),
    /// An integer in a range, of which one in a smaller range is made.
    Clamped([i64; 2], [i64; 2]),
    /// Bytes, with a unit such as `mb`, in a range.
    Memory(u64, u64),
    /// The same from 1 on; less than the number here is raised to it.
    AtLeast(u64),
    /// The same from 0 on, or a part of `maxmemory` such as `5%`.
    MemoryOrPercent,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Anything.
    Text,
    /// The letters of `notify-keyspace-events`.
    Events,
    /// Pairs of seconds and changes.
    Save,
    /// Classes of clients, each with two sizes and seconds.
    Buffers,
    /// Three integers, from -2000 to 2000.
    Scores,
    /// Numbers from 0 to 100.
    Percentiles,
    /// Letters, digits, hyphens and dots.
    Hostname,
    /// Anything, but only at the start.
    Fixed,
    /// The same, unless the start allowed it.
    Protected,
}

/// A value as it is kept, or what Redis says of one that is not accepted.
type Checked = Result<Vec<u8>, String>;

impl Kind {
    /// Checks a value and answers it as it is kept; `now` is the one that it takes the place of.
    ///
    /// # Errors
    /// What Redis says of a value that is not accepted.
    pub fn check(self, text: &[u8], now: &[u8]) -> Checked {
        let word = || String::from_utf8_lossy(text).to_ascii_lowercase();
        match self {
            Self::Switch => match word().as_str() {
                word @ ("yes" | "no") => Ok(word.into()),
                _ => Err("argument must be 'yes' or 'no'".into()),
            },
            Self::Off(why) if word() == "yes" => Err(why.into()),
            Self::Off(_) => Self::Switch.check(text, now),
            Self::Integer(min, max) => {
                let n = parse_i64(text);
                in_range(n.ok_or("argument couldn't be parsed into an integer")?, min, max)
            }
            Self::Memory(min, max) => {
                let n = parse_memory(text).ok_or("argument must be a memory value")?;
                in_range(n, min, max)
            }
            Self::Clamped([min, max], [low, high]) => {
                Self::Integer(min, max).check(text, now)?;
                let n = parse_i64(text).unwrap_or_default().clamp(low, high);
                Ok(n.to_string().into_bytes())
            }
            Self::AtLeast(least) => {
                Self::Memory(1, i64::MAX as u64).check(text, now)?;
                Ok(parse_memory(text).unwrap_or_default().max(least).to_string().into_bytes())
            }
            Self::MemoryOrPercent => memory_or_percent(text),
            Self::Word(words) => match words.iter().find(|&&known| known == word()) {
                Some(known) => Ok(known.as_bytes().to_vec()),
                None => {
                    Err(format!("argument(s) must be one of the following: {}", words.join(", ")))
                }
            },
            Self::Events => match notify::parse(text) {
                Some(flags) => Ok(notify::text(flags)),
                None => Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into()),
            },
            Self::Save => check_save(text),
            Self::Buffers => check_buffers(text, now),
            Self::Scores => check_scores(text),
            Self::Percentiles => check_percentiles(text),
            Self::Hostname => check_hostname(text),
            Self::Text => Ok(text.to_vec()),
            Self::Fixed => Err("can't set immutable config".into()),
            Self::Protected => Err("can't set protected config".into()),
        }
    }
}

fn in_range<N: PartialOrd + Display + Copy>(n: N, min: N, max: N) -> Checked {
    if (min..=max).contains(&n) {
        return Ok(n.to_string().into_bytes());
    }
    Err(format!("argument must be between {min} and {max} inclusive"))
}

fn words(text: &[u8]) -> Vec<&[u8]> {
    text.split(|&b| b == b' ').filter(|word| !word.is_empty()).collect()
}

fn memory_or_percent(text: &[u8]) -> Checked {
    const NEITHER: &str = "argument must be a memory or percent value";
    if let Some(percent) = text.strip_suffix(b"%") {
        let percent = parse_i64(percent).filter(|n| *n >= 0).ok_or(NEITHER)?;
        if percent > 100 {
            return Err("percentage argument must be less or equal to 100".into());
        }
        return Ok(format!("{percent}%").into_bytes());
    }
    in_range(parse_memory(text).ok_or(NEITHER)?, 0, u64::MAX)
}

fn check_save(text: &[u8]) -> Checked {
    let words = words(text);
    let numbers = words.iter().map(|word| parse_i64(word));
    let fine = numbers
        .enumerate()
        .all(|(n, number)| number.is_some_and(|number| number >= if n % 2 == 0 { 1 } else { 0 }));
    if fine && words.len().is_multiple_of(2) {
        return Ok(words.join(&b' '));
    }
    Err("Invalid save parameters".into())
}

/// Classes that are not named keep their limits.
fn check_buffers(text: &[u8], now: &[u8]) -> Checked {
    let (words, mut kept) = (words(text), words(now).join(&b' '));
    if !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    for class in words.chunks_exact(4) {
        let name = match class[0].to_ascii_lowercase().as_slice() {
            b"normal" => "normal",
            b"slave" | b"replica" => "slave",
            b"pubsub" => "pubsub",
            _ => return Err("Invalid client class specified in buffer limit configuration.".into()),
        };
        let seconds = parse_i64(class[3]).filter(|seconds| *seconds >= 0);
        let (Some(hard), Some(soft), Some(seconds)) =
            (parse_memory(class[1]), parse_memory(class[2]), seconds)
        else {
            return Err(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.".into(),
            );
        };
        kept = with_class(&kept, name, &format!("{name} {hard} {soft} {seconds}"));
    }
    Ok(kept)
}

/// Limits of buffers with those of one class exchanged.
fn with_class(all: &[u8], name: &str, class: &str) -> Vec<u8> {
    let classes = words(all);
    let classes = classes.chunks(4).map(|old| match old[0] {
        old_name if old_name == name.as_bytes() => class.as_bytes().to_vec(),
        _ => old.join(&b' '),
    });
    classes.collect::<Vec<_>>().join(&b' ')
}

fn check_scores(text: &[u8]) -> Checked {
    let words = words(text);
    if words.len() != 3 {
        return Err("wrong number of arguments".into());
    }
    let scores: Option<Vec<i64>> = words.iter().map(|word| parse_i64(word)).collect();
    let fine = scores.filter(|all| all.iter().all(|score| (-2000..=2000).contains(score)));
    if fine.is_none() {
        return Err("Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into());
    }
    Ok(words.join(&b' '))
}

fn check_percentiles(text: &[u8]) -> Checked {
    const UNREADABLE: &str = "Invalid latency-tracking-info-percentiles parameters";
    let words = words(text);
    for word in &words {
        let percent = parse_f64(word).ok_or(UNREADABLE)?;
        if !(0.0..=100.0).contains(&percent) {
            return Err(
                "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"
                    .into(),
            );
        }
    }
    Ok(words.join(&b' '))
}

fn check_hostname(text: &[u8]) -> Checked {
    const LONGEST: usize = 256;
    if text.len() >= LONGEST {
        return Err("Hostnames must be less than 256 characters".into());
    }
    if text.iter().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(b)) {
        return Ok(text.to_vec());
    }
    Err("Hostnames may only contain alphanumeric characters, hyphens or dots".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_of_buffers_change_class_by_class() {
        let now = b"normal 0 0 0 slave 1 2 3 pubsub 4 5 6";
        let set = |text: &[u8]| Kind::Buffers.check(text, now);
        let both = set(b"replica 1kb 2kb 7 normal 0 0 1").expect("accepted");
        assert_eq!(both, b"normal 0 0 1 slave 1024 2048 7 pubsub 4 5 6");
        for wrong in [&b"normal 0 0"[..], b"other 0 0 0", b"normal x 0 0", b"normal 0 0 -1"] {
            assert!(set(wrong).is_err());
        }
    }
}
