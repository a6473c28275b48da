//! What COMMAND tells of commands beyond the table's rows: arguments, history, key specifications,
//! tips, and all of subcommands but how they are run.
//!
//! It is data, in `manual.txt`: a line with the name (`config|get` for a subcommand), then a line for
//! each property, indented, with its name and its value. A value is a reply: a word or `"a text"`, `+word`
//! (a simple string), a number, `[an array]`, `(a set)`, `{a map}`. The test `manual` compares it with
//! what a real server says, and writes it when told to.

use std::collections::HashMap;

use crate::reply::{Out, Reply};

const TEXT: &str = include_str!("manual.txt");

/// A reply.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree<'a> {
    /// A bulk string.
    Text(&'a str),
    /// A simple string.
    Simple(&'a str),
    /// An integer.
    Int(i64),
    /// An array.
    Array(Vec<Self>),
    /// A set.
    Set(Vec<Self>),
    /// A map: keys, each followed by its value.
    Map(Vec<Self>),
}

/// Pages by the names of commands.
pub type Pages = HashMap<&'static str, Page<'static>>;

/// The properties of one command.
#[derive(Debug, Clone, Copy, Default)]
pub struct Page<'a> {
    lines: &'a str,
}

/// The pages of all commands, by name.
pub fn pages() -> Pages {
    let mut all = HashMap::new();
    let mut rest = TEXT;
    while let Some((name, behind)) = rest.split_once('\n') {
        let page = Page::at(behind);
        all.insert(name, page);
        rest = &behind[page.lines.len()..];
    }
    all
}

/// The page of one command. O(text), which is less than [`pages`] takes.
pub fn page(name: &str) -> Option<Page<'static>> {
    let is_behind = |at: usize| at == 0 || TEXT[..at].ends_with('\n');
    let mut behind = TEXT.match_indices(name).filter(|(at, _)| is_behind(*at));
    behind.find_map(|(at, _)| TEXT[at + name.len()..].strip_prefix('\n')).map(Page::at)
}

impl<'a> Page<'a> {
    /// The one that begins here: the lines up to the next one that is not indented.
    fn at(text: &'a str) -> Self {
        let end = text.match_indices('\n').map(|(at, _)| at + 1);
        let mut ends = core::iter::once(0).chain(end);
        let end = ends.find(|&at| !text[at..].starts_with(' ')).unwrap_or(text.len());
        Self { lines: &text[..end] }
    }

    /// The flags of a subcommand.
    pub fn flags(self) -> Vec<&'a str> {
        let all = match self.get("flags") {
            Some(Tree::Set(all)) => all,
            _ => Vec::new(),
        };
        let flag = |flag| match flag {
            Tree::Simple(flag) => Some(flag),
            _ => None,
        };
        all.into_iter().filter_map(flag).collect()
    }

    /// All properties, with their values as text.
    pub fn properties(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.lines.lines().filter_map(|line| line.trim_start().split_once(' '))
    }

    /// A property.
    pub fn get(self, name: &str) -> Option<Tree<'a>> {
        let found = self.properties().find(|(known, _)| *known == name);
        found.and_then(|(_, value)| parse(value))
    }
}

/// A value of a property; `None` when it is none.
pub fn parse(text: &str) -> Option<Tree<'_>> {
    let mut rest = text;
    let tree = take(&mut rest)?;
    rest.trim().is_empty().then_some(tree)
}

fn take<'a>(rest: &mut &'a str) -> Option<Tree<'a>> {
    let text = rest.trim_start();
    let first = text.chars().next()?;
    *rest = &text[first.len_utf8()..];
    match first {
        '[' => take_until(rest, ']').map(Tree::Array),
        '(' => take_until(rest, ')').map(Tree::Set),
        '{' => take_until(rest, '}').map(Tree::Map),
        '"' => {
            let (quoted, behind) = rest.split_once('"')?;
            *rest = behind;
            Some(Tree::Text(quoted))
        }
        '+' => {
            *rest = text;
            let word = take_word(rest);
            Some(Tree::Simple(&word[1..]))
        }
        _ => {
            *rest = text;
            // None where an end stands that belongs to nothing.
            let word = Some(take_word(rest)).filter(|word| !word.is_empty())?;
            Some(word.parse().map_or(Tree::Text(word), Tree::Int))
        }
    }
}

fn take_word<'a>(rest: &mut &'a str) -> &'a str {
    let end = rest.find([' ', ']', ')', '}']).unwrap_or(rest.len());
    let (word, behind) = rest.split_at(end);
    *rest = behind;
    word
}

fn take_until<'a>(rest: &mut &'a str, end: char) -> Option<Vec<Tree<'a>>> {
    let mut all = Vec::new();
    loop {
        if let Some(behind) = rest.trim_start().strip_prefix(end) {
            *rest = behind;
            return Some(all);
        }
        all.push(take(rest)?);
    }
}

impl<'a> Tree<'a> {
    /// What a map holds under a key.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(parts) = self else { return None };
        let mut pairs = parts.chunks_exact(2);
        pairs.find(|pair| pair[0].word() == Some(key)).map(|pair| &pair[1])
    }

    /// A text, or a simple string.
    pub fn word(&self) -> Option<&'a str> {
        match *self {
            Self::Text(text) | Self::Simple(text) => Some(text),
            _ => None,
        }
    }

    /// Writes it as a reply.
    pub fn reply(&self, out: &mut Out<'_>) {
        let parts = match self {
            Self::Text(text) => return out.bulk(text.as_bytes()),
            Self::Simple(text) => return out.simple(text),
            Self::Int(n) => return out.int(*n),
            Self::Array(parts) => {
                out.array(parts.len());
                parts
            }
            Self::Set(parts) => {
                out.set(parts.len());
                parts
            }
            Self::Map(parts) => {
                out.map(parts.len() / 2);
                parts
            }
        };
        parts.iter().for_each(|part| part.reply(out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_in_all_their_forms() {
        let text = "[word \"a text\" -7 (+RO +access) {key [] \"\" \"8\"}]";
        let wanted = Tree::Array(vec![
            Tree::Text("word"),
            Tree::Text("a text"),
            Tree::Int(-7),
            Tree::Set(vec![Tree::Simple("RO"), Tree::Simple("access")]),
            Tree::Map(vec![
                Tree::Text("key"),
                Tree::Array(vec![]),
                Tree::Text(""),
                Tree::Text("8"),
            ]),
        ]);
        assert_eq!(parse(text), Some(wanted));
        for broken in ["", "[a", "\"a", "[a] b", "(a]"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }

    #[test]
    fn every_line_of_the_manual_is_read() {
        let pages = pages();
        assert!(pages.len() > 300, "{}", pages.len());
        let lines = TEXT.lines().count();
        let properties = pages.values().map(|page| page.properties().count()).sum::<usize>();
        assert_eq!(properties + pages.len(), lines, "no name twice, and no line without a value");
        for (name, page) in &pages {
            for (property, value) in page.properties() {
                assert!(parse(value).is_some(), "{name}: {property} {value}");
            }
        }
    }
}
