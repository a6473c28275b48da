//! The `hotshell` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    // Before anything else: the vet child must have run nothing but this.
    if args.next().is_some_and(|verb| verb == "__vet") {
        return ExitCode::from(hotshell::loader::vet_main(args));
    }
    ExitCode::from(2)
}
