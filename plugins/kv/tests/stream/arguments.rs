//! Random arguments: what the capital letters of requests stand for.

use super::{Random, TTL};

/// The argument that a word of a request stands for; a word that stands for nothing is one itself.
pub(super) fn argument(random: &mut Random, word: &str) -> Vec<u8> {
    let ttl = TTL.start + random.below((TTL.end - TTL.start) as usize) as i64;
    let now = crate::peer::unix_ms() as i64;
    let number = match word {
        "K" => return random.pick(&["a", "b", "c", "d", "e", "a-longer-name-of-a-key"]).into(),
        "V" => return value(random),
        "G" => {
            return random.pick(&["f0", "f1", "f2", "f3", "1", "-20", "300000", "f4"]).into();
        }
        "S" => return random.pick(&["s0", "s1", "s2"]).into(),
        "U" => return random.below(2000).to_string().into_bytes(),
        "Z" => return random.pick(&["z0", "z1", "z2"]).into(),
        "X" => {
            return random
                .pick(&[
                    "1",
                    "2",
                    "3",
                    "-1",
                    "1.5",
                    "0.1",
                    "0x10",
                    "-0x1.8p1",
                    "0x",
                    "inf",
                    "-inf",
                    "(1",
                    "(2",
                    "x",
                    "1e300",
                    "0",
                    "123456789.25",
                    "1e-7",
                    "(inf",
                    "",
                    "nan",
                ])
                .into();
        }
        "Y" => return random.pick(&["nx", "xx", "gt", "lt", "ch", "incr"]).into(),
        // No negative one: our sorted sets know no negative zero.
        "Q" => return random.pick(&["1", "2", "0.5", "inf", "1e300", "x"]).into(),
        "D" => return random.below(100).to_string().into_bytes(),
        "P2" => return random.pick(&["p0", "p1", "p2"]).into(),
        "T1" => {
            return random.pick(&["u8", "i8", "i5", "u63", "i64", "u64", "u1", "i16", "x"]).into();
        }
        "T2" => return random.pick(&["wrap", "sat", "fail", "none"]).into(),
        "#N" => return format!("#{}", random.below(9)).into_bytes(),
        "H" => return random.pick(&["sum", "min", "max", "avg"]).into(),
        "R" => return random.pick(&["rev", "byscore", "bylex", "withscores", "limit"]).into(),
        "B" => {
            return random
                .pick(&["-", "+", "[f1", "(f1", "[f3", "(f3", "[1", "(5", "x", "[", "("])
                .into();
        }
        "ID" => {
            let (ms, seq) = (random.below(6), random.below(4));
            return match random.below(12) {
                0 => {
                    random.pick(&["-", "+", "x", "0", "0-0", "1-*", "(1-1", "(", "5-", "-5"]).into()
                }
                1 => format!("{ms}").into_bytes(),
                2 => format!("({ms}-{seq}").into_bytes(),
                _ => format!("{ms}-{seq}").into_bytes(),
            };
        }
        "EMPTY" => return Vec::new(),
        // Ids that mostly grow.
        "NEW" => {
            random.1 += random.below(3) as u64;
            return match random.below(12) {
                0 => format!("{}-*", random.1).into_bytes(),
                seq => format!("{}-{}", random.1, seq % 3).into_bytes(),
            };
        }
        // Longitude, latitude, unit, length, option of geo commands.
        "G1" => {
            return random
                .pick(&["13.361389", "15.08", "-122.4", "0", "179.9", "-180", "181", "x"])
                .into();
        }
        "G2" => return random.pick(&["38.115556", "37.5", "-33.9", "0", "84", "-85", "86"]).into(),
        "G3" => return random.pick(&["m", "km", "KM", "ft", "mi", "mile"]).into(),
        "G4" => return random.pick(&["200", "1000", "0", "4000.5", "20000", "-1", "x"]).into(),
        "G5" => {
            return random
                .pick(&[
                    "asc",
                    "desc",
                    "withdist",
                    "withcoord",
                    "withhash",
                    "any",
                    "count",
                    "store",
                    "storedist",
                    "fromlonlat",
                    "frommember",
                    "byradius",
                    "bybox",
                    "O",
                ])
                .into();
        }
        "L" => return random.pick(&["l0", "l1"]).into(),
        "C" => return random.pick(&["c0", "c1"]).into(),
        "E" => return random.pick(&["left", "right", "LEFT", "up"]).into(),
        "O" => {
            return random
                .pick(&[
                    "nx", "xx", "gt", "lt", "get", "keepttl", "ex", "px", "persist", "replace",
                    "db", "async", "sync", "count", "match", "type", "freq", "idle",
                ])
                .into();
        }
        "F" => return random.pick(&["0.1", "-2.5", "3", "1e3", "x", "inf", "0.000001"]).into(),
        "W" => return random.pick(&["x", "-1", "inf", "-0.5", "1e30"]).into(),
        "J" => return random.pick(&["-1", "x", "", "01", "9223372036854775807", "0"]).into(),
        "I" => {
            return random
                .pick(&[
                    "1",
                    "-1",
                    "100",
                    "9223372036854775807",
                    "-9223372036854775808",
                    "x",
                    "1.5",
                    "",
                    "9223372036854775808",
                    "01",
                ])
                .into();
        }
        "N" => {
            return random.pick(&["0", "1", "2", "3", "-1", "-2", "-3", "10", "-100", "x"]).into();
        }
        "T" => ttl,
        "M" => ttl * 1000,
        "A" => now / 1000 + ttl,
        "P" => now + ttl * 1000,
        _ => return word.into(),
    };
    number.to_string().into_bytes()
}

/// Texts and numbers, some of them odd.
pub(super) fn value(random: &mut Random) -> Vec<u8> {
    let long = "0123456789x".repeat(random.below(9));
    let values = [
        "",
        "x",
        "hello",
        "10",
        "-7",
        "0",
        "007",
        " 1",
        "-0",
        "3.14",
        "1e5",
        "9223372036854775807",
        "-9223372036854775808",
        "two words",
        "line\r\nbreak",
        "nx",
        "100",
        &long,
    ];
    random.pick(&values).into()
}
