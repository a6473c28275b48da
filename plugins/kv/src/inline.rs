//! Inline requests: a line of words, as typed into `nc`. Quotes and escapes are Redis'
//! (`sdssplitargs`).

use std::borrow::Cow;

use crate::resp::{Args, MAX_LINE};

/// What stands at the front of input that does not begin with `*`.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// Words, and the bytes they took. No words: nothing is asked for. A word without quotes is where it
    /// stands in the input.
    Words(Vec<Cow<'a, [u8]>>, usize),
    /// The line has no end yet.
    More,
    /// The text of the protocol error.
    Broken(&'static str),
}

/// Takes the first line of `input` apart where that needs no memory: no quotes, nothing odd. Answers the
/// bytes it took; `None` leaves the line to [`parse`]. No words: nothing is asked for.
pub fn plain<'a>(input: &'a [u8], args: &mut Args<'a>) -> Option<usize> {
    let mut start = 0;
    for (at, &byte) in input.iter().enumerate().take(MAX_LINE) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {
                if at > start {
                    args.push(&input[start..at]);
                }
                start = at + 1;
                if byte == b'\n' {
                    return Some(start);
                }
            }
            // Quotes, the end of a C string, and what ends no word but begins none.
            b'"' | b'\'' | 0 | 11 | 12 => return None,
            _ => {}
        }
    }
    None
}

/// Takes the first line of `input` apart.
pub fn parse(input: &[u8]) -> Line<'_> {
    let Some(end) = input.iter().position(|&b| b == b'\n') else {
        let too_long = input.len() > MAX_LINE;
        return if too_long { Line::Broken("too big inline request") } else { Line::More };
    };
    let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
    match split(line) {
        Some(words) => Line::Words(words, end + 1),
        None => Line::Broken("unbalanced quotes in request"),
    }
}

fn split(line: &[u8]) -> Option<Vec<Cow<'_, [u8]>>> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        while line.get(at).is_some_and(|&b| is_space(b)) {
            at += 1;
        }
        if matches!(line.get(at), None | Some(0)) {
            return Some(words);
        }
        let (word, next) = word(line, at)?;
        words.push(word);
        at = next;
    }
}

/// The word that starts at `at`, and where it ends; `None` when a quote is not closed or is followed
/// by something other than a space.
fn word(line: &[u8], at: usize) -> Option<(Cow<'_, [u8]>, usize)> {
    let ends = |b: &u8| matches!(b, b' ' | b'\n' | b'\r' | b'\t' | 0 | b'"' | b'\'');
    let end = line[at..].iter().position(ends).map_or(line.len(), |len| at + len);
    if !matches!(line.get(end), Some(b'"' | b'\'')) {
        return Some((Cow::Borrowed(&line[at..end]), end));
    }
    let mut word = line[at..end].to_vec();
    let quoted = if line[end] == b'"' { double_quoted } else { single_quoted };
    let end = quoted(line, end + 1, &mut word)?;
    closed(line, end).then_some((Cow::Owned(word), end))
}

fn closed(line: &[u8], at: usize) -> bool {
    line.get(at).is_none_or(|&b| is_space(b))
}

fn double_quoted(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match *line.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => {
                let escaped = *line.get(at + 1)?;
                let digit = |i| line.get(i).and_then(|&b| char::from(b).to_digit(16));
                if let (b'x', Some(high), Some(low)) = (escaped, digit(at + 2), digit(at + 3)) {
                    word.push((high * 16 + low) as u8);
                    at += 4;
                    continue;
                }
                word.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    other => other,
                });
                at += 2;
            }
            b => {
                word.push(b);
                at += 1;
            }
        }
    }
}

fn single_quoted(line: &[u8], mut at: usize, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        match *line.get(at)? {
            b'\'' => return Some(at + 1),
            b'\\' if line.get(at + 1) == Some(&b'\'') => {
                word.push(b'\'');
                at += 2;
            }
            b => {
                word.push(b);
                at += 1;
            }
        }
    }
}

/// C's `isspace` in the C locale.
fn is_space(b: u8) -> bool {
    matches!(b, b' ' | 9..=13)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &[u8]) -> Vec<Vec<u8>> {
        let words = match parse(line) {
            Line::Words(words, taken) => {
                let mut args = Args::new();
                if let Some(n) = plain(line, &mut args) {
                    let plain: Vec<&[u8]> = words.iter().map(AsRef::as_ref).collect();
                    assert_eq!((n, args.as_slice()), (taken, &plain[..]), "the short way");
                }
                words
            }
            other => panic!("{other:?}"),
        };
        words.into_iter().map(Cow::into_owned).collect()
    }

    #[test]
    fn a_line_without_quotes_is_taken_the_short_way() {
        let mut args = Args::new();
        assert_eq!(plain(b"  set\ta  1 \r\nget", &mut args), Some(13));
        assert_eq!(args.as_slice(), [&b"set"[..], b"a", b"1"]);
        for other in [&b"get"[..], b"set \"a\"\r\n", b"'a'\n", b"a\x0b\n", b"a\0\n"] {
            assert_eq!(plain(other, &mut Args::new()), None, "{other:?}");
        }
        let many = [&b"a ".repeat(40)[..], b"\n"].concat();
        let mut args = Args::new();
        assert_eq!(plain(&many, &mut args), Some(81));
        assert_eq!(args.as_slice(), vec![b"a"; 40]);
    }

    #[test]
    fn words_quotes_and_escapes() {
        assert_eq!(words(b"  set  a b\r\n"), [b"set".to_vec(), b"a".to_vec(), b"b".to_vec()]);
        assert_eq!(
            words(b"x \"a\\x41\\n\\q\" 'it\\'s'\n")[1..],
            [b"aA\nq".to_vec(), b"it's".to_vec()]
        );
        assert_eq!(words(b"a\"b c\"\n"), [b"ab c".to_vec()]);
        assert_eq!(words(b"\r\n"), Vec::<Vec<u8>>::new());
        assert_eq!(words(b"\"\"\n"), [b"".to_vec()]);
        assert_eq!(words(b"\x0b a\x0bb\n"), [b"a\x0bb".to_vec()], "no end of a word, as in Redis");
        assert_eq!(words(b"a \0b\n"), [b"a".to_vec()], "a zero ends the line");
        assert_eq!(
            words(b"a\\n b\n"),
            [b"a\\n".to_vec(), b"b".to_vec()],
            "no escape without quotes"
        );
    }

    #[test]
    fn broken_lines() {
        let quotes = Line::Broken("unbalanced quotes in request");
        assert_eq!(parse(b"set \"a\n"), quotes);
        assert_eq!(parse(b"set 'a\n"), quotes);
        assert_eq!(parse(b"set \"a\"b\n"), quotes);
        assert_eq!(parse(b"get"), Line::More);
        assert_eq!(parse(&[b'a'; MAX_LINE + 1]), Line::Broken("too big inline request"));
    }
}
