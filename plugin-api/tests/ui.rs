//! Goal: what may not live in state is refused, in words, at the field. Method: trybuild compares
//! rustc's whole output; after a change of rustc or of the list of state types, look at the new text and
//! keep it with `TRYBUILD=overwrite`.

#[test]
fn refusals_are_readable_and_come_once_per_field() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass.rs");
    for refused in ["drop", "enum", "field", "generics", "key", "not", "options", "repr", "union"] {
        cases.compile_fail(format!("tests/ui/{refused}*.rs"));
    }
}
