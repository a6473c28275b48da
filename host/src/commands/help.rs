//! `help`, and the manual in docs/ADMIN.md: both written from the table.

use super::{Opt, TABLE, Verb, find};
use crate::error::{Code, Result};

/// Width of the texts that people read.
const WIDTH: usize = 90;

/// The lines of `help`, or of `help VERB`.
///
/// # Errors
/// `USAGE` for a verb that there is not.
pub fn help(verb: Option<&str>) -> Result<Vec<String>> {
    match verb {
        Some(name) => Ok(explain(find(name)?)),
        None => Ok(overview()),
    }
}

fn overview() -> Vec<String> {
    let mut lines = vec!["Verbs (`help VERB` explains one):".to_owned(), String::new()];
    let wide = TABLE.iter().map(|verb| verb.usage().len()).max().unwrap_or(0);
    for verb in TABLE {
        lines.push(format!("  {:wide$}  {}", verb.usage(), verb.summary));
    }
    lines.push(String::new());
    lines.push("Try: swap /path/to/plugin.so, then list, then rollback.".to_owned());
    lines
}

fn explain(verb: &Verb) -> Vec<String> {
    let mut lines = vec![format!("{}: {}", verb.usage(), verb.summary), String::new()];
    lines.extend(wrap(verb.help, WIDTH));
    lines.push(String::new());
    for option in verb.options {
        lines.push(format!("  {:18}  {}", flag(option), option.help));
    }
    lines.push(String::new());
    lines.extend(verb.examples.iter().map(|example| format!("  example: {example}")));
    lines
}

fn flag(option: &Opt) -> String {
    match option.value {
        Some(value) => format!("--{} {value}", option.name),
        None => format!("--{}", option.name),
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("starts with one");
        if !last.is_empty() && last.len() + 1 + word.len() > width {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// The manual of the admin socket, as Markdown: docs/ADMIN.md holds exactly this.
pub fn manual() -> String {
    let mut page = INTRODUCTION.to_owned();
    for verb in TABLE {
        page.push_str(&format!("\n### `{}`\n\n{}.\n\n", verb.usage(), verb.summary));
        page.push_str(&(wrap(verb.help, 100).join("\n") + "\n\n"));
        page.push_str("| option | meaning |\n|---|---|\n");
        for option in verb.options {
            page.push_str(&format!("| `{}` | {} |\n", flag(option), option.help));
        }
        page.push_str("\n```text\n");
        for example in verb.examples {
            page.push_str(&format!("hotshell {example}\n"));
        }
        page.push_str("```\n");
    }
    page.push_str("\n## Error codes\n\n");
    page.push_str("The prefix of a RESP error and the `code` of a JSON error. Never renamed.\n\n");
    page.push_str("| code | exit code of the CLI |\n|---|---|\n");
    for code in Code::ALL {
        page.push_str(&format!("| `{}` | {} |\n", code.text(), code.exit_code()));
    }
    page
}

const INTRODUCTION: &str = "\
# The admin socket

<!-- Written from the command table by `cargo test -p hotshell`; see host/src/commands/help.rs. -->

A Unix socket, for the same user and root (or a group, with `--admin-group`). Default:
`$RUNTIME_DIRECTORY/PORT.sock`, else `$XDG_RUNTIME_DIR/hotshell/PORT.sock`, else
`/tmp/hotshell-UID/PORT.sock`. It speaks RESP, the protocol of Redis, so there are four ways to talk
to it:

```text
hotshell swap kv.so                                     the command line: makes paths absolute
redis-cli -e -s /tmp/hotshell-0/6380.sock swap /srv/kv.so
echo \"swap /srv/kv.so\" | nc -N -U /tmp/hotshell-0/6380.sock
any Redis client library, through its Unix socket option
```

* Paths over the socket are absolute.
* A client that goes away, or closes its sending half, cancels nothing.
* Tables are arrays of lines (verbatim strings after `HELLO 3`); one line is a simple string; with
  `--json` the answer is one bulk string.
* An error is `-CODE message: detail; hint` on one line. After `HELLO 3 SETNAME hotshell` it is a
  blob error of three lines: `CODE message`, detail, hint. Not after every `HELLO 3`: hiredis, and
  with it redis-cli, does not know blob errors.
* `COMMAND`, `COMMAND DOCS` and the like, in upper case as client libraries send them, are answered
  with an empty array. The verb `command` below is written in lower case.

## Exit codes of the command line

| code | meaning |
|---|---|
| 0 | done |
| 1 | refused, nothing changed |
| 2 | usage |
| 3 | host unreachable |
| 4 | busy |
| 5 | outcome unknown: the connection or the time was lost after sending |
| 6 | rolled back |
| 7 | one-way (`check`) |

With `--json` a failure prints `{\"error\":{\"code\",\"message\",\"detail\",\"hint\"}}` to standard
output.

## Verbs
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_is_what_the_table_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ADMIN.md");
        if std::env::var_os("HOTSHELL_BLESS").is_some() {
            std::fs::write(path, manual()).expect("docs/ADMIN.md can be written");
        }
        let there = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            there == manual(),
            "docs/ADMIN.md differs from the command table: run \
             `HOTSHELL_BLESS=1 cargo test -p hotshell manual` and commit it"
        );
    }

    #[test]
    fn every_verb_is_explained_within_the_width() {
        for verb in TABLE {
            let lines = help(Some(verb.name)).expect("it is in the table");
            assert!(lines.len() > 5, "{}", verb.name);
            for line in lines {
                assert!(line.len() <= 100, "{line}");
            }
            assert!(verb.examples.iter().all(|e| e.starts_with(verb.name)), "{}", verb.name);
        }
        assert!(help(Some("nonsense")).is_err());
    }
}
