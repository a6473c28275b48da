//! The one binary: a server shell, its command line, and the child that vets plugins.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut words = std::env::args_os();
    // The vet child comes first: it runs a plugin's code and should carry nothing else.
    if words.nth(1).is_some_and(|verb| verb == "__vet") {
        return ExitCode::from(hotshell::loader::vet_main(words));
    }
    hotshell::cli::main(std::env::args_os())
}
