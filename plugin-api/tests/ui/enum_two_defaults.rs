use hotshell_plugin_api::state;

#[state]
enum Mode {
    #[state(default)]
    Open,
    #[state(default)]
    Closed,
}

fn main() {}
