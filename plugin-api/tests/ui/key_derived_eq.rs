use hotshell_plugin_api::state;

#[state(key)]
#[derive(PartialEq)]
struct Name {
    id: u64,
}

fn main() {}
