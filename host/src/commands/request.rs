//! A request: a verb with its arguments and options, and who asks.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Arg, ArgKind, Opt, Verb, find};
use crate::error::{Code, Error, Result};
use crate::options::Options;

/// What somebody wants the host to do.
#[derive(Debug, Clone)]
pub struct Request {
    /// The verb.
    pub verb: &'static Verb,
    /// Arguments by position, as many as the verb takes.
    pub args: Vec<Vec<u8>>,
    /// Options.
    pub options: Options,
    /// Who asks: `admin pid 123`.
    pub asker: String,
}

impl Request {
    /// Reads words, the verb first.
    ///
    /// # Errors
    /// `USAGE` with how the verb is used; `RELATIVEPATH`.
    pub fn parse(words: &[Vec<u8>], asker: &str) -> Result<Self> {
        let (name, rest) = words.split_first().map_or((&[][..], &[][..]), |(n, r)| (&n[..], r));
        let verb = find(&String::from_utf8_lossy(name))?;
        let mut request =
            Self { verb, args: Vec::new(), options: Options::default(), asker: asker.to_owned() };
        request.read(rest)?;
        request.check_arity()?;
        for (arg, value) in verb.args.iter().zip(&request.args) {
            if arg.kind == ArgKind::File {
                argument_path(value)?;
            }
        }
        Ok(request)
    }

    fn read(&mut self, words: &[Vec<u8>]) -> Result<()> {
        let takes_rest = self.verb.args.last().is_some_and(|arg| arg.kind == ArgKind::Rest);
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let option = word.strip_prefix(b"--");
            match option {
                Some(b"") => self.args.extend(words.by_ref().cloned()),
                Some(option) => {
                    let option = String::from_utf8_lossy(option).into_owned();
                    let next = || words.next().map(|word| String::from_utf8_lossy(word).into());
                    self.read_option(&option, next)?;
                }
                None => self.args.push(word.clone()),
            }
            if takes_rest && !self.args.is_empty() {
                self.args.extend(words.by_ref().cloned());
            }
        }
        Ok(())
    }

    fn read_option(&mut self, text: &str, next: impl FnOnce() -> Option<String>) -> Result<()> {
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        let verb = self.verb;
        let Some(option) = verb.options.iter().find(|option| option.name == name) else {
            let meant = crate::text::nearest(name, verb.options.iter().map(|o| o.name));
            let hint = meant.map_or(verb.hint(), |meant| format!("did you mean --{meant}?"));
            return Err(usage(verb, format!("it has no option --{}", name.escape_debug()), hint));
        };
        let Opt { value, set, .. } = option;
        let given = match (value, inline) {
            (None, None) => String::new(),
            (None, Some(_)) => {
                return Err(usage(verb, format!("--{name} takes no value"), verb.hint()));
            }
            (Some(what), inline) => inline.or_else(next).ok_or_else(|| {
                usage(verb, format!("--{name} wants a value: {what}"), verb.hint())
            })?,
        };
        set(&mut self.options, &given)
            .map_err(|why| usage(verb, format!("--{name}: {why}"), verb.hint()))
    }

    fn check_arity(&self) -> Result<()> {
        let Verb { args, .. } = self.verb;
        let least = args.iter().filter(|arg| arg.required).count();
        let endless = args.last().is_some_and(|arg| arg.kind == ArgKind::Rest);
        let given = self.args.len();
        if given < least {
            let missing: Vec<&str> = args[given..least].iter().map(|arg: &Arg| arg.name).collect();
            let detail = format!("it wants {}", missing.join(" "));
            return Err(usage(self.verb, detail, self.verb.hint()));
        }
        if given > args.len() && !endless {
            let detail = format!("it takes {} and was given {given}", count(args.len()));
            return Err(usage(self.verb, detail, self.verb.hint()));
        }
        Ok(())
    }

    /// The argument at a position, as text.
    pub fn text(&self, at: usize) -> Option<String> {
        self.args.get(at).map(|arg| String::from_utf8_lossy(arg).into_owned())
    }

    /// The argument at a position, as a path.
    pub fn path(&self, at: usize) -> Option<PathBuf> {
        self.args.get(at).map(|arg| Path::new(OsStr::from_bytes(arg)).to_owned())
    }
}

impl Verb {
    fn hint(&self) -> String {
        format!("use it as `{}`; `help {}` explains it", self.usage(), self.name)
    }
}

fn usage(verb: &Verb, detail: String, hint: String) -> Error {
    Error::new(Code::Usage, format!("cannot understand this `{}`", verb.name), detail, hint)
}

fn count(n: usize) -> String {
    match n {
        0 => "no arguments".to_owned(),
        1 => "1 argument".to_owned(),
        n => format!("{n} arguments"),
    }
}

/// An absolute path from an argument.
///
/// # Errors
/// `RELATIVEPATH`: the host's folder is not the asker's.
pub fn argument_path(argument: &[u8]) -> Result<&Path> {
    let path = Path::new(OsStr::from_bytes(argument));
    if path.is_absolute() {
        return Ok(path);
    }
    Err(Error::new(
        Code::RelativePath,
        format!("'{}' is a relative path", path.display()),
        "the host's working directory is not yours",
        "pass the absolute path; the hotshell command line makes it absolute by itself",
    ))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(line: &str) -> Result<Request> {
        let words: Vec<Vec<u8>> = line.split(' ').map(|word| word.as_bytes().to_vec()).collect();
        Request::parse(&words, "test")
    }

    fn refusal(line: &str) -> String {
        parse(line).expect_err(line).to_string()
    }

    #[test]
    fn options_may_stand_anywhere_and_take_values_in_two_ways() {
        let request = parse("SWAP --if-active=3 /kv.so --timeout 2s --dry-run").expect("fine");
        assert_eq!(request.verb.name, "swap");
        assert_eq!(request.args, [b"/kv.so".to_vec()]);
        assert_eq!(request.options.if_active, Some(3));
        assert_eq!(request.options.timeout, Some(Duration::from_secs(2)));
        assert!(request.options.dry_run && !request.options.json);
    }

    #[test]
    fn command_hands_on_everything_from_its_first_argument() {
        let request = parse("command --json keys --server x -- y").expect("fine");
        assert!(request.options.json && request.options.server.is_none());
        assert_eq!(request.args.len(), 5);
        let request = parse("command -- --server").expect("fine");
        assert_eq!(request.args, [b"--server".to_vec()]);
    }

    #[test]
    fn refusals_say_how_it_is_done() {
        assert_eq!(
            refusal("swap"),
            "cannot understand this `swap`: it wants FILE; use it as `swap FILE`; `help swap` \
             explains it"
        );
        assert!(refusal("list 1").contains("it takes no arguments and was given 1"));
        assert!(refusal("swap /a --serv x").ends_with("did you mean --server?"));
        assert!(refusal("swap /a --if-active two").contains("'two' is not a generation's number"));
        assert!(refusal("swap /a --timeout").contains("--timeout wants a value: DUR"));
        assert!(refusal("unload 1").contains("the verb is `discard GEN|NAME@VERSION`"));
        assert!(refusal("upgrade /a").contains("the verb is `swap FILE`"));
        assert!(refusal("staus").contains("the verb is `status`"));
        assert_eq!(parse("swap kv.so").expect_err("relative").code, Code::RelativePath);
        assert_eq!(Request::parse(&[], "test").expect_err("empty").code, Code::Usage);
    }
}
