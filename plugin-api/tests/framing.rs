//! Goal: framing finds the same requests however the input arrives. Method: random input against a
//! plain search, each prefix of it, and every limit around the length.

mod common;

use common::Random;
use hotshell_plugin_api::framing::{FrameError, frame_u16_le, frame_u32_be, line, line_max};

#[test]
fn lines_are_those_of_a_plain_search() {
    let mut random = Random::new(1);
    for _ in 0..20_000 {
        let letters = b"\n\r\x0b\x8a\x00abcdefgh";
        let len = random.below(40);
        let input: Vec<u8> = (0..len).map(|_| letters[random.below(letters.len())]).collect();
        let end = input.iter().position(|&b| b == b'\n');
        let found = line(&input);
        assert_eq!(found.map(|l| l.consumed), end.map(|n| n + 1), "{input:?}");
        let text = end.map(|n| &input[..n - usize::from(n > 0 && input[n - 1] == b'\r')]);
        assert_eq!(found.map(|l| l.text), text, "{input:?}");
        for max in 0..42 {
            let expected = match text {
                Some(text) if text.len() <= max => Ok(found),
                None if input.len() <= max || input.len() == max + 1 && input[max] == b'\r' => {
                    Ok(None)
                }
                _ => Err(FrameError::LineTooLong { max }),
            };
            assert_eq!(line_max(&input, max), expected, "{input:?} {max}");
        }
    }
}

#[test]
fn a_frame_is_there_when_its_last_byte_is() {
    let mut input = 300u32.to_be_bytes().to_vec();
    input.resize(304, 7);
    for n in 0..304 {
        assert_eq!(frame_u32_be(&input[..n], 300), Ok(None));
    }
    input.push(1);
    let frame = frame_u32_be(&input, 300).unwrap().unwrap();
    assert_eq!((frame.payload.len(), frame.consumed), (300, 304));
    let error = frame_u32_be(&input[..4], 299).unwrap_err();
    assert_eq!(error, FrameError::FrameTooLong { len: 300, max: 299 });
    assert_eq!(error.to_string(), "frame of 300 bytes, over 299");
    assert_eq!(FrameError::LineTooLong { max: 9 }.to_string(), "line over 9 bytes");
    assert_eq!(frame_u16_le(b"\0\0", 0).unwrap().unwrap().payload, b"");
    assert!(frame_u32_be(&[0xff; 4], usize::MAX).unwrap().is_none());
}
