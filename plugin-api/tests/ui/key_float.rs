use hotshell_plugin_api::state;

#[state(key)]
struct Place {
    latitude: f64,
}

#[state(key)]
enum Mark {
    At { longitude: f64 },
    Nowhere,
}

fn main() {}
