use hotshell_plugin_api::state;

#[state]
enum Mode {
    Open,
    Closed,
}

#[state]
struct Guestbook {
    visits: u64,
    mode: Mode,
}

fn main() {}
