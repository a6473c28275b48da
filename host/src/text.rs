//! Small helps for texts that people read.

/// The candidate that is nearest to what was typed, if it is near enough to be meant.
pub fn nearest<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = |candidate: &&str| distance(typed, candidate);
    let best = candidates.min_by_key(near)?;
    let enough = distance(typed, best) <= 2.max(best.len() / 3);
    let begun = typed.len() >= 3 && best.starts_with(typed);
    (enough || begun).then_some(best)
}

/// Levenshtein distance in bytes; O(|a| |b|).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// The text on one line: a line end becomes ` / `.
pub fn one_line(text: &str) -> String {
    let lines: Vec<&str> =
        text.split(['\r', '\n']).map(str::trim).filter(|l| !l.is_empty()).collect();
    lines.join(" / ")
}

/// Bytes in a unit that suits them.
pub fn bytes(n: u64) -> String {
    let value = n as f64;
    match n {
        0..1_024 => format!("{n} B"),
        1_024..1_048_576 => format!("{:.1} KiB", value / 1_024.0),
        1_048_576..1_073_741_824 => format!("{:.1} MiB", value / 1_048_576.0),
        _ => format!("{:.2} GiB", value / 1_073_741_824.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_offered_only_when_it_is_near() {
        let words = ["swap", "status", "max-clients"];
        assert_eq!(nearest("swpa", words.into_iter()), Some("swap"));
        assert_eq!(nearest("max_client", words.into_iter()), Some("max-clients"));
        assert_eq!(nearest("frobnicate", words.into_iter()), None);
    }

    #[test]
    fn line_ends_do_not_survive() {
        assert_eq!(one_line("a\r\n  b\n\nc"), "a / b / c");
    }
}
