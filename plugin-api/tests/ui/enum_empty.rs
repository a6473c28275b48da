use hotshell_plugin_api::state;

#[state]
enum Never {}

fn main() {}
