//! Goal: what is typed is understood or explained. Method: the real tables, without a host.

use super::*;

fn refusal(line: &str) -> Error {
    let words = line.split(' ').map(OsString::from);
    run(words.collect(), &mut Output { json: false }).expect_err(line)
}

#[test]
fn the_command_line_is_sound() {
    args::command().debug_assert();
}

#[test]
fn words_of_other_systems_are_answered_with_the_right_verb() {
    assert!(refusal("hotshell unload 1").hint.contains("`discard GEN|NAME@VERSION`"));
    assert!(refusal("hotshell upgrade a.so").hint.contains("`swap FILE`"));
    assert_eq!(refusal("hotshell frobnicate").code, Code::Usage);
}

#[test]
fn a_wrong_argument_is_a_usage_error_in_three_parts() {
    let error = refusal("hotshell swap");
    assert_eq!(error.code.exit_code(), 2);
    assert!(error.hint.starts_with("usage: hotshell swap"), "{error}");
    let error = refusal("hotshell swap a.so --timeout soon --admin /nowhere");
    assert_eq!(error.message, "cannot understand --timeout");
}

#[test]
fn a_host_that_is_not_there_is_unreachable() {
    let error = refusal("hotshell status --admin /nowhere/admin.sock");
    assert_eq!(error.code.exit_code(), 3);
    assert_eq!(error.message, "cannot reach a host at '/nowhere/admin.sock'");
}

#[test]
fn the_words_sent_are_absolute_and_cannot_be_mistaken_for_options() {
    let line = "hotshell swap ./x.so --if-active 2 --dry-run";
    let matches = args::command().get_matches_from(line.split(' '));
    let (name, matches) = matches.subcommand().expect("swap");
    let (words, _) = args::words(commands::find(name).expect("a verb"), matches).expect("fine");
    let request = commands::Request::parse(&words, "test").expect("the host understands it");
    assert_eq!(request.options.if_active, Some(2));
    assert!(request.path(0).is_some_and(|path| path.is_absolute() && path.ends_with("x.so")));
}

#[test]
fn behind_the_first_word_of_command_everything_is_the_plugins() {
    for (line, json) in [
        ("hotshell command --json stats --admin x", true),
        ("hotshell command stats --json", false),
        ("hotshell status --json", true),
    ] {
        let mut words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        words.splice(2..2, ["--admin", "/nowhere/admin.sock"].map(OsString::from));
        let mut output = Output { json: !json };
        assert_eq!(run(words, &mut output).expect_err(line).code, Code::Unreachable);
        assert_eq!(output.json, json, "{line}");
    }
}
