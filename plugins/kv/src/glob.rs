//! Redis' glob patterns (`stringmatchlen`): `*`, `?`, `[a-z]`, `[^a]`, `\x`.

/// Whether `text` matches `pattern`; with `fold`, letters of either case match.
///
/// O(pattern * text): a later `*` makes an earlier one's choice final, so nothing is tried twice.
pub fn matches(pattern: &[u8], text: &[u8], fold: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when the rest does not match: behind the last star, one byte further.
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&b'*') {
            retry = Some((p + 1, t));
            p += 1;
            continue;
        }
        if t == text.len() {
            return p == pattern.len();
        }
        match one(pattern, p, text[t], fold) {
            Some(next) => (p, t) = (next, t + 1),
            None => match retry {
                Some((star, from)) => {
                    (p, t) = (star, from + 1);
                    retry = Some((star, from + 1));
                }
                None => return false,
            },
        }
    }
}

/// Matches one byte against the pattern at `p`; where the pattern goes on.
fn one(pattern: &[u8], p: usize, byte: u8, fold: bool) -> Option<usize> {
    let same = |a: u8, b: u8| a == b || (fold && a.eq_ignore_ascii_case(&b));
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => class(pattern, p + 1, byte, fold),
        b'\\' if p + 1 < pattern.len() => same(pattern[p + 1], byte).then_some(p + 2),
        literal => same(literal, byte).then_some(p + 1),
    }
}

/// Matches one byte against the class whose first byte is at `p`. A class that is not closed ends
/// with the pattern.
fn class(pattern: &[u8], mut p: usize, byte: u8, fold: bool) -> Option<usize> {
    let lower = |b: u8| if fold { b.to_ascii_lowercase() } else { b };
    let byte = lower(byte);
    let negated = pattern.get(p) == Some(&b'^');
    p += usize::from(negated);
    let mut found = false;
    loop {
        match pattern.get(p) {
            Some(b'\\') if p + 1 < pattern.len() => {
                found |= pattern[p + 1] == byte;
                p += 2;
            }
            Some(b']') => {
                p += 1;
                break;
            }
            None => break,
            Some(&from) if p + 2 < pattern.len() && pattern[p + 1] == b'-' => {
                let (from, to) = (lower(from), lower(pattern[p + 2]));
                found |= (from.min(to)..=from.max(to)).contains(&byte);
                p += 3;
            }
            Some(&literal) => {
                found |= lower(literal) == byte;
                p += 1;
            }
        }
    }
    (found != negated).then_some(p)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patterns_of_redis() {
        let yes = [
            ("*", ""),
            ("*", "abc"),
            ("a*c", "abbc"),
            ("a*c", "ac"),
            ("?", "x"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("h[a-b]llo", "hbllo"),
            ("h[b-a]llo", "hallo"),
            ("\\*", "*"),
            ("a\\?", "a?"),
            ("*a*b*", "xxaxxbxx"),
            ("**", "x"),
            ("[\\]]", "]"),
            ("[a", "a"),
            ("", ""),
        ];
        for (pattern, text) in yes {
            assert!(matches(pattern.as_bytes(), text.as_bytes(), false), "{pattern} {text}");
        }
        let no = [
            ("", "a"),
            ("a", ""),
            ("a*c", "ab"),
            ("?", ""),
            ("?", "ab"),
            ("h[^e]llo", "hello"),
            ("[a-c]", "d"),
            ("\\*", "a"),
            ("A", "a"),
            ("[]", "a"),
            ("a?", "a"),
        ];
        for (pattern, text) in no {
            assert!(!matches(pattern.as_bytes(), text.as_bytes(), false), "{pattern} {text}");
        }
        assert!(matches(b"MAX*", b"maxmemory", true));
    }

    #[test]
    fn many_stars_do_not_explode() {
        let pattern = [b"a*".repeat(40), b"b".to_vec()].concat();
        assert!(!matches(&pattern, &[b'a'; 2000], false));
    }
}
