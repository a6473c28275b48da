use hotshell_plugin_api::state;

#[state]
struct Old;

#[state(from = NotState, with = |_: &NotState| OfNoState)]
struct OfNoState;

struct NotState;

fn main() {}
