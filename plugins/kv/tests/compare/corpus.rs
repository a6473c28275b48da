//! Streams that once showed a difference, each a page in a folder of its kind:
//!
//! ```text
//! # what it shows
//! setting: notify large resp3=1
//! client 0: "set" "a" "line\r\nbreak"
//! ```

use std::path::{Path, PathBuf};

use super::{CLIENTS, Like, Setting, text};
use crate::stream::Step;

/// One of them.
pub struct Page {
    pub file: PathBuf,
    pub setting: Setting,
    pub steps: Vec<Step>,
}

/// Where the pages of a kind are.
pub fn folder(like: Like) -> PathBuf {
    let kind = match like {
        Like::Redis7 => "redis-7",
        Like::Redis4 => "redis-4",
        Like::Redis4As7 => "redis-4-as-7",
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(kind)
}

/// All of a kind, by name.
pub fn pages(like: Like) -> Vec<Page> {
    let folder = folder(like);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut files: Vec<PathBuf> =
        files.map(|file| file.expect("a folder is read").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty", folder.display());
    let read = |file: PathBuf| {
        let page =
            std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        match parse(&page, like) {
            Ok((setting, steps)) => Page { file, setting, steps },
            Err((line, why)) => panic!("{}:{line}: {why}", file.display()),
        }
    };
    files.into_iter().map(read).collect()
}

/// What a page says; or which line is wrong, from 1, and why.
fn parse(page: &str, like: Like) -> Result<(Setting, Vec<Step>), (usize, String)> {
    let (mut setting, mut steps) = (None, Vec::new());
    for (n, line) in page.lines().enumerate().filter(|(_, line)| !line.starts_with('#')) {
        let wrong = |why| (n + 1, why);
        match line.strip_prefix("setting:") {
            Some(words) => setting = Some(self::setting(words, like).map_err(wrong)?),
            None => {
                let step = text::parse(line).map_err(wrong)?;
                if step.client >= CLIENTS {
                    return Err(wrong(format!("client {} of {CLIENTS}", step.client)));
                }
                steps.push(step);
            }
        }
    }
    let setting = setting.ok_or((1, "no line says `setting:`".to_owned()))?;
    if steps.is_empty() { Err((1, "no requests".to_owned())) } else { Ok((setting, steps)) }
}

fn setting(words: &str, like: Like) -> Result<Setting, String> {
    let mut setting = Setting::plain(like);
    for word in words.split_whitespace() {
        let client = word.strip_prefix("resp3=").and_then(|n| n.parse::<usize>().ok());
        match (word, client) {
            ("notify", _) => setting.notify = true,
            ("large", _) => setting.large = true,
            (_, Some(client)) if client < CLIENTS => setting.resp3[client] = true,
            _ => return Err(format!("`{word}` is no setting: notify, large, resp3=CLIENT")),
        }
    }
    Ok(setting)
}

#[test]
fn a_page_is_read_as_it_was_written() {
    let setting =
        Setting { large: true, resp3: [false, true, true], ..Setting::plain(Like::Redis7) };
    let args = [&b"set"[..], b"", b"\"\\\r\n\xff\0\xc3\xa9 '"].map(<[u8]>::to_vec).to_vec();
    let steps = [Step { client: 2, args }];
    let page = format!("# a note\n{setting}{}", text::print(&steps));
    let (same, read) = parse(&page, Like::Redis7).unwrap();
    assert_eq!((same, read.len(), read[0].client), (setting, 1, 2), "{page}");
    assert_eq!(read[0].args, steps[0].args, "{page}");
}

#[test]
fn a_page_that_says_nothing_clear_is_refused_by_its_line() {
    let request = "client 0: \"get\"\n";
    for (page, line, why) in [
        (request, 1, "no line says `setting:`"),
        ("setting:\n# nothing\n", 1, "no requests"),
        ("setting: resp3=3\n", 1, "`resp3=3` is no setting: notify, large, resp3=CLIENT"),
        ("setting:\nclient 3: \"get\"\n", 2, "client 3 of 3"),
        ("setting:\nget a\n", 2, "`get a` does not begin with `client N:`"),
        ("setting:\n\n", 2, "`` does not begin with `client N:`"),
        ("setting:\nclient 0:\n", 2, "no request"),
        ("setting:\nclient 0: \"get\" a\n", 2, "`a` does not begin with a quotation mark"),
        ("setting:\nclient 0: \"get\n", 2, "`\"get` has no end"),
        ("setting:\nclient 0: \"\\q\"\n", 2, "`\\q` stands for nothing"),
    ] {
        let refused = parse(page, Like::Redis7).map(|_| ()).unwrap_err();
        assert_eq!(refused, (line, why.to_owned()), "{page:?}");
    }
}
