//! The protocol of the admin socket, as the server speaks it: RESP2 and RESP3, and inline
//! commands.
//!
//! Source: the Redis protocol specification,
//! <https://redis.io/docs/latest/develop/reference/protocol-spec/>.

use crate::answer::{Answer, Text};
use crate::error::Error;
use crate::limits::MAX_ADMIN_REQUEST;
use crate::text::one_line;

/// Most words in one request.
const MAX_WORDS: usize = 1024;

/// Bytes that are no request. The connection is closed after the reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Garbage(pub String);

/// A request's words, and how many bytes it took.
pub type Parsed = Option<(Vec<Vec<u8>>, usize)>;

/// Reads one request from the front of the input; `None` while it is not whole. An empty inline
/// line is a request without words.
///
/// # Errors
/// [`Garbage`], also for a request over [`MAX_ADMIN_REQUEST`].
pub fn parse(input: &[u8]) -> Result<Parsed, Garbage> {
    let parsed = match input.first() {
        None => Ok(None),
        Some(b'*') => parse_array(input),
        Some(_) => parse_inline(input),
    }?;
    let taken = parsed.as_ref().map_or(input.len(), |(_, taken)| *taken);
    if taken > MAX_ADMIN_REQUEST {
        return Err(too_long());
    }
    Ok(parsed)
}

fn too_long() -> Garbage {
    Garbage(format!("a request is at most {MAX_ADMIN_REQUEST} bytes"))
}

fn parse_array(input: &[u8]) -> Result<Parsed, Garbage> {
    let Some((count, mut at)) = header(input, 0)? else { return Ok(None) };
    if count > MAX_WORDS {
        return Err(Garbage(format!("a request has at most {MAX_WORDS} words, not {count}")));
    }
    let mut words = Vec::with_capacity(count);
    for _ in 0..count {
        match input.get(at) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(&other) => {
                return Err(Garbage(format!("expected '$', got '{}'", other.escape_ascii())));
            }
        }
        let Some((len, start)) = header(input, at)? else { return Ok(None) };
        if len > MAX_ADMIN_REQUEST {
            return Err(too_long());
        }
        let Some(end) = input.get(start + len..start + len + 2) else { return Ok(None) };
        if end != b"\r\n" {
            return Err(Garbage("a word is longer than it says".to_owned()));
        }
        words.push(input[start..start + len].to_vec());
        at = start + len + 2;
    }
    Ok(Some((words, at)))
}

/// The number after the type byte at `at`, and where the next line begins.
fn header(input: &[u8], at: usize) -> Result<Option<(usize, usize)>, Garbage> {
    const LONGEST: usize = 20;
    let line = &input[at + 1..];
    let end = line.iter().take(LONGEST + 2).position(|&byte| byte == b'\n');
    let Some(end) = end else {
        let wrong = line.len() > LONGEST;
        return if wrong { Err(Garbage("a length is too long".to_owned())) } else { Ok(None) };
    };
    let digits = line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]);
    let number = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
    let wrong = || Garbage(format!("'{}' is not a length", digits.escape_ascii()));
    Ok(Some((number.ok_or_else(wrong)?, at + 1 + end + 1)))
}

fn parse_inline(input: &[u8]) -> Result<Parsed, Garbage> {
    if let Some(byte) = input.iter().take_while(|&&b| b != b'\n').find(|b| is_control(**b)) {
        return Err(Garbage(format!("byte '{}' in an inline command", byte.escape_ascii())));
    }
    let Some(end) = input.iter().position(|&byte| byte == b'\n') else { return Ok(None) };
    let line = input[..end].strip_suffix(b"\r").unwrap_or(&input[..end]);
    let words = split(line).ok_or_else(|| Garbage("unbalanced quotes in request".to_owned()))?;
    Ok(Some((words, end + 1)))
}

const fn is_control(byte: u8) -> bool {
    byte < b' ' && !matches!(byte, b'\t' | b'\r' | b'\n')
}

/// Splits a line into words, with quotes as Redis has them: `"a\n\x00"`, `'it\'s'`.
fn split(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words = Vec::new();
    let mut rest = line.trim_ascii_start();
    while !rest.is_empty() {
        let mut word = Vec::new();
        while let Some((&byte, after)) = rest.split_first() {
            match byte {
                b'"' | b'\'' => {
                    rest = quoted(byte, after, &mut word)?;
                    if rest.first().is_some_and(|next| !next.is_ascii_whitespace()) {
                        return None;
                    }
                }
                _ if byte.is_ascii_whitespace() => break,
                _ => {
                    word.push(byte);
                    rest = after;
                }
            }
        }
        words.push(word);
        rest = rest.trim_ascii_start();
    }
    Some(words)
}

fn quoted<'a>(quote: u8, mut rest: &'a [u8], word: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let (&byte, after) = rest.split_first()?;
        rest = after;
        if byte == quote {
            return Some(rest);
        }
        if byte != b'\\' {
            word.push(byte);
            continue;
        }
        let (&escaped, after) = rest.split_first()?;
        if quote == b'\'' {
            // Only the quote itself can be escaped inside single quotes.
            if escaped != b'\'' {
                word.push(b'\\');
                continue;
            }
            word.push(b'\'');
            rest = after;
            continue;
        }
        rest = after;
        let hex = rest.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let hex = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (escaped, hex) {
            (b'x', Some(byte)) => {
                word.push(byte);
                rest = &rest[2..];
            }
            (b'n', _) => word.push(b'\n'),
            (b'r', _) => word.push(b'\r'),
            (b't', _) => word.push(b'\t'),
            (b'b', _) => word.push(8),
            (b'a', _) => word.push(7),
            (other, _) => word.push(other),
        }
    }
}

/// Writes replies in the version of the protocol that the client asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Writer {
    /// After `HELLO 3`.
    pub resp3: bool,
    /// After `HELLO 3 SETNAME hotshell`: errors are blobs of three lines. Not for everybody who
    /// speaks RESP3, since hiredis, and redis-cli with it, does not know blob errors.
    pub blob_errors: bool,
}

impl Writer {
    /// Appends an answer: one JSON bulk string, or the form for people.
    pub fn answer(self, answer: &Answer, json: bool, out: &mut Vec<u8>) {
        match &answer.text {
            _ if json => bulk(answer.json.as_bytes(), out),
            Text::Line(line) => simple(&one_line(line), out),
            Text::Raw(bytes) => bulk(bytes, out),
            Text::Lines(lines) if self.resp3 => {
                let text = format!("txt:{}", lines.join("\n"));
                sized(b'=', text.as_bytes(), out);
            }
            Text::Lines(lines) => {
                out.extend_from_slice(format!("*{}\r\n", lines.len()).as_bytes());
                for line in lines {
                    bulk(line.as_bytes(), out);
                }
            }
        }
    }

    /// Appends an error: one line, or a blob of three lines for those who asked for it.
    pub fn error(self, error: &Error, out: &mut Vec<u8>) {
        let code = error.code.text();
        if self.blob_errors {
            let [message, detail, hint] =
                [&error.message, &error.detail, &error.hint].map(|part| one_line(part));
            sized(b'!', format!("{code} {message}\n{detail}\n{hint}").as_bytes(), out);
        } else {
            let line = format!("-{code} {}\r\n", one_line(&error.to_string()));
            out.extend_from_slice(line.as_bytes());
        }
    }

    /// Appends the reply of `HELLO`: who we are, as a map.
    pub fn hello(self, id: u64, out: &mut Vec<u8>) {
        const PAIRS: usize = 7;
        let (kind, count) = if self.resp3 { ('%', PAIRS) } else { ('*', PAIRS * 2) };
        out.extend_from_slice(format!("{kind}{count}\r\n").as_bytes());
        let texts = [("server", "hotshell"), ("version", env!("CARGO_PKG_VERSION"))];
        for (name, value) in texts.into_iter().chain([("mode", "admin"), ("role", "master")]) {
            bulk(name.as_bytes(), out);
            bulk(value.as_bytes(), out);
        }
        for (name, value) in [("proto", if self.resp3 { 3 } else { 2 }), ("id", id)] {
            bulk(name.as_bytes(), out);
            out.extend_from_slice(format!(":{value}\r\n").as_bytes());
        }
        bulk(b"modules", out);
        empty_array(out);
    }
}

/// Appends `+text`.
pub fn simple(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(format!("+{text}\r\n").as_bytes());
}

/// Appends an empty array.
pub fn empty_array(out: &mut Vec<u8>) {
    out.extend_from_slice(b"*0\r\n");
}

fn bulk(bytes: &[u8], out: &mut Vec<u8>) {
    sized(b'$', bytes, out);
}

fn sized(kind: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(format!("{}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
#[path = "resp_tests.rs"]
mod tests;
