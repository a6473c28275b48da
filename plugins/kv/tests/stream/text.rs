//! Streams as text: a line a request, `client 0: "set" "a" "line\r\nbreak"`.

use std::str::Chars;

use super::Step;

/// The lines of a stream.
pub fn print(steps: &[Step]) -> String {
    let line = |step: &Step| {
        let args: String =
            step.args.iter().map(|arg| format!(" \"{}\"", arg.escape_ascii())).collect();
        format!("client {}:{args}\n", step.client)
    };
    steps.iter().map(line).collect()
}

/// A request of a line; or what is wrong with it.
pub fn parse(line: &str) -> Result<Step, String> {
    let head = line.strip_prefix("client ").and_then(|rest| rest.split_once(':'));
    let head = head.and_then(|(client, rest)| Some((client.parse().ok()?, rest)));
    let (client, mut rest) =
        head.ok_or_else(|| format!("`{line}` does not begin with `client N:`"))?;
    let mut args = Vec::new();
    loop {
        rest = rest.trim_start_matches(' ');
        if rest.is_empty() {
            break;
        }
        let quoted = rest
            .strip_prefix('"')
            .ok_or_else(|| format!("`{rest}` does not begin with a quotation mark"))?;
        let mut chars = quoted.chars();
        args.push(unescaped(&mut chars).ok_or_else(|| format!("`{rest}` has no end"))??);
        rest = chars.as_str();
    }
    if args.is_empty() { Err("no request".to_owned()) } else { Ok(Step { client, args }) }
}

/// What is before the next quotation mark, which is taken, too; `None` when there is none.
fn unescaped(chars: &mut Chars<'_>) -> Option<Result<Vec<u8>, String>> {
    let mut bytes = Vec::new();
    loop {
        match chars.next()? {
            '"' => return Some(Ok(bytes)),
            '\\' => match chars.next()? {
                't' => bytes.push(b'\t'),
                'r' => bytes.push(b'\r'),
                'n' => bytes.push(b'\n'),
                plain @ ('\'' | '"' | '\\') => bytes.push(plain as u8),
                'x' => {
                    let digits: String = chars.by_ref().take(2).collect();
                    match u8::from_str_radix(&digits, 16) {
                        Ok(byte) => bytes.push(byte),
                        Err(_) => return Some(Err(format!("`\\x{digits}` is no byte"))),
                    }
                }
                other => return Some(Err(format!("`\\{other}` stands for nothing"))),
            },
            plain => bytes.extend(plain.to_string().bytes()),
        }
    }
}
