use hotshell_plugin_api::state;

#[state]
enum Mode {
    Open = 3,
    Closed = 7,
}

fn main() {}
