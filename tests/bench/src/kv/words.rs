//! The requests of redis-benchmark's default tests, for clients of this program's own.

use crate::resp::request;

/// The tests in redis-benchmark's order, in which those that take away find what others brought.
pub const TESTS: [&str; 19] = [
    "ping_inline",
    "ping_mbulk",
    "set",
    "get",
    "incr",
    "lpush",
    "rpush",
    "lpop",
    "rpop",
    "sadd",
    "hset",
    "spop",
    "zadd",
    "zpopmin",
    "lrange_100",
    "lrange_300",
    "lrange_500",
    "lrange_600",
    "mset",
];

/// Requests, whole.
pub type Requests = Vec<Vec<u8>>;

/// What stands for a number in [`words`].
const NUMBER: char = '#';

/// The words of a test, with `#` where redis-benchmark has a number of twelve digits. `None` when there is
/// no such test.
fn words(test: &str) -> Option<String> {
    let words = match test {
        "ping_inline" | "ping_mbulk" => "PING",
        "set" => "SET key:# xxx",
        "get" => "GET key:#",
        "incr" => "INCR counter:#",
        "lpush" => "LPUSH mylist xxx",
        "rpush" => "RPUSH mylist xxx",
        "lpop" => "LPOP mylist",
        "rpop" => "RPOP mylist",
        "sadd" => "SADD myset element:#",
        "hset" => "HSET myhash element:# xxx",
        "spop" => "SPOP myset",
        "zadd" => "ZADD myzset # element:#",
        "zpopmin" => "ZPOPMIN myzset",
        "mset" => return Some(format!("MSET{}", " key:# xxx".repeat(10))),
        _ => {
            let elements: u64 = test.strip_prefix("lrange_")?.parse().ok()?;
            return Some(format!("LRANGE mylist 0 {}", elements.checked_sub(1)?));
        }
    };
    Some(words.to_owned())
}

/// A request of these words, each number drawn anew.
fn rendered(words: &str, mut number: impl FnMut() -> u64) -> Vec<u8> {
    let rendered: Vec<String> = words
        .split(' ')
        .map(|word| match word.split_once(NUMBER) {
            Some((name, rest)) => format!("{name}{:012}{rest}", number()),
            None => word.to_owned(),
        })
        .collect();
    let words: Vec<&[u8]> = rendered.iter().map(|word| word.as_bytes()).collect();
    let mut bytes = Vec::new();
    request(&mut bytes, &words);
    bytes
}

/// A request for each number below `count`, which stands in all places of it.
pub fn each(count: u64, words: &str) -> Requests {
    (0..count).map(|n| rendered(words, || n)).collect()
}

/// A request of a test, each number drawn anew. `None` when there is no such test.
pub fn request_of(test: &str, number: impl FnMut() -> u64) -> Option<Vec<u8>> {
    match test {
        "ping_inline" => Some(b"PING\r\n".to_vec()),
        _ => Some(rendered(&words(test)?, number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_test_of_redis_benchmark_has_its_requests() {
        for test in TESTS {
            assert!(!request_of(test, || 3).expect(test).is_empty(), "{test}");
        }
        assert!(request_of("unknown", || 1).is_none() && request_of("lrange_0", || 1).is_none());
    }

    #[test]
    fn a_number_has_twelve_digits_and_is_drawn_for_each_place() {
        let mut next = 6..;
        assert_eq!(
            rendered("ZADD myzset # element:#", || next.next().unwrap()),
            b"*4\r\n$4\r\nZADD\r\n$6\r\nmyzset\r\n$12\r\n000000000006\r\n$20\r\nelement:000000000007\r\n"
        );
    }
}
