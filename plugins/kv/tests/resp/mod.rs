//! Replies of RESP3 as values.
#![allow(dead_code, reason = "each test file uses a part")]

/// A reply.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Value {
    Null,
    Int(i64),
    Simple(String),
    Error(String),
    Text(String),
    Array(Vec<Value>),
    Set(Vec<Value>),
    /// Keys, each followed by its value.
    Map(Vec<Value>),
}

/// The reply at the front, and what is behind it. `None` when it is not whole.
pub fn parse(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let end = bytes.windows(2).position(|two| two == b"\r\n")?;
    let (line, rest) = (std::str::from_utf8(&bytes[1..end]).expect("ASCII"), &bytes[end + 2..]);
    let number = || line.parse::<i64>().expect("a number");
    let count = || usize::try_from(number()).expect("no null of RESP2");
    Some(match bytes[0] {
        b'_' => (Value::Null, rest),
        b':' => (Value::Int(number()), rest),
        b'+' => (Value::Simple(line.to_owned()), rest),
        b'-' => (Value::Error(line.to_owned()), rest),
        b'$' | b'=' => {
            let text = rest.get(..count())?;
            let behind = rest.get(count() + 2..)?;
            (Value::Text(String::from_utf8_lossy(text).into_owned()), behind)
        }
        b'*' => elements(count(), rest).map(|(all, rest)| (Value::Array(all), rest))?,
        b'~' => elements(count(), rest).map(|(all, rest)| (Value::Set(all), rest))?,
        b'%' => elements(2 * count(), rest).map(|(all, rest)| (Value::Map(all), rest))?,
        other => panic!("no reply begins with {:?}", other as char),
    })
}

fn elements(count: usize, mut rest: &[u8]) -> Option<(Vec<Value>, &[u8])> {
    let mut all = Vec::new();
    for _ in 0..count {
        let (value, behind) = parse(rest)?;
        all.push(value);
        rest = behind;
    }
    Some((all, rest))
}

impl Value {
    /// The text of a bulk or simple string.
    pub fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Simple(text) => text,
            other => panic!("{other:?} is no text"),
        }
    }

    /// The elements of an array, a set or a map.
    pub fn elements(&self) -> &[Value] {
        match self {
            Self::Array(all) | Self::Set(all) | Self::Map(all) => all,
            other => panic!("{other:?} has no elements"),
        }
    }

    /// What a map holds under a key.
    pub fn get(&self, key: &str) -> Option<&Value> {
        let pairs = self.elements().chunks_exact(2);
        pairs.into_iter().find(|pair| pair[0].text() == key).map(|pair| &pair[1])
    }

    /// The same with sets in order.
    pub fn sorted(self) -> Self {
        let all = |all: Vec<Value>| all.into_iter().map(Self::sorted).collect::<Vec<_>>();
        match self {
            Self::Array(elements) => Self::Array(all(elements)),
            Self::Map(elements) => Self::Map(all(elements)),
            Self::Set(elements) => {
                let mut elements = all(elements);
                elements.sort();
                Self::Set(elements)
            }
            other => other,
        }
    }
}
