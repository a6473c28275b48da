//! Times and durations as people and programs read them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{SignedDuration, Timestamp, Unit};
use serde::Serializer;

/// Wall clock, milliseconds since the Unix epoch.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64
}

/// Monotonic clock, nanoseconds since some point before the process started.
pub fn monotonic_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// RFC 3339 in UTC, to the millisecond: `2026-01-31T08:00:00.123Z`.
pub fn text(at: Timestamp) -> String {
    format!("{at:.3}")
}

/// [`text`], for serde.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*at))
}

/// Seconds only, for tables: `2026-01-31 08:00:00Z`.
pub fn short(at: Timestamp) -> String {
    let seconds = at.round(Unit::Second).unwrap_or(at);
    format!("{seconds:.0}").replace('T', " ")
}

/// A duration as an admin writes it: `500ms`, `5s`, `2 min`, `1h30m`.
///
/// # Errors
/// A text that says what was expected.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a duration; write 500ms, 5s or 2m");
    let parsed: SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(parsed).map_err(|_| wrong())
}

/// A duration in one unit that suits it: `850 ns`, `3.2 us`, `41 ms`, `2.5 s`.
pub fn short_duration(nanoseconds: u64) -> String {
    let n = nanoseconds as f64;
    let (value, unit) = match nanoseconds {
        0..1_000 => return format!("{nanoseconds} ns"),
        1_000..1_000_000 => (n / 1e3, "us"),
        1_000_000..1_000_000_000 => (n / 1e6, "ms"),
        _ => (n / 1e9, "s"),
    };
    if value < 10.0 { format!("{value:.1} {unit}") } else { format!("{value:.0} {unit}") }
}

/// An uptime: `45 s`, `12 min 3 s`, `5 h 2 min`, `3 d 4 h`.
pub fn uptime(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min {} s", seconds % 60),
        3600..86_400 => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc() {
        let at = Timestamp::from_millisecond(1_700_000_000_123).expect("in range");
        assert_eq!(text(at), "2023-11-14T22:13:20.123Z");
        assert_eq!(short(at), "2023-11-14 22:13:20Z");
    }

    #[test]
    fn durations_are_read_and_written_in_one_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "-5s", "soon"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
        assert_eq!(short_duration(850), "850 ns");
        assert_eq!(short_duration(3_210), "3.2 us");
        assert_eq!(short_duration(41_000_000), "41 ms");
        assert_eq!(uptime(7_500), "2 h 5 min");
    }
}
