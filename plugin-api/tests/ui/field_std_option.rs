use hotshell_plugin_api::state;

#[state]
struct Guestbook {
    visits: u64,
    last: Option<u64>,
}

fn main() {}
