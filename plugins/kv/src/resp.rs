//! Reads requests of RESP straight out of the unread input: no copy, no allocation for up to
//! [`INLINE_ARGS`] arguments.
//!
//! The limits and the texts of protocol errors are Redis'
//! (<https://redis.io/docs/latest/develop/reference/protocol-spec/>, `networking.c`).

use crate::number;

/// Arguments that need no memory of their own.
pub const INLINE_ARGS: usize = 16;
/// Most arguments of a request.
pub const MAX_ARGS: i64 = 1024 * 1024;
/// Longest argument in bytes, unless `proto-max-bulk-len` says something else.
pub const MAX_BULK: i64 = 512 * 1024 * 1024;
/// Longest inline request, and longest number line, in bytes.
pub const MAX_LINE: usize = 64 * 1024;
/// From this many missing arguments on the next look waits until they can all be there.
const MANY_MISSING: usize = 64;
/// The shortest argument: `$0\r\n\r\n`.
const SHORTEST_ARG: usize = 6;

/// The arguments of one request, as slices of the input.
#[derive(Debug)]
pub struct Args<'a> {
    few: [&'a [u8]; INLINE_ARGS],
    count: usize,
    many: Vec<&'a [u8]>,
}

impl<'a> Args<'a> {
    /// No arguments yet.
    #[inline(always)]
    pub const fn new() -> Self {
        Self { few: [&[]; INLINE_ARGS], count: 0, many: Vec::new() }
    }

    /// The arguments, the command's name first.
    #[inline(always)]
    pub fn as_slice(&self) -> &[&'a [u8]] {
        if self.count <= INLINE_ARGS { &self.few[..self.count] } else { &self.many }
    }

    #[inline(always)]
    pub(crate) fn push(&mut self, arg: &'a [u8]) {
        if self.count < INLINE_ARGS {
            self.few[self.count] = arg;
        } else {
            self.push_many(arg);
        }
        self.count += 1;
    }

    #[cold]
    fn push_many(&mut self, arg: &'a [u8]) {
        if self.count == INLINE_ARGS {
            self.many.extend_from_slice(&self.few);
        }
        self.many.push(arg);
    }
}

impl Default for Args<'_> {
    fn default() -> Self {
        Self::new()
    }
}

/// What stands at the front of the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Front {
    /// A whole request of so many bytes; its arguments are in the [`Args`].
    Request(usize),
    /// The request does not begin with `*`.
    Inline,
    /// So many bytes that ask for nothing: an empty array.
    Nothing(usize),
    /// Not whole before so many bytes are there.
    More(usize),
    /// Not RESP: the text of the error. The connection cannot go on.
    Broken(String),
}

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Number(i64, usize),
    More,
    TooLong,
    NotANumber,
}

/// Looks at the front of `input`, which is not empty.
#[inline]
pub fn parse<'a>(input: &'a [u8], args: &mut Args<'a>) -> Front {
    parse_within(input, args, MAX_BULK)
}

/// The same with another limit on the bytes of an argument.
///
/// Inlined where it is called, whatever the linker's optimizer would decide from one build to the next:
/// it is a fifth of the instructions of a GET.
#[inline(always)]
pub fn parse_within<'a>(input: &'a [u8], args: &mut Args<'a>, max_bulk: i64) -> Front {
    if input.first() != Some(&b'*') {
        return Front::Inline;
    }
    let (count, mut at) = match number_line(input, 1) {
        Line::Number(count, at) if count <= MAX_ARGS => (count, at),
        Line::More => return Front::More(input.len() + 1),
        Line::TooLong => return Front::Broken("too big mbulk count string".to_owned()),
        Line::Number(..) | Line::NotANumber => {
            return Front::Broken("invalid multibulk length".to_owned());
        }
    };
    if count <= 0 {
        return Front::Nothing(at);
    }
    for done in 0..count as usize {
        match input.get(at) {
            Some(b'$') => {}
            Some(&other) => return wrong_mark(other),
            None => return missing(input, at, count as usize - done),
        }
        let (len, start) = match number_line(input, at + 1) {
            Line::Number(len, start) if (0..=max_bulk).contains(&len) => (len as usize, start),
            Line::More => return missing(input, at, count as usize - done),
            Line::TooLong => return Front::Broken("too big bulk count string".to_owned()),
            Line::Number(..) | Line::NotANumber => {
                return Front::Broken("invalid bulk length".to_owned());
            }
        };
        // The two bytes behind the argument are not looked at, as in Redis.
        if input.len() < start + len + 2 {
            return missing(input, start + len + 2, count as usize - done - 1);
        }
        args.push(&input[start..start + len]);
        at = start + len + 2;
    }
    Front::Request(at)
}

/// The second argument, which most commands have for a key, and the length of the request at the front
/// of `input`; `None` when it is not a whole one.
pub fn glance(input: &[u8]) -> Option<(&[u8], usize)> {
    let line = |at: usize, mark: u8| match input.get(at) {
        Some(&first) if first == mark => match number_line(input, at + 1) {
            Line::Number(n, end) => Some((usize::try_from(n).ok()?, end)),
            _ => None,
        },
        _ => None,
    };
    let (count, mut at) = line(0, b'*')?;
    let mut second: &[u8] = &[];
    for n in 0..count {
        let (len, start) = line(at, b'$')?;
        at = start.checked_add(len)?.checked_add(2)?;
        if n == 1 {
            second = input.get(start..start + len)?;
        }
    }
    (at <= input.len()).then_some((second, at))
}

/// How much input is needed for a next look, when `args` arguments are missing behind `at`.
///
/// With few arguments missing, every byte is looked at, so that errors are told at once. With many,
/// looking again for each packet would be quadratic.
#[cold]
fn missing(input: &[u8], at: usize, args: usize) -> Front {
    let rest = if args > MANY_MISSING { args * SHORTEST_ARG } else { 0 };
    Front::More((at + rest).max(input.len() + 1))
}

#[cold]
fn wrong_mark(other: u8) -> Front {
    let text = [b"expected '$', got '".as_slice(), &[other], b"'"].concat();
    Front::Broken(text.iter().map(|&b| char::from(b)).collect())
}

/// The number on the line that starts at `at`, and where the next line starts.
#[inline(always)]
fn number_line(input: &[u8], at: usize) -> Line {
    if let Some(&[first, second, third, fourth]) = input.get(at..).and_then(<[u8]>::first_chunk) {
        let (ones, tens) = (first.wrapping_sub(b'0'), second.wrapping_sub(b'0'));
        if ones <= 9 && [second, third] == *b"\r\n" {
            return Line::Number(i64::from(ones), at + 3);
        }
        if (1..=9).contains(&ones) && tens <= 9 && [third, fourth] == *b"\r\n" {
            return Line::Number(i64::from(ones) * 10 + i64::from(tens), at + 4);
        }
    }
    long_number_line(input, at)
}

/// The same for numbers of any length, and for lines at the end of the input.
#[inline]
fn long_number_line(input: &[u8], at: usize) -> Line {
    let mut n = 0;
    let mut end = at;
    while let Some(digit) = input.get(end).map(|b| b.wrapping_sub(b'0')).filter(|&d| d <= 9) {
        n = n * 10 + i64::from(digit);
        end += 1;
        if end - at > 10 {
            return odd_number_line(input, at);
        }
    }
    let plain = end > at && (input[at] != b'0' || end == at + 1);
    if plain && end + 1 < input.len() && input[end] == b'\r' {
        return Line::Number(n, end + 2);
    }
    odd_number_line(input, at)
}

/// The same for lines that are cut off, signed, very long or wrong.
#[cold]
fn odd_number_line(input: &[u8], at: usize) -> Line {
    let Some(len) = input[at..].iter().position(|&b| b == b'\r') else {
        return if input.len() - at > MAX_LINE { Line::TooLong } else { Line::More };
    };
    if at + len + 1 >= input.len() {
        return Line::More;
    }
    match number::parse_i64(&input[at..at + len]) {
        Some(n) => Line::Number(n, at + len + 2),
        None => Line::NotANumber,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(input: &[u8]) -> (Front, Vec<Vec<u8>>) {
        let mut args = Args::new();
        let front = parse(input, &mut args);
        (front, args.as_slice().iter().map(|arg| arg.to_vec()).collect())
    }

    #[test]
    fn a_request_is_cut_into_its_arguments() {
        let input = b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n*1";
        assert_eq!(front(input), (Front::Request(19), vec![b"GET".to_vec(), vec![]]));
    }

    #[test]
    fn a_cut_request_says_how_much_is_missing() {
        let whole = b"*2\r\n$4\r\nECHO\r\n$5\r\nhello\r\n";
        for cut in 1..whole.len() {
            match front(&whole[..cut]).0 {
                Front::More(need) => assert!(cut < need && need <= whole.len(), "{cut} {need}"),
                other => panic!("{cut}: {other:?}"),
            }
        }
        assert_eq!(front(b"*2\r\n$3\r\nGET\r\n$5000\r\nab").0, Front::More(13 + 7 + 5000 + 2));
        assert_eq!(front(b"*100\r\n").0, Front::More(6 + 600));
    }

    #[test]
    fn a_glance_sees_the_second_argument_and_the_end() {
        let input = b"*3\r\n$3\r\nSET\r\n$12\r\nkey:00000001\r\n$1\r\nv\r\n*1\r\n$4\r\nPING\r\n";
        let set = input.len() - 14;
        assert_eq!(glance(input), Some((b"key:00000001".as_slice(), set)));
        assert_eq!(glance(&input[set..]), Some((b"".as_slice(), 14)));
        for cut in 0..set {
            assert_eq!(glance(&input[..cut]), None, "{cut}");
        }
        let odd: [&[u8]; 5] = [
            b"PING\r\n",
            b"*2\r\n$3\r\nGET\r\n:1\r\n",
            b"*2\r\n$3\r\nGET\r\n$-1\r\n",
            b"*2\r\n$3\r\nGET\r\n$9223372036854775807\r\nx",
            b"*x\r\n",
        ];
        assert!(odd.iter().all(|input| glance(input).is_none()));
        assert_eq!(glance(b"*-1\r\n*1"), None);
    }

    #[test]
    fn short_and_long_number_lines_say_the_same() {
        for number in ["0", "7", "10", "16", "99", "100", "1048576"] {
            let input = format!("{number}\r\n$");
            let long = long_number_line(input.as_bytes(), 0);
            assert_eq!(number_line(input.as_bytes(), 0), long, "{number}");
            assert_eq!(long, Line::Number(number.parse().unwrap(), number.len() + 2));
        }
        for odd in ["", "-1\r\n$", "01\r\n$", "1x\r\n$", "\r\n$$", "1", "1\r", "12", "12\r"] {
            let long = long_number_line(odd.as_bytes(), 0);
            assert_eq!(number_line(odd.as_bytes(), 0), long, "{odd:?}");
        }
    }

    #[test]
    fn more_arguments_than_the_array_holds_go_to_memory() {
        let mut input = b"*40\r\n".to_vec();
        for i in 0..40 {
            input.extend_from_slice(format!("$2\r\n{i:02}\r\n").as_bytes());
        }
        let (front, args) = front(&input);
        assert_eq!(front, Front::Request(input.len()));
        assert_eq!(args[39], b"39");
        assert_eq!(args.len(), 40);
    }

    #[test]
    fn protocol_errors_have_redis_texts() {
        let broken = |input: &[u8]| match front(input).0 {
            Front::Broken(text) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(broken(b"*x\r\n"), "invalid multibulk length");
        assert_eq!(broken(b"*01\r\n"), "invalid multibulk length");
        assert_eq!(broken(b"*1048577\r\n"), "invalid multibulk length");
        assert_eq!(broken(b"*1\r\n$-1\r\n"), "invalid bulk length");
        assert_eq!(broken(b"*1\r\n$536870913\r\n"), "invalid bulk length");
        assert_eq!(broken(b"*1\r\n$x\r\n"), "invalid bulk length");
        assert_eq!(broken(b"*1\r\nGET"), "expected '$', got 'G'");
        assert_eq!(
            broken(&[b"*1\r\n$".as_slice(), &[b'1'; 70_000]].concat()),
            "too big bulk count string"
        );
        assert_eq!(
            broken(&[b"*".as_slice(), &[b'1'; 70_000]].concat()),
            "too big mbulk count string"
        );
        assert_eq!(front(b"*0\r\n").0, Front::Nothing(4));
        assert_eq!(front(b"*-10\r\nx").0, Front::Nothing(6));
    }
}
