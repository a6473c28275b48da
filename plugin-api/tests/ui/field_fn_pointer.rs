use hotshell_plugin_api::state;

#[state]
struct Guestbook {
    visits: u64,
    greet: fn(u64) -> u64,
}

fn main() {}
