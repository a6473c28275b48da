//! Goal: any bytes get words, patience, or a reason. Method: split at every byte, and feed garbage.

use super::*;
use crate::error::Code;

fn words(words: &[&str]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.as_bytes().to_vec()).collect()
}

#[test]
fn a_request_cut_at_any_byte_is_waited_for() {
    let requests: [&[u8]; 3] =
        [b"*2\r\n$4\r\nswap\r\n$3\r\n/kv\r\n", b"swap /kv\r\n", b"'swap' \"/k\\x76\"\n"];
    for request in requests {
        for cut in 0..request.len() {
            assert_eq!(parse(&request[..cut]), Ok(None), "cut at {cut}");
        }
        assert_eq!(parse(request), Ok(Some((words(&["swap", "/kv"]), request.len()))));
        let mut pipelined = request.to_vec();
        pipelined.extend_from_slice(b"ping\n");
        assert_eq!(parse(&pipelined), parse(request));
    }
}

#[test]
fn garbage_is_named() {
    let cases: [(&[u8], &str); 7] = [
        (b"*abc\r\n", "'abc' is not a length"),
        (b"*-1\r\n", "'-1' is not a length"),
        (b"*9999\r\n", "at most 1024 words"),
        (b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (b"*1\r\n$2\r\nabcd", "longer than it says"),
        (b"*1\r\n$99999999\r\n", "at most 65536 bytes"),
        (b"ping \"a\n", "unbalanced quotes"),
    ];
    for (input, reason) in cases {
        let garbage = parse(input).expect_err(reason);
        assert!(garbage.0.contains(reason), "{}", garbage.0);
    }
    assert!(parse(b"\x16\x03\x01 TLS").is_err());
    assert!(parse(b"*11111111111111111111111111").is_err());
    assert!(parse(&vec![b'a'; MAX_ADMIN_REQUEST + 1]).is_err());
}

#[test]
fn quotes_are_as_redis_has_them() {
    let line = br#"a "b c" 'd\'e\n' "\x41\n\"" ''"#;
    let expected = ["a", "b c", "d'e\\n", "A\n\"", ""];
    assert_eq!(split(line), Some(words(&expected)));
    assert_eq!(split(b"\"a\"b"), None);
    assert_eq!(parse(b"\r\n"), Ok(Some((vec![], 2))));
}

#[test]
fn replies_have_the_form_that_was_agreed() {
    let table = Answer::new(Text::Lines(vec!["a".into(), "bc".into()]), &1);
    let write = |resp3, json| {
        let mut out = Vec::new();
        Writer { resp3, blob_errors: false }.answer(&table, json, &mut out);
        String::from_utf8(out).expect("text")
    };
    assert_eq!(write(false, false), "*2\r\n$1\r\na\r\n$2\r\nbc\r\n");
    assert_eq!(write(true, false), "=8\r\ntxt:a\nbc\r\n");
    assert_eq!(write(true, true), "$1\r\n1\r\n");

    let error = Error::new(Code::Dlopen, "m", "line 1\nline 2", "h");
    let write = |blob_errors| {
        let mut out = Vec::new();
        Writer { resp3: true, blob_errors }.error(&error, &mut out);
        String::from_utf8(out).expect("text")
    };
    assert_eq!(write(false), "-DLOPEN m: line 1 / line 2; h\r\n");
    assert_eq!(write(true), "!26\r\nDLOPEN m\nline 1 / line 2\nh\r\n");
}
