//! Standard output, whose reader may have gone (`hotshell list | head`): that is no failure of what prints.

use std::io::Write;

/// Prints a text with a line end to standard output.
pub fn print(text: &str) {
    print_bytes(text.as_bytes());
}

/// Prints bytes, with a line end if they have none, to standard output.
pub fn print_bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes);
    if !bytes.ends_with(b"\n") {
        let _ = out.write_all(b"\n");
    }
    let _ = out.flush();
}
