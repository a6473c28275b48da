use hotshell_plugin_api::state;

struct Entry(u64);

#[state]
struct Guestbook {
    visits: u64,
    entry: Entry,
}

fn main() {}
