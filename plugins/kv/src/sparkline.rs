//! Numbers as a picture of characters, with a label under each: LATENCY GRAPH (`sparkline.c`).

/// Columns of a picture; the numbers beyond them have pictures of their own below.
pub const COLUMNS: usize = 80;
/// Rows of a picture, without the labels.
const ROWS: usize = 4;
/// What a row shows of a number that ends in it, from less to more.
const CHARACTERS: [char; 3] = ['_', 'o', '#'];
/// What a row shows of a number that goes beyond it.
const FILLED: char = '|';

/// Draws numbers, each with its label.
pub fn draw(samples: &[(u64, String)]) -> String {
    let all = samples.iter().map(|&(number, _)| number);
    let (Some(low), Some(high)) = (all.clone().min(), all.max()) else { return String::new() };
    let pictures: Vec<String> =
        samples.chunks(COLUMNS).map(|some| draw_some(some, low, high)).collect();
    pictures.join("\n")
}

fn draw_some(samples: &[(u64, String)], low: u64, high: u64) -> String {
    let levels = CHARACTERS.len() * ROWS;
    let span = (high - low).max(1);
    let level = |number: u64| {
        let level = u128::from(number - low) * levels as u128 / u128::from(span);
        (level as usize).min(levels - 1)
    };
    let mut picture = String::new();
    for row in 0..ROWS {
        let below = (ROWS - row - 1) * CHARACTERS.len();
        picture.extend(samples.iter().map(|&(number, _)| match level(number).checked_sub(below) {
            None => ' ',
            Some(here) => CHARACTERS.get(here).copied().unwrap_or(FILLED),
        }));
        picture.push('\n');
    }
    let blank = " ".repeat(samples.len());
    picture.push_str(&blank);
    picture.push('\n');
    let longest = samples.iter().map(|(_, label)| label.len()).max().unwrap_or(0);
    for at in 0..longest {
        let letters = samples.iter().map(|(_, label)| label.chars().nth(at).unwrap_or(' '));
        picture.extend(letters);
        picture.push('\n');
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_number_fills_all_rows_and_the_lowest_stands_on_the_last() {
        let samples = [(1, "9s"), (7, "12s"), (13, "3m")];
        let samples = samples.map(|(number, label)| (number, label.to_owned()));
        let picture = "  #\n _|\n ||\n_||\n   \n913\ns2m\n s \n";
        assert_eq!(draw(&samples), picture);
        assert_eq!(draw(&samples[..1]), " \n \n \n_\n \n9\ns\n");
        assert_eq!(draw(&[]), "");
    }

    #[test]
    fn what_is_beyond_the_columns_has_a_picture_of_its_own() {
        let samples: Vec<_> = (0..COLUMNS as u64 + 1).map(|n| (n, String::new())).collect();
        let lines: Vec<String> = draw(&samples).lines().map(str::to_owned).collect();
        assert_eq!((lines[0].len(), lines.len()), (COLUMNS, 11));
        assert_eq!((lines[5].as_str(), lines[6].as_str()), ("", "#"), "a line between the two");
    }
}
