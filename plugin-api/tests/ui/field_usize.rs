use hotshell_plugin_api::state;

#[state]
struct Guestbook {
    visits: u64,
    limit: usize,
}

fn main() {}
