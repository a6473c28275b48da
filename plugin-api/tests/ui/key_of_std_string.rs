use hotshell_plugin_api::state;

#[state(key)]
struct Name {
    text: String,
}

fn main() {}
