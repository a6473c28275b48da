use hotshell_plugin_api::state;

#[state]
struct Place(u32, u32);

#[state(key)]
struct Mark {
    place: Place,
}

fn main() {}
