use hotshell_plugin_api::state;

#[state]
struct Guestbook {
    visits: u64,
    names: Vec<u64>,
}

fn main() {}
