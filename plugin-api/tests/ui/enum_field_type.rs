use hotshell_plugin_api::state;

#[state]
enum Value {
    Text(String),
    List { items: Vec<u64> },
}

fn main() {}
