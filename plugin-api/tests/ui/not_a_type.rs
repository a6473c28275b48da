use hotshell_plugin_api::state;

#[state]
fn visits() -> u64 {
    1
}

fn main() {}
