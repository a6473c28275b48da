//! RESP2: writing requests, and finding where a reply ends.

use std::io::Write;

/// Bytes that are no RESP.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed;

/// Appends a request to `out`.
pub fn request(out: &mut Vec<u8>, args: &[&[u8]]) {
    write!(out, "*{}\r\n", args.len()).expect("a Vec takes everything");
    for arg in args {
        bulk(out, arg);
    }
}

/// Appends a bulk string to `out`.
pub fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    write!(out, "${}\r\n", bytes.len()).expect("a Vec takes everything");
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// Bytes of the first whole reply in `input`; `None` when it is not whole yet.
pub fn reply_len(input: &[u8]) -> Result<Option<usize>, Malformed> {
    let mut at = 0;
    let mut left = 1_u64;
    while left > 0 {
        left -= 1;
        let Some(line) = line_len(&input[at..]) else { return Ok(None) };
        let head = &input[at..at + line];
        at += line + 2;
        match head.first() {
            Some(b'+' | b'-' | b':') => {}
            Some(b'$') => {
                let len = number(&head[1..])?;
                if len >= 0 {
                    at += len as usize + 2;
                }
                if at > input.len() {
                    return Ok(None);
                }
            }
            Some(b'*') => left += number(&head[1..])?.max(0) as u64,
            _ => return Err(Malformed),
        }
    }
    Ok(Some(at))
}

fn line_len(input: &[u8]) -> Option<usize> {
    let end = input.iter().position(|&byte| byte == b'\r')?;
    (input.len() > end + 1).then_some(end)
}

fn number(digits: &[u8]) -> Result<i64, Malformed> {
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_ends_where_its_last_part_ends() {
        for whole in [
            &b"+OK\r\n"[..],
            b":12\r\n",
            b"$-1\r\n",
            b"$0\r\n\r\n",
            b"$3\r\na\rb\r\n",
            b"*-1\r\n",
            b"*2\r\n:1\r\n*1\r\n$1\r\nx\r\n",
        ] {
            let mut input = whole.to_vec();
            for end in 0..whole.len() {
                assert_eq!(reply_len(&whole[..end]), Ok(None), "{whole:?} cut at {end}");
            }
            input.extend_from_slice(b"+more");
            assert_eq!(reply_len(&input), Ok(Some(whole.len())));
        }
        assert_eq!(reply_len(b"hello\r\n"), Err(Malformed));
    }
}
